//! Iceberg values as DataFusion values, and the column bounds of a data file.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use iceberg::spec::{DataFile, Datum, PrimitiveLiteral, PrimitiveType};

/// A UUID's high half, on which alone the two orders in use agree.
const UUID_HIGH_BITS: u32 = 64;

/// An Iceberg value as a value of a column's present type; a narrower type of an earlier schema is
/// widened. `None` if the two do not fit, which is to be read as "not known".
pub(crate) fn scalar(literal: &PrimitiveLiteral, target: &DataType) -> Option<ScalarValue> {
    Some(match (literal, target) {
        (PrimitiveLiteral::Boolean(v), DataType::Boolean) => ScalarValue::Boolean(Some(*v)),
        (PrimitiveLiteral::Int(v), DataType::Int32) => ScalarValue::Int32(Some(*v)),
        (PrimitiveLiteral::Int(v), DataType::Int64) => ScalarValue::Int64(Some(i64::from(*v))),
        (PrimitiveLiteral::Int(v), DataType::Date32) => ScalarValue::Date32(Some(*v)),
        (PrimitiveLiteral::Long(v), DataType::Int64) => ScalarValue::Int64(Some(*v)),
        (PrimitiveLiteral::Long(v), DataType::Time64(TimeUnit::Microsecond)) => {
            ScalarValue::Time64Microsecond(Some(*v))
        }
        (PrimitiveLiteral::Long(v), DataType::Timestamp(TimeUnit::Microsecond, zone)) => {
            ScalarValue::TimestampMicrosecond(Some(*v), zone.clone())
        }
        (PrimitiveLiteral::Float(v), DataType::Float32) => ScalarValue::Float32(Some(v.0)),
        (PrimitiveLiteral::Float(v), DataType::Float64) => {
            ScalarValue::Float64(Some(f64::from(v.0)))
        }
        (PrimitiveLiteral::Double(v), DataType::Float64) => ScalarValue::Float64(Some(v.0)),
        (PrimitiveLiteral::String(v), DataType::Utf8) => ScalarValue::Utf8(Some(v.clone())),
        (PrimitiveLiteral::Binary(v), DataType::Binary) => ScalarValue::Binary(Some(v.clone())),
        (PrimitiveLiteral::Binary(v), DataType::FixedSizeBinary(bytes)) => {
            let whole = usize::try_from(*bytes).is_ok_and(|bytes| bytes == v.len());
            ScalarValue::FixedSizeBinary(*bytes, Some(whole.then(|| v.clone())?))
        }
        (PrimitiveLiteral::UInt128(v), DataType::FixedSizeBinary(16)) => {
            ScalarValue::FixedSizeBinary(16, Some(v.to_be_bytes().to_vec()))
        }
        (PrimitiveLiteral::Int128(v), DataType::Decimal128(precision, scale)) => {
            ScalarValue::Decimal128(Some(*v), *precision, *scale)
        }
        _ => return None,
    })
}

/// A DataFusion value as an Iceberg value of a type, for its partition transforms. `None` for NULL
/// and for values of other types.
pub(super) fn datum(value: &ScalarValue, target: &PrimitiveType) -> Option<Datum> {
    let bytes = match (value, target) {
        (ScalarValue::Int32(v), PrimitiveType::Int) => (*v)?.to_le_bytes().to_vec(),
        (ScalarValue::Int64(v), PrimitiveType::Long) => (*v)?.to_le_bytes().to_vec(),
        (ScalarValue::Date32(v), PrimitiveType::Date) => (*v)?.to_le_bytes().to_vec(),
        (ScalarValue::Time64Microsecond(v), PrimitiveType::Time) => (*v)?.to_le_bytes().to_vec(),
        (ScalarValue::TimestampMicrosecond(v, None), PrimitiveType::Timestamp)
        | (ScalarValue::TimestampMicrosecond(v, Some(_)), PrimitiveType::Timestamptz) => {
            (*v)?.to_le_bytes().to_vec()
        }
        (ScalarValue::Utf8(v), PrimitiveType::String) => v.as_ref()?.as_bytes().to_vec(),
        (ScalarValue::Binary(v), PrimitiveType::Binary) => v.clone()?,
        (ScalarValue::FixedSizeBinary(16, v), PrimitiveType::Uuid) => v.clone()?,
        (ScalarValue::FixedSizeBinary(_, v), PrimitiveType::Fixed(_)) => v.clone()?,
        (ScalarValue::Decimal128(v, _, from), PrimitiveType::Decimal { scale, .. })
            if u32::try_from(*from) == Ok(*scale) =>
        {
            (*v)?.to_be_bytes().to_vec()
        }
        _ => return None,
    };
    Datum::try_from_bytes(&bytes, target.clone()).ok()
}

/// A file's lower and upper bound of a column, in the column's present type. They may be wider than
/// the values; they are never narrower (B1), and missing where that is not sure.
pub(super) fn column_bounds(
    file: &DataFile,
    column_id: i32,
    target: &DataType,
) -> (Option<ScalarValue>, Option<ScalarValue>) {
    let low = file.lower_bounds().get(&column_id);
    let high = file.upper_bounds().get(&column_id);
    let value = |datum: Option<&Datum>| datum.and_then(|datum| scalar(datum.literal(), target));
    match target {
        // Bounds leave NaN out, and for DataFusion NaN is the greatest number.
        DataType::Float32 | DataType::Float64 => {
            if file.nan_value_counts().get(&column_id) == Some(&0) {
                (value(low).and_then(below_zero), value(high).and_then(above_zero))
            } else {
                (None, None)
            }
        }
        DataType::FixedSizeBinary(16) => {
            match (low.map(Datum::literal), high.map(Datum::literal)) {
                (Some(PrimitiveLiteral::UInt128(low)), Some(PrimitiveLiteral::UInt128(high))) => {
                    uuid_bounds(*low, *high, target)
                }
                _ => (value(low), value(high)),
            }
        }
        _ => (value(low), value(high)),
    }
}

