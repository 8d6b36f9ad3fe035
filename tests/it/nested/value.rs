//! Values by field id: as they are made up, as arrays, and as they are read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float32Array, Float64Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    SchemaRef, TimestampMicrosecondType,
};

use super::kind::{Kind, Part};
use crate::merge_model::random::Random;

/// A value. Numbers do not say how wide they are stored, floats are their bits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Null,
    Whole(i128),
    Bits(u64),
    Text(String),
    Bytes(Vec<u8>),
    Struct(BTreeMap<i32, Value>),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
}

/// A row: its values by the ids of the columns.
pub(super) type Row = BTreeMap<i32, Value>;

/// A random value of a field.
pub(super) fn random_value(random: &mut Random, part: &Part) -> Value {
    if !part.required && random.chance(20) {
        return Value::Null;
    }
    let count = random.below(4);
    match &part.kind {
        Kind::Leaf(leaf) => random_leaf(random, leaf),
        Kind::Struct(parts) => {
            Value::Struct(parts.iter().map(|part| (part.id, random_value(random, part))).collect())
        }
        Kind::List(element) => {
            Value::List((0..count).map(|_| random_value(random, element)).collect())
        }
        Kind::Map(pair) => {
            let [key, value] = pair.as_ref();
            let mut pairs = BTreeMap::new();
            for _ in 0..count {
                pairs.insert(random_value(random, key), random_value(random, value));
            }
            Value::Map(pairs.into_iter().collect())
        }
    }
}

/// Extremes among ordinary values: years 1 to 9999, NaN, both zeros, texts that need care.
fn random_leaf(random: &mut Random, leaf: &DataType) -> Value {
    let texts = ["", "a", "é/=%", "🩺", "NULL", "a long text that no bound holds as it is"];
    let floats = [f64::NAN, -0.0, 0.0, f64::INFINITY, 1.5, -2.0];
    let whole = |random: &mut Random, few: [i128; 2]| match random.below(6) {
        0 => few[0],
        1 => few[1],
        other => other as i128 - 3,
    };
    match leaf {
        DataType::Int32 => Value::Whole(whole(random, [i32::MIN.into(), i32::MAX.into()])),
        DataType::Int64 => Value::Whole(whole(random, [i64::MIN.into(), i64::MAX.into()])),
        DataType::Decimal128(digits, _) => {
            let most = 10_i128.pow(u32::from(*digits)) - 1;
            Value::Whole(whole(random, [-most, most]))
        }
        DataType::Date32 => Value::Whole(whole(random, [-719_162, 2_932_896])),
        DataType::Timestamp(..) => {
            Value::Whole(whole(random, [-62_135_596_800_000_000, 253_402_300_799_999_999]))
        }
        DataType::Boolean => Value::Whole(random.below(2) as i128),
        DataType::Float32 | DataType::Float64 => Value::Bits(random.pick(&floats).to_bits()),
        DataType::Utf8 => Value::Text((*random.pick(&texts)).to_string()),
        DataType::Binary => {
            Value::Bytes((0..random.below(20)).map(|byte| byte as u8 * 13).collect())
        }
        other => panic!("{other}"),
    }
}

/// Rows as a batch of a table's columns.
pub(super) fn batch(schema: &SchemaRef, columns: &[Part], rows: &[Row]) -> RecordBatch {
    let arrays = schema.fields().iter().zip(columns).map(|(field, part)| {
        let values: Vec<Value> = rows.iter().map(|row| row[&part.id].clone()).collect();
        array(field.data_type(), &part.kind, &values)
    });
    RecordBatch::try_new(Arc::clone(schema), arrays.collect()).unwrap()
}

fn array(to: &DataType, kind: &Kind, values: &[Value]) -> ArrayRef {
    if values.is_empty() {
        return new_null_array(to, 0);
    }
    let valid = NullBuffer::from_iter(values.iter().map(|value| *value != Value::Null));
    match (kind, to) {
        (Kind::Leaf(_), leaf) => leaf_array(leaf, values),
        (Kind::Struct(parts), DataType::Struct(fields)) => {
            let columns = parts.iter().zip(fields).map(|(part, field)| {
                let own: Vec<Value> = values
                    .iter()
                    .map(|value| match value {
                        Value::Struct(fields) => fields[&part.id].clone(),
                        _ => Value::Null,
                    })
                    .collect();
                array(field.data_type(), &part.kind, &own)
            });
            Arc::new(StructArray::new(fields.clone(), columns.collect(), Some(valid)))
        }
        (Kind::List(part), DataType::List(element)) => {
            let all: Vec<&[Value]> = values
                .iter()
                .map(|value| if let Value::List(all) = value { all.as_slice() } else { &[] })
                .collect();
            let offsets = OffsetBuffer::from_lengths(all.iter().map(|all| all.len()));
            let elements = array(element.data_type(), &part.kind, &all.concat());
            Arc::new(ListArray::new(Arc::clone(element), offsets, elements, Some(valid)))
        }
        (Kind::Map(pair), DataType::Map(entries, sorted)) => {
            let DataType::Struct(fields) = entries.data_type() else { panic!("{entries}") };
            let all: Vec<&[(Value, Value)]> = values
                .iter()
                .map(|value| if let Value::Map(all) = value { all.as_slice() } else { &[] })
                .collect();
            let offsets = OffsetBuffer::from_lengths(all.iter().map(|all| all.len()));
            let (keys, of): (Vec<Value>, Vec<Value>) = all.concat().into_iter().unzip();
            let columns = vec![
                array(fields[0].data_type(), &pair[0].kind, &keys),
                array(fields[1].data_type(), &pair[1].kind, &of),
            ];
            let pairs = StructArray::new(fields.clone(), columns, None);
            Arc::new(MapArray::new(Arc::clone(entries), offsets, pairs, Some(valid), *sorted))
        }
        other => panic!("{other:?}"),
    }
}

