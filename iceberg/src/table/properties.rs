//! Table properties that steer writing, with Iceberg's own keys.
//!
//! Source: <https://iceberg.apache.org/docs/latest/configuration/#write-properties>

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// The columns that identify a row, by name, with commas between.
pub const KEY: &str = "northstar.key";
/// The columns that identify a person directly, likewise.
pub const PHI_DIRECT: &str = "northstar.phi.direct";
/// Whether numbers, dates and times may be written as differences: `true` or `false`, the default.
pub const DELTA_ENCODING: &str = "northstar.write.delta-encoding";

const CODEC: &str = "write.parquet.compression-codec";
const LEVEL: &str = "write.parquet.compression-level";
const TARGET_FILE: &str = "write.target-file-size-bytes";
const ROW_GROUP: &str = "write.parquet.row-group-size-bytes";
const PAGE: &str = "write.parquet.page-size-bytes";
pub(crate) const METRICS_DEFAULT: &str = "write.metadata.metrics.default";
const METRICS_COLUMN: &str = "write.metadata.metrics.column.";
const BLOOM_COLUMN: &str = "write.parquet.bloom-filter-enabled.column.";
const BLOOM_FALSE: &str = "write.parquet.bloom-filter-fpp.column.";
const BLOOM_FALSE_DEFAULT: f64 = 0.01;
const RETRIES: &str = "commit.retry.num-retries";
const RETRY_MIN_MS: &str = "commit.retry.min-wait-ms";
const RETRY_MAX_MS: &str = "commit.retry.max-wait-ms";
const PREVIOUS_VERSIONS: &str = "write.metadata.previous-versions-max";
/// The size of manifests.
///
/// Source: <https://iceberg.apache.org/docs/latest/configuration/#table-behavior-properties>
pub(crate) const MANIFEST_BYTES: &str = "commit.manifest.target-size-bytes";
/// Its default where a table does not say: 8 MiB.
pub(crate) const DEFAULT_MANIFEST_BYTES: u64 = 8 << 20;

/// What manifests say of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsMode {
    /// Nothing.
    None,
    /// How many values and NULLs there are; no value. The mode of columns tagged `phi.direct`.
    Counts,
    /// Counts, and bounds cut to this many characters or bytes.
    Truncate(usize),
    /// Counts and whole bounds.
    Full,
}

impl fmt::Display for MetricsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Counts => f.write_str("counts"),
            Self::Truncate(length) => write!(f, "truncate({length})"),
            Self::Full => f.write_str("full"),
        }
    }
}

impl FromStr for MetricsMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let length = |text: &str| text.strip_prefix("truncate(")?.strip_suffix(')')?.parse().ok();
        match text.to_ascii_lowercase().as_str() {
            "none" => Ok(Self::None),
            "counts" => Ok(Self::Counts),
            "full" => Ok(Self::Full),
            other => match length(other) {
                Some(length) if length > 0 => Ok(Self::Truncate(length)),
                _ => Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!(
                        "`{text}` is not a metrics mode; use none, counts, truncate(N) or full"
                    ),
                )),
            },
        }
    }
}

/// The property that holds the metrics mode of a column.
pub fn metrics_key(column: &str) -> String {
    format!("{METRICS_COLUMN}{column}")
}

/// What the properties that speak of one column begin with.
pub(crate) fn column_prefixes() -> [String; 3] {
    [METRICS_COLUMN, BLOOM_COLUMN, BLOOM_FALSE].map(str::to_string)
}

/// The property that asks for a bloom filter on a column.
pub fn bloom_filter_key(column: &str) -> String {
    format!("{BLOOM_COLUMN}{column}")
}

/// The properties that a new table gets unless it is told otherwise.
///
/// Manifests have 1 MiB, some thousand files: a query for one partition reads one or two of them, and
/// the list of a hundred is read sooner than one of 8 MiB.
pub fn defaults() -> BTreeMap<String, String> {
    [
        (CODEC, "zstd"),
        (LEVEL, "1"),
        (METRICS_DEFAULT, "truncate(16)"),
        (PREVIOUS_VERSIONS, "100"),
        (MANIFEST_BYTES, "1048576"),
    ]
    .map(|(key, value)| (key.to_string(), value.to_string()))
    .into()
}

