//! Which partition each row belongs to.

use std::collections::HashMap;

use arrow::array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::row::{RowConverter, SortField};
use iceberg::spec::{
    Literal, NestedFieldRef, PartitionSpecRef, PrimitiveLiteral, PrimitiveType, SchemaRef, Struct,
    Transform, Type,
};

use super::transform::transform;
use crate::scan::widened;
use crate::{Error, ErrorKind, Result};

/// One field of the spec, bound to a column.
#[derive(Debug)]
struct Source {
    /// The column's place, then those of the fields within it.
    path: Vec<usize>,
    kind: PrimitiveType,
    transform: Transform,
}

/// Numbers the partitions of a table in the order in which they are met.
#[derive(Debug)]
pub struct Partitioner {
    sources: Vec<Source>,
    keys: Option<RowConverter>,
    numbers: HashMap<Box<[u8]>, u32>,
    values: Vec<Struct>,
}

impl Partitioner {
    /// A partitioner for rows whose columns are those of `schema`, in its order.
    ///
    /// # Errors
    /// `Unsupported` for a transform that is unknown or a type that cannot partition.
    pub fn new(spec: &PartitionSpecRef, schema: &SchemaRef) -> Result<Self> {
        let unsupported = |what: String| Error::new(ErrorKind::Unsupported, what);
        let mut sources = Vec::new();
        for field in spec.fields() {
            let path = struct_path(schema.as_struct().fields(), field.source_id);
            let Some((path, source)) = path.zip(schema.field_by_id(field.source_id)) else {
                return Err(unsupported(format!(
                    "partition field {} is of column id {}, which the schema no longer has; give the table a new partition spec",
                    field.name, field.source_id
                )));
            };
            let Type::Primitive(kind) = source.field_type.as_ref() else {
                return Err(unsupported(format!(
                    "partition field {} is of a nested column",
                    field.name
                )));
            };
            sources.push(Source { path, kind: kind.clone(), transform: field.transform });
        }
        Ok(Self { sources, keys: None, numbers: HashMap::new(), values: Vec::new() })
    }

    /// The columns that partition values are made of, by position.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.sources.iter().filter_map(|source| source.path.first().copied())
    }

    /// The partition of each row, as an index into [`Partitioner::values`].
    ///
    /// # Errors
    /// As [`Partitioner::new`].
    pub fn numbers(&mut self, batch: &RecordBatch) -> Result<Vec<u32>> {
        if self.sources.is_empty() {
            if self.values.is_empty() {
                self.values.push(Struct::empty());
            }
            return Ok(vec![0; batch.num_rows()]);
        }
        let columns = self
            .sources
            .iter()
            .map(|source| transform(source.transform, &source.kind, &part(batch, &source.path)?))
            .collect::<Result<Vec<ArrayRef>>>()?;
        let failed = |error: arrow::error::ArrowError| {
            Error::new(ErrorKind::Internal, "partition values cannot be compared")
                .with_source(error)
        };
        let keys = match &mut self.keys {
            Some(keys) => keys,
            keys => {
                let fields =
                    columns.iter().map(|column| SortField::new(column.data_type().clone()));
                keys.insert(RowConverter::new(fields.collect()).map_err(failed)?)
            }
        };
        let rows = keys.convert_columns(&columns).map_err(failed)?;
        let mut numbers = Vec::with_capacity(batch.num_rows());
        let mut last: Option<(&[u8], u32)> = None;
        for row in 0..batch.num_rows() {
            let key = rows.row(row).data();
            let number = match last {
                Some((before, number)) if before == key => number,
                _ => match self.numbers.get(key) {
                    Some(number) => *number,
                    None => {
                        let number = u32::try_from(self.values.len()).map_err(|_| {
                            Error::new(
                                ErrorKind::Unsupported,
                                "a write has over 4 billion partitions",
                            )
                        })?;
                        let value = columns
                            .iter()
                            .map(|column| Ok(literal(column, row)?.map(Literal::Primitive)))
                            .collect::<Result<Vec<_>>>()?;
                        self.values.push(Struct::from_iter(value));
                        self.numbers.insert(key.into(), number);
                        number
                    }
                },
            };
            last = Some((key, number));
            numbers.push(number);
        }
        Ok(numbers)
    }

    /// The partition tuples met so far.
    pub fn values(&self) -> &[Struct] {
        &self.values
    }
}

/// The places that lead to a field: a column's, then those within structs; `None` if the id is not
/// there, or within a list or a map.
pub(crate) fn struct_path(fields: &[NestedFieldRef], id: i32) -> Option<Vec<usize>> {
    fields.iter().enumerate().find_map(|(at, field)| {
        if field.id == id {
            return Some(vec![at]);
        }
        let Type::Struct(of) = field.field_type.as_ref() else { return None };
        let below = struct_path(of.fields(), id)?;
        Some(std::iter::once(at).chain(below).collect())
    })
}

