//! The types that a CSV column can have, and their names in contracts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use northstar_catalog::{Error, ErrorKind, Result};

/// The largest precision of a decimal: that of Iceberg and of 128 bits.
const MAX_PRECISION: u8 = 38;

/// A column's type. Its text form is Iceberg's: `long`, `decimal(12,2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `true`/`false`, `t`/`f`, `1`/`0`, `yes`/`no` in any case.
    Boolean,
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// 64-bit floating point; `NaN`, `Infinity` and `-Infinity` are values.
    Double,
    /// Exact number. A value with more fraction digits than the scale is refused, unless they are 0.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, 0 to the precision.
        scale: i8,
    },
    /// `YYYY-MM-DD`, years 0001 to 9999.
    Date,
    /// `YYYY-MM-DD[ T]HH:MM[:SS[.ffffff]]` without a zone, in microseconds.
    Timestamp,
    /// A timestamp that ends in `Z`, `+hh:mm` or `-hh:mm`; stored as microseconds in UTC.
    Timestamptz,
    /// Text as it is.
    String,
}

impl ColumnType {
    /// The Arrow type of the column's batches.
    pub fn to_arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale),
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
            Self::String => DataType::Utf8,
        }
    }

    /// Refuses a decimal whose precision and scale make no type.
    fn check(self) -> Result<Self> {
        if let Self::Decimal { precision, scale } = self {
            let scale_fits = u8::try_from(scale).is_ok_and(|scale| scale <= precision);
            if !(1..=MAX_PRECISION).contains(&precision) || !scale_fits {
                let message = format!(
                    "{self} is no decimal type; the precision is 1 to {MAX_PRECISION} and the \
                     scale 0 to the precision"
                );
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        }
        Ok(self)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Double => "double",
            Self::Decimal { precision, scale } => return write!(f, "decimal({precision},{scale})"),
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::String => "string",
        })
    }
}

impl FromStr for ColumnType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let lower = text.trim().to_ascii_lowercase();
        let parsed = match lower.as_str() {
            "boolean" => Self::Boolean,
            "int" => Self::Int,
            "long" => Self::Long,
            "double" => Self::Double,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::Timestamptz,
            "string" => Self::String,
            other => decimal(other).ok_or_else(|| {
                let message = format!(
                    "`{text}` is no column type; use boolean, int, long, double, \
                     decimal(precision,scale), date, timestamp, timestamptz or string"
                );
                Error::new(ErrorKind::InvalidInput, message)
            })?,
        };
        parsed.check()
    }
}

/// The decimal type that `decimal(p,s)` names.
fn decimal(text: &str) -> Option<ColumnType> {
    let inner = text.strip_prefix("decimal")?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',')?;
    let precision = precision.trim().parse().ok()?;
    Some(ColumnType::Decimal { precision, scale: scale.trim().parse().ok()? })
}

/// A column of the table that a file is read for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name that the header has after normalising and renaming.
    pub name: String,
    /// What its values are parsed as.
    pub column_type: ColumnType,
}

impl Column {
    /// A column of that name and type.
    pub fn new(name: impl Into<String>, column_type: ColumnType) -> Self {
        Self { name: name.into(), column_type }
    }
}

/// The Arrow schema of batches with `columns`: all are nullable.
pub(super) fn schema(columns: &[Column]) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let arrow = column.column_type.check()?.to_arrow();
        fields.push(Field::new(&column.name, arrow, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}
