//! The keys that callers sign with.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use northstar_iceberg::{Error, ErrorKind, Result};
use serde::Deserialize;

/// A key: who signs with it, and its secret.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) actor: String,
    secret: String,
}

impl Key {
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("actor", &self.actor).finish()
    }
}

/// All keys of a server.
#[derive(Debug, Default)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    key: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    secret: String,
    actor: String,
}

impl Keys {
    /// Reads a file of keys: `[[key]]` with `id`, `actor` and `secret`, which is a reference:
    /// `env:NAME` or `file:PATH`.
    ///
    /// # Errors
    /// `NotFound`; `PermissionDenied` for a file with secrets that others may read; `InvalidInput`
    /// for a file that is not of this form, for a secret in plain sight, and for none at all.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::io(error, "read the file of keys", path.display()))?;
        let file: File = toml::from_str(&text).map_err(|error| {
            // The error's own text quotes the file.
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            invalid(format!("line {line}: {}", error.message()), path)
        })?;
        let mut keys = Vec::with_capacity(file.key.len());
        for entry in file.key {
            keys.push(entry.read(path)?);
        }
        let mut ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(invalid(format!("the key `{}` is there twice", twice[0]), path));
        }
        if keys.is_empty() {
            return Err(invalid("there is no [[key]] in it".to_string(), path));
        }
        Ok(Self(keys))
    }

    /// The key of an id.
    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }

    #[cfg(test)]
    pub(super) fn of(id: &str, secret: &str, actor: &str) -> Self {
        Self(vec![Key { id: id.into(), secret: secret.into(), actor: actor.into() }])
    }
}

impl Entry {
    fn read(self, path: &Path) -> Result<Key> {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if self.id.len() < 4 || self.id.len() > 128 || !self.id.chars().all(legal) {
            let text = "an `id` has 4 to 128 letters, digits, `-` or `_`".to_string();
            return Err(invalid(text, path));
        }
        if self.actor.trim().is_empty() {
            return Err(invalid(format!("the key `{}` needs an `actor`", self.id), path));
        }
        let secret = match self.secret.split_once(':') {
            Some(("env", name)) => std::env::var(name).map_err(|_| {
                invalid(format!("the environment variable `{name}` is not set"), path)
            })?,
            Some(("file", file)) => secret_file(Path::new(file))?,
            _ => {
                let text = format!(
                    "the secret of `{}` stands in plain sight; write env:NAME or file:PATH",
                    self.id
                );
                return Err(invalid(text, path));
            }
        };
        let secret = secret.trim().to_string();
        if secret.len() < 16 {
            let text = format!("the secret of `{}` has fewer than 16 characters", self.id);
            return Err(invalid(text, path));
        }
        Ok(Key { id: self.id, actor: self.actor, secret })
    }
}

/// A secret in a file that its owner alone may read.
fn secret_file(path: &Path) -> Result<String> {
    let failed = |error| Error::io(error, "read a secret", path.display());
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        let text = "others may read this file with a secret; take the right away: chmod 600";
        return Err(
            Error::new(ErrorKind::PermissionDenied, text).with_context("path", path.display())
        );
    }
    std::fs::read_to_string(path).map_err(failed)
}

fn invalid(text: String, path: &Path) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("the file of keys: {text}"))
        .with_context("path", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn secret(folder: &Path, mode: u32) -> std::path::PathBuf {
        let path = folder.join("secret");
        std::fs::write(&path, "0123456789abcdef-secret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_key_has_its_secret_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let secret = secret(folder.path(), 0o600);
        let text = format!(
            "[[key]]\nid = \"AKIAFLOW\"\nactor = \"airflow\"\nsecret = \"file:{}\"\n",
            secret.display()
        );
        let (_keep, path) = written(&text);
        let keys = Keys::read(&path).unwrap();
        let key = keys.find("AKIAFLOW").unwrap();
        assert_eq!((key.actor.as_str(), key.secret()), ("airflow", "0123456789abcdef-secret"));
        assert!(!format!("{keys:?}").contains("0123"), "{keys:?}");
        assert!(keys.find("AKIA").is_none());
    }

    #[test]
    fn a_secret_that_others_may_see_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let shared = secret(folder.path(), 0o644);
        for (secret, kind) in [
            (format!("file:{}", shared.display()), ErrorKind::PermissionDenied),
            ("plainly-here-0123456789".to_string(), ErrorKind::InvalidInput),
            ("env:NORTHSTAR_NO_SUCH_VARIABLE".to_string(), ErrorKind::InvalidInput),
        ] {
            let text = format!("[[key]]\nid = \"AKIA\"\nactor = \"a\"\nsecret = \"{secret}\"\n");
            let (_keep, path) = written(&text);
            let error = Keys::read(&path).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(!error.to_string().contains("plainly-here"), "{error}");
        }
    }

    #[test]
    fn a_bad_file_is_told_by_its_line() {
        for (text, said) in [
            ("[[key]]\nid = 7\n", "line 2"),
            ("key = []\n", "no [[key]]"),
            ("[[key]]\nid = \"x\"\nactor = \"a\"\nsecret = \"env:X\"\n", "4 to 128"),
        ] {
            let (_keep, path) = written(text);
            let error = Keys::read(&path).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