/// The values of a field; those of a struct that is NULL are NULL.
fn part(batch: &RecordBatch, path: &[usize]) -> Result<ArrayRef> {
    let defect = || Error::new(ErrorKind::Internal, "a partition's column is not there");
    let (column, below) = path.split_first().ok_or_else(defect)?;
    let mut values = ArrayRef::clone(batch.columns().get(*column).ok_or_else(defect)?);
    for at in below {
        let parent = values.as_struct_opt().ok_or_else(defect)?;
        let child = parent.columns().get(*at).ok_or_else(defect)?;
        let nulls = NullBuffer::union(parent.nulls(), child.nulls());
        let data = child.to_data().into_builder().nulls(nulls).build();
        values = make_array(data.map_err(|error| defect().with_source(error))?);
    }
    Ok(values)
}

/// One value of a column as Iceberg writes it; `None` for NULL.
///
/// # Errors
/// `Unsupported` for a type that cannot partition.
pub fn literal(values: &ArrayRef, row: usize) -> Result<Option<PrimitiveLiteral>> {
    if values.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match values.data_type() {
        DataType::Boolean => PrimitiveLiteral::Boolean(values.as_boolean().value(row)),
        DataType::Int32 => PrimitiveLiteral::Int(values.as_primitive::<Int32Type>().value(row)),
        DataType::Date32 => PrimitiveLiteral::Int(values.as_primitive::<Date32Type>().value(row)),
        DataType::Int64 => PrimitiveLiteral::Long(values.as_primitive::<Int64Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            PrimitiveLiteral::Long(values.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            PrimitiveLiteral::Long(values.as_primitive::<Time64MicrosecondType>().value(row))
        }
        DataType::Float32 => {
            PrimitiveLiteral::Float(values.as_primitive::<Float32Type>().value(row).into())
        }
        DataType::Float64 => {
            PrimitiveLiteral::Double(values.as_primitive::<Float64Type>().value(row).into())
        }
        DataType::Decimal128(..) => {
            PrimitiveLiteral::Int128(values.as_primitive::<Decimal128Type>().value(row))
        }
        DataType::Utf8 => {
            PrimitiveLiteral::String(values.as_string::<i32>().value(row).to_string())
        }
        DataType::Binary => PrimitiveLiteral::Binary(values.as_binary::<i32>().value(row).to_vec()),
        other => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a column of type {other} cannot partition a table"),
            ));
        }
    }))
}

/// The folder of a partition below the table's data folder: `field=value/…`, each part
/// percent-encoded as Java's Iceberg does, empty for an unpartitioned table.
pub fn folder(spec: &PartitionSpecRef, schema: &SchemaRef, value: &Struct) -> Result<String> {
    let texts = texts(spec, schema, value)?;
    let parts = texts.iter().map(|(name, text)| format!("{}={}", encode(name), encode(text)));
    Ok(parts.collect::<Vec<_>>().join("/"))
}

/// The name and the value of each field of a partition, as people write them.
///
/// # Errors
/// `Internal` for a spec that does not fit the schema.
pub fn texts(
    spec: &PartitionSpecRef,
    schema: &SchemaRef,
    value: &Struct,
) -> Result<Vec<(String, String)>> {
    let kinds = spec.partition_type(schema).map_err(|error| {
        Error::new(ErrorKind::Internal, "the partition spec does not fit the schema")
            .with_source(error)
    })?;
    // A file may have been written before a column of the spec was widened.
    let value = widened(value, &kinds);
    let fields = spec.fields().iter().zip(kinds.fields()).zip(value.iter());
    Ok(fields
        .map(|((field, kind), value)| {
            let period = match value {
                Some(Literal::Primitive(value)) => readable_period(field.transform, value),
                _ => None,
            };
            let text =
                period.unwrap_or_else(|| field.transform.to_human_string(&kind.field_type, value));
            (field.name.clone(), text)
        })
        .collect())
}

/// Periods as people and Java's Iceberg write them: `2024`, `2024-05`, `2024-05-31-23`.
pub(crate) fn readable_period(transform: Transform, value: &PrimitiveLiteral) -> Option<String> {
    let PrimitiveLiteral::Int(value) = value else { return None };
    let year = |months: i32| 1970 + months.div_euclid(12);
    match transform {
        Transform::Year => Some(format!("{:04}", 1970 + value)),
        Transform::Month => Some(format!("{:04}-{:02}", year(*value), value.rem_euclid(12) + 1)),
        Transform::Hour => chrono::DateTime::from_timestamp(i64::from(*value) * 3_600, 0)
            .map(|time| time.format("%Y-%m-%d-%H").to_string()),
        _ => None,
    }
}

