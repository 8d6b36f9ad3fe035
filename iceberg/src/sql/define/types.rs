//! The types of SQL as those of columns.
//!
//! `timestamp` is a local time without a zone, as in standard SQL and in Iceberg; Spark's `timestamp`
//! is `timestamptz` here.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, DataType as SqlType, ExactNumberInfo, TimezoneInfo,
};

use super::cursor::{Cursor, unparsed, unsupported};
use super::nested;
use crate::table::schema::UTC;
use crate::{Error, ErrorKind, Result};

const MAX_PRECISION: u64 = 38;
const MICROSECONDS: u64 = 6;

/// The type that stands at the cursor.
///
/// # Errors
/// `Unsupported` for a type that tables do not have, saying which to write instead.
pub(super) fn data_type(cursor: &mut Cursor<'_>) -> Result<DataType> {
    nested::any(cursor)
}

/// A type that is not nested, or `type[]` of one.
pub(super) fn primitive(cursor: &mut Cursor<'_>) -> Result<DataType> {
    let written = cursor.parser.parse_data_type().map_err(unparsed)?;
    arrow(&written)
}

fn arrow(written: &SqlType) -> Result<DataType> {
    use SqlType as S;
    Ok(match written {
        S::Boolean | S::Bool => DataType::Boolean,
        S::TinyInt(None) | S::SmallInt(None) | S::Int(None) | S::Integer(None) | S::Int4(None) => {
            DataType::Int32
        }
        S::BigInt(None) | S::Int8(None) => DataType::Int64,
        S::Float(ExactNumberInfo::None) | S::Real | S::Float4 => DataType::Float32,
        S::Double(ExactNumberInfo::None) | S::DoublePrecision | S::Float8 => DataType::Float64,
        S::Decimal(size) | S::Numeric(size) | S::Dec(size) => decimal(size)?,
        S::Date => DataType::Date32,
        S::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            microseconds(*precision, "time")?;
            DataType::Time64(TimeUnit::Microsecond)
        }
        S::Timestamp(precision, zone) => {
            microseconds(*precision, "timestamp")?;
            let zone = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
            DataType::Timestamp(TimeUnit::Microsecond, zone.then(|| UTC.into()))
        }
        S::TimestampNtz(precision) => {
            microseconds(*precision, "timestamp")?;
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        S::String(None) | S::Text | S::Varchar(None) | S::CharacterVarying(None) => DataType::Utf8,
        S::Varchar(_) | S::CharacterVarying(_) | S::Char(_) | S::Character(_) => {
            return Err(unsupported(&format!("type {written}, a length"), "STRING"));
        }
        S::Binary(None) | S::Varbinary(None) | S::Bytea => DataType::Binary,
        S::Custom(name, arguments) if arguments.is_empty() => {
            custom(&name.to_string().to_ascii_lowercase()).ok_or_else(|| unknown(written))?
        }
        S::Uuid => return Err(unsupported("type UUID", "STRING, or BINARY")),
        S::Array(ArrayElemTypeDef::SquareBracket(element, None)) => {
            nested::list(arrow(element)?, false)
        }
        S::Array(_) => {
            return Err(unsupported(&format!("type {written}, a length"), "ARRAY<type>"));
        }
        _ => return Err(unknown(written)),
    })
}

/// Types by names that the grammar does not know.
fn custom(name: &str) -> Option<DataType> {
    Some(match name {
        "byte" | "short" => DataType::Int32,
        "long" => DataType::Int64,
        "timestamp_ltz" => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => return None,
    })
}

fn unknown(written: &SqlType) -> Error {
    unsupported(
        &format!("type {written}"),
        "BOOLEAN, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p, s), DATE, TIME, TIMESTAMP, TIMESTAMPTZ, \
         STRING, BINARY, STRUCT<name: type, …>, ARRAY<type> or MAP<type, type>",
    )
}

/// A decimal without digits has ten, as in Spark.
fn decimal(size: &ExactNumberInfo) -> Result<DataType> {
    let wrong = || {
        Error::new(
            ErrorKind::InvalidInput,
            "decimals have 1 to 38 digits, of which none to all stand behind the point: \
             DECIMAL(10, 2)",
        )
    };
    let (precision, scale) = match size {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    let fits = (1..=MAX_PRECISION).contains(&precision);
    let digits = u8::try_from(precision).ok().filter(|_| fits).ok_or_else(wrong)?;
    let scale = i8::try_from(scale).ok().filter(|scale| *scale >= 0).ok_or_else(wrong)?;
    if u64::from(scale.unsigned_abs()) > precision {
        return Err(wrong());
    }
    Ok(DataType::Decimal128(digits, scale))
}

fn microseconds(precision: Option<u64>, name: &str) -> Result<()> {
    match precision {
        None | Some(MICROSECONDS) => Ok(()),
        Some(digits) => {
            Err(unsupported(&format!("{name}({digits})"), &format!("{name}, of microseconds")))
        }
    }
}
