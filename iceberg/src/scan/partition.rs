//! What a partition value says of its source column.
//!
//! Source: <https://iceberg.apache.org/spec/#partition-transforms>

use arrow::datatypes::{DataType, TimeUnit};
use chrono::NaiveDate;
use datafusion::common::ScalarValue;
use iceberg::spec::{
    Literal, PrimitiveLiteral, PrimitiveType, Struct, StructType, Transform, Type,
};

use super::bounds::scalar;

const EPOCH_YEAR: i32 = 1970;
const MONTHS: i32 = 12;
const MICROS_PER_HOUR: i64 = 3_600_000_000;
const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;

/// The least source value that a transform takes to `value`, or a value below it. `None` if nothing
/// is known.
pub(super) fn source_min(
    transform: Transform,
    value: &PrimitiveLiteral,
    source: &DataType,
) -> Option<ScalarValue> {
    match transform {
        Transform::Identity => identity(value, source),
        // A prefix is not greater than what it begins; numbers are rounded down.
        Transform::Truncate(width) => {
            scalar(value, source).filter(|value| !wrapped_around(width, value))
        }
        Transform::Year | Transform::Month | Transform::Day | Transform::Hour => {
            let value = int(value)?;
            // Before 1970, writers have rounded towards zero, and their values are one too high.
            let rounded_up =
                value <= 0 && !(transform == Transform::Day && *source == DataType::Date32);
            let value = if rounded_up { value.checked_sub(1)? } else { value };
            time_start(transform, value, source)
        }
        _ => None,
    }
}