/// Leaves what is safe in a path of any system, and encodes every other byte.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray, StructArray, TimestampMicrosecondArray};
    use arrow::datatypes::Field;
    use iceberg::spec::{ListType, NestedField, PartitionSpec, Schema, StructType};

    use super::*;

    fn bound(fields: &[(&str, Transform)]) -> (PartitionSpecRef, SchemaRef) {
        let schema: SchemaRef = Arc::new(
            Schema::builder()
                .with_fields([
                    NestedField::optional(1, "site", Type::Primitive(PrimitiveType::String)).into(),
                    NestedField::optional(2, "at", Type::Primitive(PrimitiveType::Timestamp))
                        .into(),
                    NestedField::optional(3, "id", Type::Primitive(PrimitiveType::Long)).into(),
                ])
                .build()
                .unwrap(),
        );
        let mut spec = PartitionSpec::builder(Arc::clone(&schema));
        for (column, transform) in fields {
            spec = spec.add_partition_field(column, format!("{column}_part"), *transform).unwrap();
        }
        (Arc::new(spec.build().unwrap()), schema)
    }

    fn rows(sites: &[Option<&str>], months: &[i64]) -> RecordBatch {
        let at = months.iter().map(|month| month * 31 * 86_400_000_000).collect::<Vec<_>>();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("site", Arc::new(StringArray::from(sites.to_vec()))),
            ("at", Arc::new(TimestampMicrosecondArray::from(at))),
            ("id", Arc::new(Int64Array::from_iter_values(0..sites.len() as i64))),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)))
            .unwrap()
    }

    #[test]
    fn rows_of_equal_values_share_a_partition_across_batches() {
        let (spec, schema) = bound(&[("site", Transform::Identity), ("at", Transform::Month)]);
        let mut partitioner = Partitioner::new(&spec, &schema).unwrap();
        let first = rows(&[Some("a"), Some("b"), Some("a"), None], &[0, 0, 0, 0]);
        assert_eq!(partitioner.numbers(&first).unwrap(), [0, 1, 0, 2]);
        let second = rows(&[None, Some("a"), Some("a")], &[0, 2, 0]);
        assert_eq!(partitioner.numbers(&second).unwrap(), [2, 3, 0]);
        let folders: Vec<String> = partitioner
            .values()
            .iter()
            .map(|value| folder(&spec, &schema, value).unwrap())
            .collect();
        assert_eq!(folders[0], "site_part=a/at_part=1970-01");
        assert_eq!(folders[2], "site_part=null/at_part=1970-01");
        assert_eq!(folders[3], "site_part=a/at_part=1970-03");
    }

    #[test]
    fn an_unpartitioned_table_has_one_partition_and_no_folder() {
        let (spec, schema) = bound(&[]);
        let mut partitioner = Partitioner::new(&spec, &schema).unwrap();
        assert_eq!(partitioner.numbers(&rows(&[None, None], &[0, 1])).unwrap(), [0, 0]);
        assert_eq!(folder(&spec, &schema, &partitioner.values()[0]).unwrap(), "");
    }

    #[test]
    fn a_field_of_a_struct_partitions_and_is_null_where_the_struct_is() {
        let state = NestedField::required(3, "state", Type::Primitive(PrimitiveType::String));
        let address = Type::Struct(StructType::new(vec![Arc::new(state)]));
        let tags = Type::List(ListType::new(Arc::new(NestedField::list_element(
            4,
            Type::Primitive(PrimitiveType::String),
            true,
        ))));
        let fields = vec![
            Arc::new(NestedField::optional(1, "address", address)),
            Arc::new(NestedField::optional(2, "tags", tags)),
        ];
        assert_eq!(struct_path(&fields, 3), Some(vec![0, 0]));
        assert_eq!(struct_path(&fields, 4), None, "several in a row");
        let states: ArrayRef = Arc::new(StringArray::from(vec!["by", "he"]));
        let parts = vec![Field::new("state", DataType::Utf8, false)];
        let nulls = Some(NullBuffer::from(vec![true, false]));
        let address: ArrayRef = Arc::new(StructArray::new(parts.into(), vec![states], nulls));
        let batch = RecordBatch::try_from_iter_with_nullable([("address", address, true)]).unwrap();
        let values = part(&batch, &[0, 0]).unwrap();
        assert_eq!((values.is_null(0), values.is_null(1)), (false, true));
    }

    #[test]
    fn a_value_cannot_leave_its_folder() {
        let (spec, schema) = bound(&[("site", Transform::Identity)]);
        let value = Struct::from_iter([Some(Literal::string("../é/ x"))]);
        let path = folder(&spec, &schema, &value).unwrap();
        assert_eq!(path, "site_part=..%2F%C3%A9%2F%20x");
    }
}