/// What the properties of a table say of writing to it.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteProperties {
    /// zstd level, or none for uncompressed.
    pub zstd_level: Option<i32>,
    /// A file is closed once it has this many bytes.
    pub target_file_bytes: u64,
    /// A row group is closed once its encoded size reaches this many bytes.
    pub row_group_bytes: usize,
    /// The same where rows are wide: a reader holds the columns of a row group whole.
    pub wide_group_bytes: usize,
    /// Data pages are cut at this many bytes.
    pub page_bytes: usize,
    /// Whether integers, dates and timestamps are written as differences where that is smaller. Not
    /// every reader has these (`docs/adr/0005-encodings.md`).
    pub delta_encoding: bool,
    /// How often a commit that met another is tried again.
    pub commit_retries: u32,
    /// The shortest wait before that, in milliseconds; it doubles each time.
    pub retry_min_ms: u64,
    /// The longest wait, in milliseconds.
    pub retry_max_ms: u64,
    metrics_default: MetricsMode,
    metrics: HashMap<String, MetricsMode>,
    bloom: Vec<String>,
    bloom_false: HashMap<String, f64>,
}

impl WriteProperties {
    /// Reads a table's properties; what is not set has Iceberg's default.
    ///
    /// # Errors
    /// `InvalidInput`, naming the property, for a value that makes no sense; `Unsupported` for a
    /// codec other than zstd and uncompressed.
    pub fn read(properties: &HashMap<String, String>) -> Result<Self> {
        let level = number(properties, LEVEL, 1)?;
        let zstd_level = match properties.get(CODEC).map_or("zstd", String::as_str) {
            "zstd" => Some(level),
            "uncompressed" => None,
            other => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("{CODEC} is `{other}`; zstd and uncompressed are written"),
                ));
            }
        };
        let mode = |text: &String| text.parse::<MetricsMode>();
        let columns = |prefix: &'static str| {
            properties.iter().filter_map(move |(key, value)| {
                Some((key.strip_prefix(prefix)?.to_string(), value))
            })
        };
        Ok(Self {
            zstd_level,
            target_file_bytes: number(properties, TARGET_FILE, 512 << 20)?,
            row_group_bytes: number(properties, ROW_GROUP, 128 << 20)?,
            wide_group_bytes: number(properties, ROW_GROUP, 32 << 20)?,
            page_bytes: number(properties, PAGE, 1 << 20)?,
            delta_encoding: switch(properties, DELTA_ENCODING)?,
            commit_retries: number(properties, RETRIES, 4)?,
            retry_min_ms: number(properties, RETRY_MIN_MS, 100)?,
            retry_max_ms: number(properties, RETRY_MAX_MS, 60_000)?,
            metrics_default: properties
                .get(METRICS_DEFAULT)
                .map_or(Ok(MetricsMode::Truncate(16)), mode)?,
            metrics: columns(METRICS_COLUMN)
                .map(|(column, text)| Ok((column, mode(text)?)))
                .collect::<Result<_>>()?,
            bloom: columns(BLOOM_COLUMN)
                .filter(|(_, value)| value.as_str() == "true")
                .map(|(column, _)| column)
                .collect(),
            bloom_false: columns(BLOOM_FALSE)
                .map(|(column, text)| {
                    let share = share(BLOOM_FALSE, &column, text)?;
                    Ok((column, share))
                })
                .collect::<Result<_>>()?,
        })
    }

    /// A file with fewer bytes than this is small: three quarters of the target.
    pub fn small_file_bytes(&self) -> u64 {
        self.target_file_bytes - self.target_file_bytes / 4
    }

    /// The metrics mode of a column, or of a part of one by its full name (`address.city`): its own,
    /// that of what it is a part of, or the table's. So what hides a struct hides all that is in it.
    pub fn metrics(&self, column: &str) -> MetricsMode {
        let mut found = None;
        for name in self_and_parents(column) {
            let mode = self.metrics.get(name).copied();
            let hides = matches!(mode, Some(MetricsMode::None | MetricsMode::Counts));
            found = if hides { mode } else { found.or(mode) };
        }
        found.unwrap_or(self.metrics_default)
    }

    /// The columns that get a bloom filter.
    pub fn bloom_filter_columns(&self) -> &[String] {
        &self.bloom
    }

    /// The share of values that a column's bloom filter takes for its own though they are not; `None`
    /// if it has no filter.
    ///
    /// Source: <https://iceberg.apache.org/docs/latest/configuration/#write-properties>
    pub fn bloom_filter(&self, column: &str) -> Option<f64> {
        let has_one = self.bloom.iter().any(|name| name == column);
        has_one.then(|| self.bloom_false.get(column).copied().unwrap_or(BLOOM_FALSE_DEFAULT))
    }
}

