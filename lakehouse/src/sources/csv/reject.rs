//! Records that cannot be loaded, and why.

use std::fmt;

use super::ColumnType;

/// A quarantined record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The physical line on which the record starts, from 1.
    pub line: i64,
    /// The column at fault, where one is.
    pub column: Option<String>,
    /// Why it was refused.
    pub reason: RejectReason,
    /// The record's bytes as they are in the file, without the last line end.
    pub raw: Vec<u8>,
}

/// Why a record was refused. [`RejectReason::code`] is stable; the text is for people and holds no
/// value of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The record has another number of columns than the header.
    WrongColumnCount {
        /// The number of columns of the header.
        expected: usize,
        /// The number found; at least that many, where reading stopped early.
        found: usize,
    },
    /// Some bytes are not UTF-8.
    NotUtf8,
    /// The record holds a NUL byte.
    NulByte,
    /// The column's value is not of its type.
    BadValue {
        /// The type that the value should have.
        expected: ColumnType,
    },
    /// A quoted field goes on after its closing quote.
    TextAfterQuote,
    /// A quoted field does not end.
    UnclosedQuote,
    /// The record is longer than the limit.
    TooLong {
        /// The limit, in bytes.
        max_record_bytes: usize,
    },
}

impl RejectReason {
    /// The reason's name in quarantine tables: one snake_case word that does not change.
    pub fn code(self) -> &'static str {
        match self {
            Self::WrongColumnCount { .. } => "wrong_column_count",
            Self::NotUtf8 => "not_utf8",
            Self::NulByte => "nul_byte",
            Self::BadValue { .. } => "bad_value",
            Self::TextAfterQuote => "text_after_quote",
            Self::UnclosedQuote => "unclosed_quote",
            Self::TooLong { .. } => "record_too_long",
        }
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongColumnCount { expected, found } => {
                write!(f, "expected {expected} columns, found {found}")
            }
            Self::NotUtf8 => f.write_str("bytes that are not UTF-8"),
            Self::NulByte => f.write_str("a NUL byte"),
            Self::BadValue { expected } => write!(f, "the value is not of type {expected}"),
            Self::TextAfterQuote => f.write_str("text after a closing quote"),
            Self::UnclosedQuote => f.write_str("a quote is not closed"),
            Self::TooLong { max_record_bytes } => {
                write!(f, "longer than {max_record_bytes} bytes")
            }
        }
    }
}