fn leaf_array(leaf: &DataType, values: &[Value]) -> ArrayRef {
    let wholes =
        || values.iter().map(|value| if let Value::Whole(n) = value { Some(*n) } else { None });
    let small = || wholes().map(|n| n.map(|n| i32::try_from(n).unwrap()));
    let large = || wholes().map(|n| n.map(|n| i64::try_from(n).unwrap()));
    let floats = || {
        values.iter().map(|value| match value {
            Value::Bits(bits) => Some(f64::from_bits(*bits)),
            _ => None,
        })
    };
    match leaf {
        DataType::Int32 => Arc::new(Int32Array::from_iter(small())),
        DataType::Date32 => Arc::new(Date32Array::from_iter(small())),
        DataType::Int64 => Arc::new(Int64Array::from_iter(large())),
        DataType::Timestamp(_, zone) => {
            Arc::new(TimestampMicrosecondArray::from_iter(large()).with_timezone_opt(zone.clone()))
        }
        DataType::Boolean => Arc::new(BooleanArray::from_iter(wholes().map(|n| n.map(|n| n == 1)))),
        DataType::Decimal128(digits, scale) => Arc::new(
            Decimal128Array::from_iter(wholes()).with_precision_and_scale(*digits, *scale).unwrap(),
        ),
        DataType::Float32 => {
            Arc::new(Float32Array::from_iter(floats().map(|float| float.map(|float| float as f32))))
        }
        DataType::Float64 => Arc::new(Float64Array::from_iter(floats())),
        DataType::Utf8 => {
            Arc::new(StringArray::from_iter(values.iter().map(|value| match value {
                Value::Text(text) => Some(text),
                _ => None,
            })))
        }
        DataType::Binary => {
            Arc::new(BinaryArray::from_iter(values.iter().map(|value| match value {
                Value::Bytes(bytes) => Some(bytes),
                _ => None,
            })))
        }
        other => panic!("{other}"),
    }
}

/// The rows of batches with a table's columns, sorted.
pub(super) fn rows(columns: &[Part], batches: &[RecordBatch]) -> Vec<Row> {
    let mut all = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let values = columns.iter().zip(batch.columns());
            all.push(
                values.map(|(part, array)| (part.id, value(&part.kind, array, row))).collect(),
            );
        }
    }
    all.sort();
    all
}

fn value(kind: &Kind, array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match kind {
        Kind::Struct(parts) => {
            let columns = parts.iter().zip(array.as_struct().columns());
            Value::Struct(columns.map(|(p, column)| (p.id, value(&p.kind, column, row))).collect())
        }
        Kind::List(part) => {
            let all = array.as_list::<i32>().value(row);
            Value::List((0..all.len()).map(|at| value(&part.kind, &all, at)).collect())
        }
        Kind::Map(pair) => {
            let all = array.as_map().value(row);
            let part = |which: usize, at| value(&pair[which].kind, all.column(which), at);
            let mut pairs: Vec<_> = (0..all.len()).map(|at| (part(0, at), part(1, at))).collect();
            pairs.sort();
            Value::Map(pairs)
        }
        Kind::Leaf(_) => match array.data_type() {
            DataType::Int32 => Value::Whole(array.as_primitive::<Int32Type>().value(row).into()),
            DataType::Date32 => Value::Whole(array.as_primitive::<Date32Type>().value(row).into()),
            DataType::Int64 => Value::Whole(array.as_primitive::<Int64Type>().value(row).into()),
            DataType::Timestamp(..) => {
                Value::Whole(array.as_primitive::<TimestampMicrosecondType>().value(row).into())
            }
            DataType::Boolean => Value::Whole(array.as_boolean().value(row).into()),
            DataType::Decimal128(..) => {
                Value::Whole(array.as_primitive::<Decimal128Type>().value(row))
            }
            DataType::Float32 => {
                let float = array.as_primitive::<Float32Type>().value(row);
                Value::Bits(f64::from(float).to_bits())
            }
            DataType::Float64 => {
                Value::Bits(array.as_primitive::<Float64Type>().value(row).to_bits())
            }
            DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_string()),
            DataType::Binary => Value::Bytes(array.as_binary::<i32>().value(row).to_vec()),
            other => panic!("{other}"),
        },
    }
}

/// What a value is under another version of its type: fields that went are gone, those that came are
/// NULL.
pub(super) fn under(kind: &Kind, value: &Value) -> Value {
    match (kind, value) {
        (Kind::Struct(parts), Value::Struct(fields)) => Value::Struct(
            parts
                .iter()
                .map(|p| (p.id, fields.get(&p.id).map_or(Value::Null, |v| under(&p.kind, v))))
                .collect(),
        ),
        (Kind::List(part), Value::List(all)) => {
            Value::List(all.iter().map(|value| under(&part.kind, value)).collect())
        }
        (Kind::Map(pair), Value::Map(all)) => Value::Map(
            all.iter().map(|(key, value)| (key.clone(), under(&pair[1].kind, value))).collect(),
        ),
        (_, other) => other.clone(),
    }
}