/// A full name, then that of what it is a part of, and so on: `a.b.c`, `a.b`, `a`.
pub(crate) fn self_and_parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| Some(name.rsplit_once('.')?.0))
}

/// A number between 0 and 1.
fn share(prefix: &str, column: &str, text: &str) -> Result<f64> {
    let share = text.parse::<f64>().ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| {
        let message = format!("property {prefix}{column} is `{text}`, not between 0 and 1");
        Error::new(ErrorKind::InvalidInput, message)
    })
}

fn number<T: FromStr>(properties: &HashMap<String, String>, key: &str, default: T) -> Result<T> {
    let Some(text) = properties.get(key) else { return Ok(default) };
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("property {key} is `{text}`, which is no number"),
        )
    })
}

/// `true` or `false`; without it, false.
fn switch(properties: &HashMap<String, String>, key: &str) -> Result<bool> {
    match properties.get(key).map_or("false", String::as_str) {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("property {key} is `{other}`; use true or false"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_or_refused_by_name() {
        let set = |pairs: &[(&str, &str)]| {
            let map = pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            WriteProperties::read(&map)
        };
        let read = set(&[
            ("write.metadata.metrics.column.name", "counts"),
            ("write.parquet.bloom-filter-enabled.column.id", "true"),
            ("write.parquet.bloom-filter-enabled.column.x", "false"),
            ("write.parquet.bloom-filter-fpp.column.id", "0.001"),
            (DELTA_ENCODING, "true"),
        ])
        .unwrap();
        assert!(read.delta_encoding && !set(&[(DELTA_ENCODING, "false")]).unwrap().delta_encoding);
        assert_eq!(read.metrics("name"), MetricsMode::Counts);
        assert_eq!(read.metrics("id"), MetricsMode::Truncate(16));
        assert_eq!(read.metrics("name.first.x"), MetricsMode::Counts, "parts of a column");
        assert_eq!(read.metrics("names.x"), MetricsMode::Truncate(16));
        assert_eq!(read.bloom_filter_columns(), ["id"]);
        assert_eq!((read.bloom_filter("id"), read.bloom_filter("x")), (Some(0.001), None));
        assert_eq!(read.zstd_level, Some(1));
        for (key, value) in [
            (TARGET_FILE, "large"),
            (METRICS_DEFAULT, "some"),
            ("write.metadata.metrics.column.x", "truncate(0)"),
            (CODEC, "lzo"),
            (DELTA_ENCODING, "yes"),
        ] {
            assert!(set(&[(key, value)]).is_err(), "{key}={value}");
        }
    }

    #[test]
    fn defaults_are_what_reading_gives() {
        let map = defaults().into_iter().collect();
        assert_eq!(
            WriteProperties::read(&map).unwrap(),
            WriteProperties::read(&HashMap::new()).unwrap()
        );
    }
}
