//! The one error of the benchmark: a sentence for the person who started it.

use std::{fmt, io, path::Path};

/// What stopped a benchmark, in words.
#[derive(Debug)]
pub(crate) struct BenchError(String);

/// The result of every step of a benchmark.
pub(crate) type Result<T> = std::result::Result<T, BenchError>;

impl BenchError {
    /// An error with this message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// An input or output error at `path`.
    pub(crate) fn at(path: &Path, error: &io::Error) -> Self {
        Self(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for BenchError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for BenchError {}

impl From<serde_json::Error> for BenchError {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("unexpected JSON: {error}"))
    }
}
