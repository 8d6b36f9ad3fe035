//! Where a secret is kept. A URL and our types hold this alone, never the secret.

use std::fmt;

use crate::url::invalid;
use crate::{Error, ErrorKind, Result};

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A variable of the environment.
    Env(String),
    /// A file, without the spaces and line ends around what it holds.
    File(String),
}

impl SecretPlace {
    /// Reads `env:NAME` or `file:/PATH`; `option` is what it stands for.
    ///
    /// # Errors
    /// `InvalidInput`, which does not show the text: it may be the secret itself.
    pub fn parse(option: &str, text: &str) -> Result<Self> {
        let place = match text.split_once(':') {
            Some(("env", name)) if is_variable(name) => Some(Self::Env(name.to_owned())),
            Some(("file", path)) if path.starts_with('/') => Some(Self::File(path.to_owned())),
            _ => None,
        };
        place.ok_or_else(|| {
            invalid(format!(
                "the option `{option}` of a catalog URL says where the secret is kept; write \
                 {option}=env:NAME or {option}=file:/PATH, and if the secret itself stood there, have it \
                 replaced"
            ))
        })
    }

    /// The secret.
    ///
    /// # Errors
    /// `NotFound` if there is none; `PermissionDenied`, `Storage`, as for any file.
    pub(super) fn read(&self) -> Result<String> {
        let secret = match self {
            Self::Env(name) => std::env::var(name).ok(),
            Self::File(path) => Some(
                std::fs::read_to_string(path)
                    .map_err(|e| Error::io(e, "read the file with the catalog's secret", path))?,
            ),
        };
        match secret.map(|secret| secret.trim().to_owned()) {
            Some(secret) if !secret.is_empty() => Ok(secret),
            _ => Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no secret for the catalog at {self}; put it there"),
            )),
        }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

/// Whether a text can name a variable, as secrets that are no names mostly cannot.
fn is_variable(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_from_its_text_and_a_secret_is_not_shown() {
        for text in ["env:LAKE_TOKEN", "file:/run/secrets/token"] {
            assert_eq!(SecretPlace::parse("token", text).unwrap().to_string(), text);
        }
        for text in ["hunter2", "env:hunter2", "env:", "file:hunter2", "aws:hunter2"] {
            let error = SecretPlace::parse("token", text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_secret_is_read_without_the_line_end_and_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let place = SecretPlace::File(path.display().to_string());
        assert_eq!(place.read().unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(place.read().unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::write(&path, "hunter2\n").unwrap();
        assert_eq!(place.read().unwrap(), "hunter2");
        let unset = SecretPlace::Env("NORTHSTAR_NO_SUCH_VARIABLE".to_owned());
        assert_eq!(unset.read().unwrap_err().kind(), ErrorKind::NotFound);
    }
}
