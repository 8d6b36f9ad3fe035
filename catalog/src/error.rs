//! The one error of Northstar's libraries: what kind it is, where it happened, whether a retry helps.

use std::error::Error as StdError;
use std::fmt;

/// A result with Northstar's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, for callers to match on. The text of an error is for people and may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A table, namespace, snapshot, tag or file is not there.
    NotFound,
    /// A table, namespace or tag is there already.
    AlreadyExists,
    /// The caller asked for something that makes no sense: a bad name, option or statement.
    InvalidInput,
    /// The data given is malformed, beyond what quarantine takes.
    InvalidData,
    /// A stored file cannot be read as what it should be: metadata, a manifest, Parquet.
    Damaged,
    /// The thing asked for is not supported, here or yet.
    Unsupported,
    /// Another writer changed the table in a way that this commit may not be put on top of.
    Conflict,
    /// It is not known whether a commit took effect; re-reading settles it.
    CommitUnknown,
    /// The catalog is locked or does not answer.
    Unavailable,
    /// The file system or the service refuses the access.
    PermissionDenied,
    /// The disk is full.
    StorageFull,
    /// Reading or writing failed in another way.
    Storage,
    /// A defect of Northstar itself.
    Internal,
}

impl ErrorKind {
    /// The kind's name as logs and tests write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::InvalidInput => "invalid input",
            Self::InvalidData => "invalid data",
            Self::Damaged => "damaged file",
            Self::Unsupported => "unsupported",
            Self::Conflict => "conflict",
            Self::CommitUnknown => "commit state unknown",
            Self::Unavailable => "unavailable",
            Self::PermissionDenied => "permission denied",
            Self::StorageFull => "storage full",
            Self::Storage => "storage",
            Self::Internal => "internal",
        }
    }
}

/// Whether trying again helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call fails again.
    Never,
    /// The same call may succeed later.
    Again,
    /// The call may succeed once the table is loaded anew.
    Refresh,
}

/// An error with its kind, what was being done, and its cause.
///
/// `Display` is one line: the message, then the context as `key: value`, then the causes. No value
/// of a patient's record is ever put into any of them.
pub struct Error {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    retry: Retry,
}

impl Error {
    /// An error of `kind`. Retry is derived from the kind; [`Error::with_retry`] overrides it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let retry = match kind {
            ErrorKind::Unavailable => Retry::Again,
            ErrorKind::Conflict | ErrorKind::CommitUnknown => Retry::Refresh,
            _ => Retry::Never,
        };
        Self { kind, message: message.into(), context: Vec::new(), source: None, retry }
    }

    /// Adds where it happened: a file, a table, a line.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.context.push((key, value.to_string()));
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says that trying again helps, or does not, whatever the kind.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether trying again helps.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// The message without context and causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The value of a context key.
    pub fn context(&self, key: &str) -> Option<&str> {
        self.context.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    /// An I/O error on `path`: its kind follows from the operating system's. One that carries an [`Error`]
    /// is that.
    pub fn io(source: std::io::Error, doing: &str, path: impl fmt::Display) -> Self {
        use std::io::ErrorKind as Io;
        let source = match source.downcast::<Self>() {
            Ok(own) => return own,
            Err(source) => source,
        };
        let kind = match source.kind() {
            Io::NotFound => ErrorKind::NotFound,
            Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
            Io::StorageFull | Io::QuotaExceeded => ErrorKind::StorageFull,
            Io::AlreadyExists => ErrorKind::AlreadyExists,
            _ => ErrorKind::Storage,
        };
        Self::new(kind, format!("cannot {doing}")).with_context("path", path).with_source(source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (key, value) in &self.context {
            write!(f, ", {key}: {value}")?;
        }
        let mut last = self.message.clone();
        let mut cause = self.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(error) = cause {
            let text = error.to_string();
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            // A `Display` of ours prints its own causes.
            if error.is::<Self>() {
                break;
            }
            last = text;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.kind.as_str())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
