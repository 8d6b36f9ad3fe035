//! A catalog from one URL, which never holds a secret.
//!
//! | URL | stands for |
//! | --- | --- |
//! | `sqlite:///absolute/path/catalog.db` | an SQLite file |
//! | `glue://REGION/` | AWS Glue's Data Catalog; see [`GluePlace::parse`] for options |
//! | `rests://HOST:PORT/PATH` | an Iceberg REST catalog, for reading; see [`RestPlace::parse`] for options |
//! | `rest://HOST:PORT/PATH` | the same without TLS |
//!
//! The path of an SQLite file is absolute, because what a relative one means would change with the
//! directory a job is started from; it is percent-decoded, so that any file name can be written (`%20`
//! is a space, `%3F` a `?`). The four slashes that SQLAlchemy wants before an absolute path are taken
//! too.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::glue::{GlueCatalog, GlueOptions, GluePlace};
use crate::rest::{RestCatalog, RestPlace};
use crate::sqlite::SqliteCatalog;
use crate::url::{invalid, percent_decoded, percent_encoded};
use crate::{Catalog, Error, ErrorKind, Patience, Result};

/// Whether a catalog that is not there may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// It must be there.
    Existing,
    /// It is made if it is not there.
    Create,
}

/// The catalog that stands behind a URL; see the module's text for the forms. Of a service nothing is
/// asked yet, so `mode` is for files.
///
/// # Errors
/// `InvalidInput` for text that is no catalog URL; `Unsupported` for a scheme that no back end
/// serves; otherwise those of [`SqliteCatalog::open`].
pub async fn open(url: &str, mode: OpenMode) -> Result<Arc<dyn Catalog>> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("glue") => {
            let options = GlueOptions { seed: machine_seed(), ..GlueOptions::default() };
            Ok(Arc::new(GlueCatalog::connect(GluePlace::parse(url)?, options).await))
        }
        Some("rest" | "rests") => {
            let place = RestPlace::parse(url)?;
            Ok(Arc::new(RestCatalog::connect(place, Patience::default(), machine_seed())?))
        }
        _ => Ok(Arc::new(open_sqlite(url, mode).await?)),
    }
}

/// The catalog in the SQLite file behind a URL, as itself.
///
/// # Errors
/// `InvalidInput` for text that is no catalog URL; `Unsupported` for another scheme; otherwise those of
/// [`SqliteCatalog::open`].
pub async fn open_sqlite(url: &str, mode: OpenMode) -> Result<SqliteCatalog> {
    SqliteCatalog::open(&sqlite_path(url)?, mode).await
}

/// A number that differs from process to process, so that clients that wait do not wait alike.
fn machine_seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// The URL of an SQLite catalog in the file `path`, which is made absolute first.
///
/// # Errors
/// `InvalidInput` if the path is empty; `Storage` if the current directory is gone.
pub fn sqlite_url(path: &Path) -> Result<String> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "the path of the catalog file is empty"));
    }
    let path = std::path::absolute(path)
        .map_err(|e| Error::io(e, "find the absolute path of the catalog file", path.display()))?;
    let path = percent_encoded(path.as_os_str().as_bytes(), b"/-._~")?;
    Ok(format!("sqlite://{path}"))
}

/// The path in an SQLite URL.
fn sqlite_path(url: &str) -> Result<PathBuf> {
    // Of a URL that is not understood only the scheme is shown: the rest may hold a password.
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(invalid(format!(
            "`{url}` is not a catalog URL; write sqlite:///absolute/path/catalog.db, \
             glue://REGION/ or rests://HOST/"
        )));
    };
    if !scheme.eq_ignore_ascii_case("sqlite") {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "catalogs of the kind `{scheme}:` are not supported; use sqlite:///absolute/path, \
                 glue://REGION/ or rests://HOST/"
            ),
        ));
    }
    let Some(path) = rest.strip_prefix("//").filter(|path| path.starts_with('/')) else {
        return Err(invalid(format!(
            "the path in `{url}` is not absolute; write sqlite:///absolute/path, with three slashes"
        )));
    };
    if path.contains(['?', '#']) {
        return Err(invalid(format!(
            "`{url}` has options, which SQLite catalogs do not take; in a file name write `?` as \
             %3F and `#` as %23"
        )));
    }
    if path.ends_with('/') {
        return Err(invalid(format!("`{url}` names a folder; add the name of the catalog file")));
    }
    Ok(PathBuf::from(OsString::from_vec(percent_decoded(path).ok_or_else(|| {
        invalid(format!(
            "`{url}` has a `%` without the two digits of a byte; write a `%` of the name as %25"
        ))
    })?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_its_url() {
        for path in ["/a/catalog.db", "/with space/100%/a?b#c.db", "/größe/lake.db", "/a:b"] {
            let url = sqlite_url(Path::new(path)).unwrap();
            assert_eq!(sqlite_path(&url).unwrap(), Path::new(path), "{url}");
        }
        assert_eq!(sqlite_url(Path::new("/a b")).unwrap(), "sqlite:///a%20b");
        assert!(sqlite_url(Path::new("lake.db")).unwrap().starts_with("sqlite:///"));
        assert_eq!(sqlite_url(Path::new("")).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_file_name_need_not_be_utf8() {
        let path = PathBuf::from(OsString::from_vec(b"/a\xff.db".to_vec()));
        assert_eq!(sqlite_url(&path).unwrap(), "sqlite:///a%FF.db");
        assert_eq!(sqlite_path("sqlite:///a%ff.db").unwrap(), path);
    }

    #[test]
    fn four_slashes_and_upper_case_mean_the_same_file() {
        for url in ["sqlite:////a/b.db", "SQLite:///a/b.db"] {
            let path = sqlite_path(url).unwrap();
            assert!(path.is_absolute() && path.ends_with("a/b.db"), "{path:?}");
        }
    }

    #[test]
    fn what_is_no_absolute_path_is_refused_with_the_form_to_write() {
        for url in [
            "",
            "/a/b.db",
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite:///a/",
            "sqlite://lake/b.db",
            "sqlite:b.db",
            "sqlite::memory:",
            "sqlite:///a%zz.db",
            "sqlite:///a%2",
            "sqlite:///a%00.db",
            "sqlite:///a.db?mode=ro",
            "sqlite:///a#b",
        ] {
            let error = sqlite_path(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(
                error.message().contains("write") || error.message().contains("add"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn another_scheme_is_unsupported_and_its_secret_is_not_shown() {
        let error = open("postgresql://me:secret@host/db", OpenMode::Create).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("sqlite:///"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[tokio::test]
    async fn services_are_opened_without_asking_them() {
        for (url, same) in [
            ("glue://us-east-1", "glue://us-east-1/"),
            ("rest://127.0.0.1:1", "rest://127.0.0.1:1/"),
            ("RESTS://lake.example/a", "rests://lake.example/a/"),
        ] {
            assert_eq!(open(url, OpenMode::Existing).await.unwrap().url(), same);
        }
        for url in ["glue://", "rest://", "rests://me:hunter2@host"] {
            let error = open(url, OpenMode::Existing).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_url_opens_the_file_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("with space.db");
        let url = sqlite_url(&path).unwrap();
        let missing = open(&url, OpenMode::Existing).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let catalog = open(&url, OpenMode::Create).await.unwrap();
        assert!(path.is_file());
        assert_eq!(catalog.url(), url);
        open(&url, OpenMode::Existing).await.unwrap();
    }
}
