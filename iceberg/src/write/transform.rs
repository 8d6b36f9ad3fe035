//! Partition transforms over whole columns.
//!
//! Apache's `iceberg` transforms arrays of its own arrow, so the frequent transforms are done here
//! on ours; a test holds each of them against Apache's, value by value.
//!
//! Source: <https://iceberg.apache.org/spec/#partition-transforms>

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::types::{Date32Type, TimestampMicrosecondType};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, Date32Array, Decimal128Array,
    Int32Array, Int64Array, PrimitiveArray, StringArray,
};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit};
use iceberg::spec::{Datum, PrimitiveLiteral, PrimitiveType, Transform};
use iceberg::transform::create_transform_function;

use crate::{Error, ErrorKind, Result};

const MICROS_PER_HOUR: i64 = 3_600_000_000;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// The transformed column: for each row the partition value, NULL for NULL.
///
/// `source` is the column's Iceberg type. The result has arrow's type for the transform's result
/// (`Int32` for year, month, hour and bucket, `Date32` for day).
///
/// # Errors
/// `Unsupported` for a transform that the type does not have, or that is unknown.
pub fn transform(
    transform: Transform,
    source: &PrimitiveType,
    values: &ArrayRef,
) -> Result<ArrayRef> {
    let unsupported = || {
        Error::new(
            ErrorKind::Unsupported,
            format!("partition transform {transform} of a {source} column is not written"),
        )
    };
    match transform {
        Transform::Identity => Ok(Arc::clone(values)),
        Transform::Void => Ok(arrow::array::new_null_array(values.data_type(), values.len())),
        Transform::Year | Transform::Month | Transform::Day | Transform::Hour => {
            temporal(transform, values).ok_or_else(unsupported)
        }
        Transform::Truncate(width) => truncate(i64::from(width), values).ok_or_else(unsupported),
        Transform::Bucket(_) => bucket(transform, source, values),
        Transform::Unknown => Err(unsupported()),
    }
}

fn temporal(transform: Transform, values: &ArrayRef) -> Option<ArrayRef> {
    match values.data_type() {
        DataType::Date32 => {
            let days = values.as_primitive::<Date32Type>();
            let of = |days: i32| i64::from(days);
            match transform {
                Transform::Hour => None,
                other => Some(from_days(other, days, of)),
            }
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = values.as_primitive::<TimestampMicrosecondType>();
            Some(match transform {
                Transform::Hour => {
                    int32(micros.unary(|micros| narrow(micros.div_euclid(MICROS_PER_HOUR))))
                }
                other => from_days(other, micros, |micros: i64| micros.div_euclid(MICROS_PER_DAY)),
            })
        }
        _ => None,
    }
}

/// Years, months or days since 1970 from a column whose values `day_of` takes to days since 1970.
fn from_days<T: ArrowPrimitiveType>(
    transform: Transform,
    values: &PrimitiveArray<T>,
    day_of: impl Fn(T::Native) -> i64,
) -> ArrayRef {
    if transform == Transform::Day {
        let days: Date32Array = values.unary(|value| narrow(day_of(value)));
        return Arc::new(days);
    }
    // Rows mostly come day by day, so the month of the last day is mostly the one asked for.
    let last = Cell::new((0, 0));
    let months = values.unary(|value| {
        let day = day_of(value);
        if day != last.get().0 {
            last.set((day, month_of_day(day)));
        }
        let month = last.get().1;
        narrow(if transform == Transform::Year { month.div_euclid(12) } else { month })
    });
    int32(months)
}

fn int32(values: Int32Array) -> ArrayRef {
    Arc::new(values)
}

/// Partition values fit 32 bits for every timestamp that Iceberg can hold, but for hours and days
/// some 5 million years away, which go to the last partition there is.
fn narrow(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
}

/// Months since 1970-01 of a day since 1970-01-01, in the proleptic Gregorian calendar.
///
/// Days are counted from 0000-03-01, so that a leap day ends its year: 400 years have 146,097 days,
/// and from March on the months before month `m` have (153 m + 2) / 5 days.
fn month_of_day(day: i64) -> i64 {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    (era * 400 + year_of_era - 1970) * 12 + month_from_march + 2
}

fn truncate(width: i64, values: &ArrayRef) -> Option<ArrayRef> {
    let characters = usize::try_from(width).ok()?;
    Some(match values.data_type() {
        DataType::Int32 => {
            let width = i32::try_from(width).ok()?;
            let cut = |value: i32| value.wrapping_sub(value.rem_euclid(width));
            Arc::new(values.as_primitive::<Int32Type>().unary::<_, Int32Type>(cut))
        }
        DataType::Int64 => {
            let cut = |value: i64| value.wrapping_sub(value.rem_euclid(width));
            let cut: Int64Array = values.as_primitive::<Int64Type>().unary(cut);
            Arc::new(cut)
        }
        DataType::Decimal128(precision, scale) => {
            let width = i128::from(width);
            let cut: Decimal128Array = values
                .as_primitive::<arrow::datatypes::Decimal128Type>()
                .unary(|value| value - value.rem_euclid(width));
            Arc::new(cut.with_precision_and_scale(*precision, *scale).ok()?)
        }
        DataType::Utf8 => {
            Arc::new(StringArray::from_iter(values.as_string::<i32>().iter().map(|text| {
                let text = text?;
                let end = text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
                text.get(..end)
            })))
        }
        DataType::Binary => Arc::new(BinaryArray::from_iter(
            values
                .as_binary::<i32>()
                .iter()
                .map(|bytes| bytes.map(|bytes| &bytes[..bytes.len().min(characters)])),
        )),
        _ => return None,
    })
}