/// The greatest source value that a transform takes to `value`, or a value above it. `None` if
/// nothing is known.
pub(super) fn source_max(
    transform: Transform,
    value: &PrimitiveLiteral,
    source: &DataType,
) -> Option<ScalarValue> {
    match transform {
        Transform::Identity => identity(value, source),
        Transform::Truncate(width) => truncated_max(width, value, source),
        Transform::Year | Transform::Month | Transform::Day | Transform::Hour => {
            match time_start(transform, int(value)?.checked_add(1)?, source)? {
                ScalarValue::Date32(Some(next)) => Some(ScalarValue::Date32(Some(next - 1))),
                ScalarValue::TimestampMicrosecond(Some(next), zone) => {
                    Some(ScalarValue::TimestampMicrosecond(Some(next - 1), zone))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a NULL partition value means that every source value is NULL, and another value that
/// none is.
pub(super) fn keeps_nulls(transform: Transform) -> bool {
    !matches!(transform, Transform::Void | Transform::Unknown)
}

/// A partition with its values in these types: those of files that were written before a column was
/// widened are narrower.
pub(crate) fn widened(partition: &Struct, kinds: &StructType) -> Struct {
    let values = partition.iter().zip(kinds.fields()).map(|(value, field)| match value {
        Some(Literal::Primitive(literal)) => {
            let wide = matches!(
                field.field_type.as_ref(),
                Type::Primitive(PrimitiveType::Long | PrimitiveType::Double)
            );
            Some(Literal::Primitive(if wide { wider(literal) } else { literal.clone() }))
        }
        other => other.cloned(),
    });
    Struct::from_iter(values.collect::<Vec<_>>())
}

/// A partition that is equal to those of the same values under the same spec, whether its file was
/// written before or after a column was widened.
pub(crate) fn comparable(partition: &Struct) -> Struct {
    let values = partition.iter().map(|value| match value {
        Some(Literal::Primitive(literal)) => Some(Literal::Primitive(wider(literal))),
        other => other.cloned(),
    });
    Struct::from_iter(values.collect::<Vec<_>>())
}

fn wider(literal: &PrimitiveLiteral) -> PrimitiveLiteral {
    match literal {
        PrimitiveLiteral::Int(value) => PrimitiveLiteral::Long(i64::from(*value)),
        PrimitiveLiteral::Float(value) => PrimitiveLiteral::Double(f64::from(value.0).into()),
        same => same.clone(),
    }
}

/// The value itself, but for floats: a NaN or a zero of either sign is not one value there.
fn identity(value: &PrimitiveLiteral, source: &DataType) -> Option<ScalarValue> {
    if matches!(source, DataType::Float32 | DataType::Float64) {
        return None;
    }
    scalar(value, source)
}

fn int(value: &PrimitiveLiteral) -> Option<i32> {
    match value {
        PrimitiveLiteral::Int(value) => Some(*value),
        _ => None,
    }
}

/// The first instant of a year, month, day or hour that is counted from 1970.
fn time_start(transform: Transform, value: i32, source: &DataType) -> Option<ScalarValue> {
    if transform == Transform::Hour {
        return match source {
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                let micros = i64::from(value).checked_mul(MICROS_PER_HOUR)?;
                Some(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()))
            }
            _ => None,
        };
    }
    let days = match transform {
        Transform::Year => days(EPOCH_YEAR.checked_add(value)?, 1)?,
        Transform::Month => {
            let year = EPOCH_YEAR.checked_add(value.div_euclid(MONTHS))?;
            days(year, u32::try_from(value.rem_euclid(MONTHS)).ok()? + 1)?
        }
        _ => value,
    };
    match source {
        DataType::Date32 => Some(ScalarValue::Date32(Some(days))),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let micros = i64::from(days).checked_mul(MICROS_PER_DAY)?;
            Some(ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()))
        }
        _ => None,
    }
}

fn days(year: i32, month: u32) -> Option<i32> {
    let first = NaiveDate::from_ymd_opt(year, month, 1)?;
    i32::try_from(first.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

fn truncated_max(width: u32, value: &PrimitiveLiteral, source: &DataType) -> Option<ScalarValue> {
    let more = i64::from(width).checked_sub(1)?;
    let value = scalar(value, source).filter(|value| !wrapped_around(width, value))?;
    match value {
        ScalarValue::Int32(Some(value)) => {
            let top = i32::try_from(i64::from(value) + more).ok()?;
            Some(ScalarValue::Int32(Some(top)))
        }
        ScalarValue::Int64(Some(value)) => Some(ScalarValue::Int64(Some(value.checked_add(more)?))),
        ScalarValue::Decimal128(Some(value), precision, scale) => Some(ScalarValue::Decimal128(
            Some(value.checked_add(i128::from(more))?),
            precision,
            scale,
        )),
        ScalarValue::Utf8(Some(text)) => {
            if text.chars().count() < usize::try_from(width).ok()? {
                return Some(ScalarValue::Utf8(Some(text)));
            }
            after_prefix(text).map(|text| ScalarValue::Utf8(Some(text)))
        }
        ScalarValue::Binary(Some(mut bytes)) => {
            if bytes.len() < usize::try_from(width).ok()? {
                return Some(ScalarValue::Binary(Some(bytes)));
            }
            while let Some(last) = bytes.pop() {
                if let Some(next) = last.checked_add(1) {
                    bytes.push(next);
                    return Some(ScalarValue::Binary(Some(bytes)));
                }
            }
            None
        }
        _ => None,
    }
}

/// Rounding down the least numbers may have wrapped around to the greatest, which then stand for
/// both.
fn wrapped_around(width: u32, value: &ScalarValue) -> bool {
    let width = i64::from(width);
    match value {
        ScalarValue::Int32(Some(value)) => i64::from(*value) > i64::from(i32::MAX) - width,
        ScalarValue::Int64(Some(value)) => *value > i64::MAX - width,
        _ => false,
    }
}

/// The least text above every text that begins with `prefix`.
fn after_prefix(mut prefix: String) -> Option<String> {
    while let Some(last) = prefix.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            prefix.push(next);
            return Some(prefix);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::bounds::datum;
    use iceberg::spec::{Datum, PrimitiveType};
    use iceberg::transform::create_transform_function;
    use proptest::prelude::*;

    #[test]
    fn partitions_of_before_and_after_a_column_was_widened_are_equal() {
        let of = |values: [PrimitiveLiteral; 2]| {
            Struct::from_iter(values.map(|value| Some(Literal::Primitive(value))))
        };
        let before = of([PrimitiveLiteral::Int(7), PrimitiveLiteral::Float(1.5.into())]);
        let after = of([PrimitiveLiteral::Long(7), PrimitiveLiteral::Double(1.5.into())]);
        assert_ne!(before, after);
        assert_eq!(comparable(&before), comparable(&after));
        let field = |id, kind| {
            iceberg::spec::NestedField::optional(id, format!("f{id}"), Type::Primitive(kind)).into()
        };
        let kinds = |a, b| StructType::new(vec![field(1, a), field(2, b)]);
        assert_eq!(widened(&before, &kinds(PrimitiveType::Long, PrimitiveType::Double)), after);
        assert_eq!(widened(&before, &kinds(PrimitiveType::Int, PrimitiveType::Float)), before);
    }

    /// The source value lies within what its own partition value says (B1).
    fn check(transform: Transform, value: Datum, source: &DataType) {
        let partition = create_transform_function(&transform)
            .unwrap()
            .transform_literal(&value)
            .unwrap()
            .unwrap();
        let value = scalar(value.literal(), source).unwrap();
        let low = source_min(transform, partition.literal(), source);
        let high = source_max(transform, partition.literal(), source);
        if let Some(low) = &low {
            assert!(*low <= value, "{transform} {low} > {value}");
        }
        if let Some(high) = &high {
            assert!(*high >= value, "{transform} {high} < {value}");
        }
        assert!(low.is_some(), "{transform} of {value} is known");
    }

    proptest! {
        #[test]
        fn b1_a_partition_holds_its_values(
            long in any::<i64>(),
            int in any::<i32>(),
            days in -200_000..200_000_i32,
            micros in -30_000_000_000_000_000..30_000_000_000_000_000_i64,
            text in "\\PC{0,6}",
            unscaled in -99_999_999_999_i64..99_999_999_999,
            width in 1..30_u32,
        ) {
            for transform in [Transform::Identity, Transform::Truncate(width)] {
                if transform == Transform::Identity || long.unsigned_abs() < 1 << 62 {
                    check(transform, Datum::long(long), &DataType::Int64);
                }
                if transform == Transform::Identity || int.unsigned_abs() < 1 << 30 {
                    check(transform, Datum::int(int), &DataType::Int32);
                }
                check(transform, Datum::string(&text), &DataType::Utf8);
                let decimal = PrimitiveType::Decimal { precision: 18, scale: 2 };
                let target = DataType::Decimal128(18, 2);
                let value = ScalarValue::Decimal128(Some(i128::from(unscaled)), 18, 2);
                check(transform, datum(&value, &decimal).unwrap(), &target);
            }
            for transform in [Transform::Year, Transform::Month, Transform::Day, Transform::Hour] {
                let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
                check(transform, Datum::timestamptz_micros(micros), &utc);
                if transform != Transform::Hour {
                    check(transform, Datum::date(days), &DataType::Date32);
                }
            }
        }
    }

    #[test]
    fn a_month_is_its_days() {
        let january = PrimitiveLiteral::Int(54 * 12);
        let of = |value: Option<ScalarValue>| value.unwrap().to_string();
        assert_eq!(of(source_min(Transform::Month, &january, &DataType::Date32)), "2024-01-01");
        assert_eq!(of(source_max(Transform::Month, &january, &DataType::Date32)), "2024-01-31");
    }

    #[test]
    fn before_1970_the_range_reaches_one_unit_further_down() {
        let first = PrimitiveLiteral::Int(0);
        let low = source_min(Transform::Year, &first, &DataType::Date32).unwrap();
        assert_eq!(low.to_string(), "1969-01-01");
        let day = source_min(Transform::Day, &first, &DataType::Date32).unwrap();
        assert_eq!(day.to_string(), "1970-01-01", "days of dates are never rounded");
    }

    #[test]
    fn a_prefix_ends_before_its_successor() {
        assert_eq!(after_prefix("ab".into()).as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{10FFFF}".into()).as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{D7FF}".into()).as_deref(), Some("\u{E000}"));
        assert_eq!(after_prefix("\u{10FFFF}".into()), None);
        let short = PrimitiveLiteral::String("ab".into());
        let max = source_max(Transform::Truncate(3), &short, &DataType::Utf8);
        assert_eq!(max, Some(ScalarValue::from("ab")), "a short text was not cut");
    }

    #[test]
    fn buckets_and_floats_say_nothing() {
        let value = PrimitiveLiteral::Int(3);
        assert_eq!(source_min(Transform::Bucket(8), &value, &DataType::Int32), None);
        assert_eq!(source_max(Transform::Void, &value, &DataType::Int32), None);
        let zero = PrimitiveLiteral::Double(0.0.into());
        assert_eq!(source_min(Transform::Identity, &zero, &DataType::Float64), None);
    }
}
