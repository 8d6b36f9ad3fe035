//! DataFusion's errors as Northstar's.
//!
//! Messages of errors that arise from rows, not from the statement, may quote a cell's value:
//! what stands in quotes is masked in those.

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::object_store;
use datafusion::parquet::errors::ParquetError;
use northstar_catalog::{Error, ErrorKind};

use crate::storage::s3::{kind_of, kind_of_text};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// What a statement's failure is to its caller; use it on what running a `DataFrame` returns, too.
///
/// A Northstar error that passed through DataFusion comes out as it went in. Mistakes in the
/// statement are `InvalidInput`; too little memory is `Unavailable`; a data file that is missing
/// or unreadable is `Damaged`.
pub fn from_datafusion(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(source) => from_external(source),
        DataFusionError::Diagnostic(_, inner) => from_datafusion(*inner),
        DataFusionError::Context(doing, inner) => {
            let error = from_datafusion(*inner);
            // Planning errors say enough; at run time this is where a file is named.
            if error.kind() == ErrorKind::Damaged {
                error.with_context("while", doing)
            } else {
                error
            }
        }
        DataFusionError::Shared(shared) => match std::sync::Arc::try_unwrap(shared) {
            Ok(inner) => from_datafusion(inner),
            Err(shared) => from_shared(&shared),
        },
        DataFusionError::Collection(errors) => match errors.into_iter().next() {
            Some(first) => from_datafusion(first),
            None => Error::new(ErrorKind::Internal, "the query failed without saying why"),
        },
        DataFusionError::ArrowError(error, _) => from_arrow(*error),
        DataFusionError::ParquetError(error) => from_parquet(*error),
        DataFusionError::ObjectStore(error) => from_store(*error),
        DataFusionError::IoError(error) => {
            Error::io(error, "read or write for a query", "a data file or a temporary file")
        }
        plain => from_text(&plain),
    }
}

/// Errors that are only a text.
fn from_text(error: &DataFusionError) -> Error {
    let plain = error.strip_backtrace();
    match error {
        DataFusionError::SQL(parser, _) => Error::new(
            ErrorKind::InvalidInput,
            format!("cannot parse the statement: {}", one_line(trimmed(&parser.to_string()))),
        ),
        DataFusionError::NotImplemented(text) => Error::new(ErrorKind::Unsupported, first(text)),
        DataFusionError::Plan(text) | DataFusionError::Configuration(text) => {
            Error::new(ErrorKind::InvalidInput, first(text))
        }
        DataFusionError::SchemaError(..) => {
            Error::new(ErrorKind::InvalidInput, one_line(trimmed(&plain)))
        }
        DataFusionError::Execution(text) => {
            Error::new(ErrorKind::InvalidInput, masked(&first(text)))
        }
        DataFusionError::ResourcesExhausted(text) => Error::new(
            ErrorKind::Unavailable,
            format!(
                "the query needs more memory than it may use: raise the memory limit (`--memory`, \
                 `memory_bytes`), use fewer partitions (`target_partitions`), or give it a larger \
                 spill directory (`spill_dir`): {}",
                first(text)
            ),
        )
        .with_retry(northstar_catalog::Retry::Never),
        _ => {
            Error::new(ErrorKind::Internal, format!("the query engine failed: {}", masked(&plain)))
        }
    }
}

/// An error that others hold as well: it cannot be taken apart, so its text is kept.
fn from_shared(error: &DataFusionError) -> Error {
    // Ours says most, and may stand before the root.
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(inner) = cause {
        if let Some(own) = inner.downcast_ref::<Error>() {
            return Error::new(own.kind(), own.to_string()).with_retry(own.retry());
        }
        cause = inner.source();
    }
    match error.find_root() {
        DataFusionError::ObjectStore(error) => {
            Error::new(store_kind(error), masked(&error.to_string()))
        }
        DataFusionError::ParquetError(error) => {
            let text = error.to_string();
            Error::new(kind_of_text(&text).unwrap_or(ErrorKind::Damaged), masked(&text))
        }
        DataFusionError::ArrowError(error, _) => {
            Error::new(ErrorKind::InvalidData, arrow_message(error))
        }
        plain => from_text(plain),
    }
}

fn from_external(source: Source) -> Error {
    let source = match source.downcast::<Error>() {
        Ok(own) => return *own,
        Err(source) => source,
    };
    let source = match source.downcast::<DataFusionError>() {
        Ok(inner) => return from_datafusion(*inner),
        Err(source) => source,
    };
    let source = match source.downcast::<ArrowError>() {
        Ok(inner) => return from_arrow(*inner),
        Err(source) => source,
    };
    let source = match source.downcast::<object_store::Error>() {
        Ok(inner) => return from_store(*inner),
        Err(source) => source,
    };
    match source.downcast::<ParquetError>() {
        Ok(inner) => from_parquet(*inner),
        Err(other) => Error::new(ErrorKind::Internal, "the query engine failed").with_source(other),
    }
}

fn from_arrow(error: ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(source) => from_external(source),
        ArrowError::IoError(_, error) => {
            Error::io(error, "read or write for a query", "a data file or a temporary file")
        }
        ArrowError::ParquetError(text) => {
            Error::new(ErrorKind::Damaged, format!("a Parquet file cannot be read: {text}"))
        }
        other => Error::new(ErrorKind::InvalidData, arrow_message(&other)),
    }
}