/// Buckets go through Apache's hash, value by value: it is rare on large loads, and a hash that
/// differs from other engines' would misplace rows.
fn bucket(transform: Transform, source: &PrimitiveType, values: &ArrayRef) -> Result<ArrayRef> {
    let failed = |error: iceberg::Error| {
        Error::new(ErrorKind::Unsupported, format!("cannot compute {transform} of a {source}"))
            .with_source(error)
    };
    let function = create_transform_function(&transform).map_err(failed)?;
    let mut buckets = Int32Array::builder(values.len());
    for row in 0..values.len() {
        let Some(literal) = super::partition::literal(values, row)? else {
            buckets.append_null();
            continue;
        };
        let datum = datum(source, &literal).map_err(failed)?;
        match function.transform_literal(&datum).map_err(failed)?.as_ref().map(Datum::literal) {
            Some(PrimitiveLiteral::Int(bucket)) => buckets.append_value(*bucket),
            _ => {
                return Err(Error::new(ErrorKind::Internal, "a bucket is not a number"));
            }
        }
    }
    Ok(Arc::new(buckets.finish()))
}

/// A value as Apache's transforms take it: from Iceberg's single-value bytes.
fn datum(kind: &PrimitiveType, literal: &PrimitiveLiteral) -> iceberg::Result<Datum> {
    let bytes = match literal {
        PrimitiveLiteral::Boolean(value) => vec![u8::from(*value)],
        PrimitiveLiteral::Int(value) => value.to_le_bytes().to_vec(),
        PrimitiveLiteral::Long(value) => value.to_le_bytes().to_vec(),
        PrimitiveLiteral::Float(value) => value.0.to_le_bytes().to_vec(),
        PrimitiveLiteral::Double(value) => value.0.to_le_bytes().to_vec(),
        PrimitiveLiteral::String(text) => text.as_bytes().to_vec(),
        PrimitiveLiteral::Binary(bytes) => bytes.clone(),
        PrimitiveLiteral::Int128(value) => value.to_be_bytes().to_vec(),
        _ => Vec::new(),
    };
    Datum::try_from_bytes(&bytes, kind.clone())
}

#[cfg(test)]
mod tests {
    use arrow::array::TimestampMicrosecondArray;
    use iceberg::spec::Literal;

    use super::*;

    /// Each row of ours against Apache's value for the same datum.
    fn agree(with: Transform, source: PrimitiveType, values: ArrayRef) {
        let ours = transform(with, &source, &values).unwrap();
        let theirs = create_transform_function(&with).unwrap();
        assert_eq!(ours.len(), values.len());
        for row in 0..values.len() {
            let expected =
                crate::write::partition::literal(&values, row).unwrap().and_then(|literal| {
                    theirs.transform_literal(&datum(&source, &literal).unwrap()).unwrap()
                });
            let expected = expected.map(|datum| Literal::Primitive(datum.literal().clone()));
            let found =
                crate::write::partition::literal(&ours, row).unwrap().map(Literal::Primitive);
            assert_eq!(found, expected, "{with} row {row}");
        }
    }

    #[test]
    fn time_transforms_agree_with_apache() {
        let days =
            [-719_468, -719_162, -1, 0, 1, 30, 31, 59, 60, 365, 11_016, 11_017, 19_782, 2_932_896];
        let mut micros: Vec<Option<i64>> = vec![None];
        for day in days {
            for offset in [0, 1, MICROS_PER_HOUR - 1, MICROS_PER_DAY - 1] {
                micros.push(Some(day * MICROS_PER_DAY + offset));
            }
        }
        for with in [Transform::Year, Transform::Month, Transform::Day, Transform::Hour] {
            let values: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros.clone()));
            agree(with, PrimitiveType::Timestamp, values);
            let zoned = TimestampMicrosecondArray::from(micros.clone()).with_timezone("+00:00");
            agree(with, PrimitiveType::Timestamptz, Arc::new(zoned));
        }
        let dates: ArrayRef = Arc::new(Date32Array::from_iter(
            days.iter().map(|day| i32::try_from(*day).ok()).chain([None]),
        ));
        for with in [Transform::Year, Transform::Month, Transform::Day] {
            agree(with, PrimitiveType::Date, Arc::clone(&dates));
        }
        assert!(transform(Transform::Hour, &PrimitiveType::Date, &dates).is_err());
    }

    #[test]
    fn every_day_of_a_thousand_years_is_in_its_month() {
        let start = -200_000;
        let days: Vec<i32> = (start..start + 365_250).collect();
        let values: ArrayRef = Arc::new(Date32Array::from(days));
        agree(Transform::Month, PrimitiveType::Date, Arc::clone(&values));
        agree(Transform::Year, PrimitiveType::Date, values);
    }

    #[test]
    fn truncate_and_bucket_agree_with_apache() {
        let longs: ArrayRef = Arc::new(Int64Array::from(vec![
            Some(-11),
            Some(-1),
            None,
            Some(0),
            Some(17),
            Some(i64::MAX),
        ]));
        let ints: ArrayRef =
            Arc::new(Int32Array::from(vec![Some(-11), None, Some(9), Some(i32::MAX)]));
        let texts: ArrayRef =
            Arc::new(StringArray::from(vec![Some("Zürich"), Some(""), None, Some("日本語の名前")]));
        for with in [Transform::Truncate(10), Transform::Truncate(3), Transform::Bucket(16)] {
            agree(with, PrimitiveType::Long, Arc::clone(&longs));
            agree(with, PrimitiveType::Int, Arc::clone(&ints));
            agree(with, PrimitiveType::String, Arc::clone(&texts));
        }
    }
}