/// The two zeros are one number to most writers and two to DataFusion.
fn below_zero(bound: ScalarValue) -> Option<ScalarValue> {
    match bound {
        ScalarValue::Float32(Some(v)) if v.is_nan() => None,
        ScalarValue::Float64(Some(v)) if v.is_nan() => None,
        ScalarValue::Float32(Some(0.0)) => Some(ScalarValue::Float32(Some(-0.0))),
        ScalarValue::Float64(Some(0.0)) => Some(ScalarValue::Float64(Some(-0.0))),
        other => Some(other),
    }
}

fn above_zero(bound: ScalarValue) -> Option<ScalarValue> {
    match below_zero(bound)? {
        ScalarValue::Float32(Some(0.0)) => Some(ScalarValue::Float32(Some(0.0))),
        ScalarValue::Float64(Some(0.0)) => Some(ScalarValue::Float64(Some(0.0))),
        other => Some(other),
    }
}

/// Java orders the two halves of a UUID as signed numbers, other writers all bytes as unsigned.
/// Where the high halves have one sign both orders agree on them, so bounds are widened to whole
/// high halves; else nothing is known.
fn uuid_bounds(
    low: u128,
    high: u128,
    target: &DataType,
) -> (Option<ScalarValue>, Option<ScalarValue>) {
    let mask = (1_u128 << UUID_HIGH_BITS) - 1;
    if low >> 127 != high >> 127 || low >> UUID_HIGH_BITS > high >> UUID_HIGH_BITS {
        return (None, None);
    }
    (
        scalar(&PrimitiveLiteral::UInt128(low & !mask), target),
        scalar(&PrimitiveLiteral::UInt128(high | mask), target),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use iceberg::spec::{DataContentType, DataFileBuilder, DataFileFormat};
    use std::collections::HashMap;

    fn file(low: Datum, high: Datum, nans: Option<u64>) -> DataFile {
        DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path("f".into())
            .file_format(DataFileFormat::Parquet)
            .record_count(1)
            .file_size_in_bytes(1)
            .lower_bounds(HashMap::from([(1, low)]))
            .upper_bounds(HashMap::from([(1, high)]))
            .nan_value_counts(nans.map(|count| (1, count)).into_iter().collect())
            .build()
            .unwrap()
    }

    #[test]
    fn narrower_values_are_widened() {
        let int = PrimitiveLiteral::Int(-5);
        assert_eq!(scalar(&int, &DataType::Int64), Some(ScalarValue::Int64(Some(-5))));
        assert_eq!(scalar(&int, &DataType::Utf8), None);
        let cut = PrimitiveLiteral::Binary(vec![1]);
        assert_eq!(scalar(&cut, &DataType::FixedSizeBinary(2)), None, "a shortened bound");
    }

    #[test]
    fn float_bounds_count_only_without_nan() {
        let of = |nans| {
            column_bounds(
                &file(Datum::double(0.0), Datum::double(-0.0), nans),
                1,
                &DataType::Float64,
            )
        };
        assert_eq!(of(None), (None, None));
        assert_eq!(of(Some(3)), (None, None));
        let (low, high) = of(Some(0));
        let bits = |value: Option<ScalarValue>| match value {
            Some(ScalarValue::Float64(Some(v))) => v.to_bits(),
            other => panic!("{other:?}"),
        };
        assert_eq!(bits(low), (-0.0_f64).to_bits());
        assert_eq!(bits(high), 0.0_f64.to_bits());
    }

    #[test]
    fn uuid_bounds_hold_in_both_orders() {
        let target = DataType::FixedSizeBinary(16);
        let low = 0x1111_u128 << 64 | u128::from(u64::MAX);
        let high = 0x2222_u128 << 64;
        let (min, max) = uuid_bounds(low, high, &target);
        assert_eq!(min, scalar(&PrimitiveLiteral::UInt128(0x1111 << 64), &target));
        let top = 0x2222 << 64 | u128::from(u64::MAX);
        assert_eq!(max, scalar(&PrimitiveLiteral::UInt128(top), &target));
        assert_eq!(uuid_bounds(1 << 127, 5, &target), (None, None), "signed order wraps");
    }

    #[test]
    fn values_go_to_iceberg_and_back() {
        let values = [
            (ScalarValue::Int32(Some(-7)), PrimitiveType::Int, DataType::Int32),
            (ScalarValue::Int64(Some(7)), PrimitiveType::Long, DataType::Int64),
            (ScalarValue::from("é"), PrimitiveType::String, DataType::Utf8),
            (
                ScalarValue::Decimal128(Some(-12345), 18, 2),
                PrimitiveType::Decimal { precision: 18, scale: 2 },
                DataType::Decimal128(18, 2),
            ),
        ];
        for (value, primitive, arrow) in values {
            let datum = datum(&value, &primitive).unwrap();
            assert_eq!(scalar(datum.literal(), &arrow), Some(value));
        }
        assert!(datum(&ScalarValue::Int32(None), &PrimitiveType::Int).is_none());
    }
}