/// The text of an error of Arrow's kernels, without the values that it may quote.
fn arrow_message(error: &ArrowError) -> String {
    match error {
        ArrowError::ArithmeticOverflow(_) => {
            "a number is out of its type's range; cast it to a wider type".to_owned()
        }
        ArrowError::DivideByZero => {
            "division by zero; wrap the divisor in `nullif(…, 0)`".to_owned()
        }
        ArrowError::CastError(text) => {
            format!("a value cannot be cast; use TRY_CAST to get NULL instead: {}", masked(text))
        }
        other => masked(&other.to_string()),
    }
}

fn from_parquet(error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => from_external(source),
        other => {
            let kind = kind_of_text(&other.to_string()).unwrap_or(ErrorKind::Damaged);
            Error::new(kind, "a Parquet file cannot be read").with_source(other)
        }
    }
}

fn from_store(error: object_store::Error) -> Error {
    let kind = store_kind(&error);
    let message = match &error {
        object_store::Error::NotFound { .. } => "a file of the table is missing",
        _ => "cannot read a file of the table",
    };
    match store_path(&error) {
        Some(path) => Error::new(kind, message).with_context("file", path),
        None => Error::new(kind, message),
    }
    .with_source(error)
}

fn store_kind(error: &object_store::Error) -> ErrorKind {
    match error {
        object_store::Error::NotFound { .. } => ErrorKind::Damaged,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => ErrorKind::PermissionDenied,
        error => kind_of(error),
    }
}

fn store_path(error: &object_store::Error) -> Option<String> {
    match error {
        object_store::Error::NotFound { path, .. }
        | object_store::Error::PermissionDenied { path, .. }
        | object_store::Error::Unauthenticated { path, .. } => Some(path.clone()),
        _ => None,
    }
}

/// What is told to people: the text before a back trace or other continuation.
fn first(text: &str) -> String {
    let text = text.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or(text);
    one_line(trimmed(text))
}

fn one_line(text: &str) -> String {
    text.lines().map(|line| line.trim().trim_end_matches('.')).collect::<Vec<_>>().join("; ")
}

fn trimmed(text: &str) -> &str {
    let text = text.trim_end_matches(['.', '\n', ' ']);
    let prefixes = ["sql parser error: ", "Schema error: "];
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text)
}

/// `text` without what may be a cell's value: all from the first single quote to the last, as a
/// value may hold quotes itself, and every number.
fn masked(text: &str) -> String {
    let unquoted = match (text.find('\''), text.rfind('\'')) {
        (Some(from), Some(to)) if from < to => {
            format!("{}'…'{}", &text[..from], &text[to + 1..])
        }
        (Some(from), _) => format!("{}'…'", &text[..from]),
        _ => text.to_owned(),
    };
    let is_number = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_ascii_digit());
        !bare.is_empty() && !word.contains(|c: char| c.is_ascii_alphabetic())
    };
    let words = unquoted.split(' ').map(|word| if is_number(word) { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_cells_do_not_get_into_messages() {
        let cast =
            ArrowError::CastError("Cannot cast string 'O'Brien' to value of Int32 type".into());
        let text = from_datafusion(cast.into()).to_string();
        assert!(text.ends_with("Cannot cast string '…' to value of Int32 type"), "{text}");
        let large = "99999 is too large to store in a Decimal128 of precision 3";
        let text =
            from_datafusion(ArrowError::InvalidArgumentError(large.into()).into()).to_string();
        assert!(!text.contains("99999"), "{text}");
        let over = ArrowError::ArithmeticOverflow("Overflow happened on: 123 + 456".into());
        assert!(!from_datafusion(over.into()).to_string().contains("123"));
    }

    #[test]
    fn our_own_errors_come_back_unchanged_from_any_depth() {
        let own = || Error::new(ErrorKind::Conflict, "taken").with_context("table", "a.b");
        let external = || DataFusionError::External(Box::new(own()));
        for error in [
            external(),
            external().context("while doing"),
            DataFusionError::Shared(std::sync::Arc::new(external())),
            DataFusionError::Collection(vec![external()]),
            ArrowError::ExternalError(Box::new(external())).into(),
            DataFusionError::ParquetError(Box::new(ParquetError::External(Box::new(own())))),
        ] {
            let error = from_datafusion(error);
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert_eq!(error.to_string(), "taken, table: a.b");
        }
        let shared = std::sync::Arc::new(external());
        let held = from_datafusion(DataFusionError::Shared(std::sync::Arc::clone(&shared)));
        assert_eq!((held.kind(), held.to_string()), (ErrorKind::Conflict, own().to_string()));
        drop(shared);
    }

    #[test]
    fn a_missing_or_broken_file_is_damage_and_names_the_file() {
        let missing = object_store::Error::NotFound {
            path: "bronze/lab/data/1.parquet".to_owned(),
            source: "gone".into(),
        };
        let error = from_datafusion(missing.into());
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert_eq!(error.context("file"), Some("bronze/lab/data/1.parquet"));
        let broken = ParquetError::General("bad footer".to_owned());
        assert_eq!(from_datafusion(broken.into()).kind(), ErrorKind::Damaged);
    }

    #[test]
    fn too_little_memory_says_which_option_to_raise() {
        let error = from_datafusion(DataFusionError::ResourcesExhausted("no 5 MB".to_owned()));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("memory_bytes"), "{error}");
    }
}
