//! Schemas between Iceberg and arrow.
//!
//! Each arrow field carries its Iceberg id, by which files are read and written: names and order may
//! change, ids do not.
//!
//! Source: <https://iceberg.apache.org/spec/#parquet> (types and field ids)

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit,
};
use iceberg::spec::{NestedField, PrimitiveType, Schema, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

pub use super::from_arrow::{FieldIds, iceberg_type, iceberg_type_with};
use crate::{Error, ErrorKind, Result};

/// The zone of every `timestamptz` column. Iceberg keeps instants, not zones.
pub const UTC: &str = "+00:00";

const UUID_BYTES: i32 = 16;

/// What the child of a list is called.
pub(crate) const LIST_ELEMENT: &str = "element";
/// What the pairs of a map are called, and the parts of a pair.
pub(crate) const MAP_ENTRIES: &str = "key_value";
pub(crate) const MAP_KEY: &str = "key";
pub(crate) const MAP_VALUE: &str = "value";

/// The arrow schema of an Iceberg schema: one field per column, in order. Fields carry their
/// `PARQUET:field_id`, those within structs, lists and maps too.
///
/// # Errors
/// `Unsupported` for a type of format version 3, naming the column.
pub fn arrow_schema(schema: &Schema) -> Result<SchemaRef> {
    let fields = schema.as_struct().fields().iter().map(|column| {
        arrow_field(&column.name, column)
            .map_err(|error| error.with_context("column", &column.name))
    });
    Ok(Arc::new(ArrowSchema::new(fields.collect::<Result<Vec<_>>>()?)))
}

/// The same as queries see it: what is in a nested column may be NULL, even where it is required,
/// since what it is in may be. DataFusion asks a field only whether it may be NULL itself, and would
/// take `a.b.c IS NULL` for never true.
///
/// # Errors
/// As [`arrow_schema`].
pub fn query_schema(schema: &Schema) -> Result<SchemaRef> {
    let strict = arrow_schema(schema)?;
    let fields = strict
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_data_type(optional_within(field.data_type())));
    Ok(Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>())))
}

/// The type, with all that is in it optional but the keys of maps.
fn optional_within(data_type: &DataType) -> DataType {
    let optional = |field: &FieldRef| {
        let kind = optional_within(field.data_type());
        Arc::new(field.as_ref().clone().with_data_type(kind).with_nullable(true))
    };
    match data_type {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(optional).collect()),
        DataType::List(element) => DataType::List(optional(element)),
        DataType::Map(entries, sorted) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let key = pair[0].as_ref().clone();
                let kind = optional_within(key.data_type());
                let value = optional(&pair[1]).as_ref().clone();
                DataType::Map(map_entries(key.with_data_type(kind), value), *sorted)
            }
            _ => data_type.clone(),
        },
        leaf => leaf.clone(),
    }
}

/// The arrow type that columns of an Iceberg type are read as and written from.
///
/// Children of lists are called `element`, those of maps `key` and `value` within `key_value`, as
/// Parquet names them.
///
/// # Errors
/// `Unsupported` for types of format version 3.
pub fn arrow_type(column: &Type) -> Result<DataType> {
    Ok(match column {
        Type::Primitive(primitive) => arrow_primitive(primitive)?,
        Type::Struct(of) => {
            let fields = of.fields().iter().map(|field| arrow_field(&field.name, field));
            DataType::Struct(fields.collect::<Result<Fields>>()?)
        }
        Type::List(of) => {
            DataType::List(Arc::new(arrow_field(LIST_ELEMENT, of.element_field.as_ref())?))
        }
        Type::Map(of) => {
            let key = arrow_field(MAP_KEY, of.key_field.as_ref())?.with_nullable(false);
            let value = arrow_field(MAP_VALUE, of.value_field.as_ref())?;
            DataType::Map(map_entries(key, value), false)
        }
    })
}

fn arrow_field(name: &str, field: &NestedField) -> Result<Field> {
    let data_type = arrow_type(&field.field_type)?;
    Ok(with_field_id(Field::new(name, data_type, !field.required), field.id))
}

/// The field of a map's pairs.
pub(crate) fn map_entries(key: Field, value: Field) -> FieldRef {
    Arc::new(Field::new(MAP_ENTRIES, DataType::Struct(vec![key, value].into()), false))
}

fn arrow_primitive(primitive: &PrimitiveType) -> Result<DataType> {
    let unsupported = || {
        Error::new(
            ErrorKind::Unsupported,
            format!("type {primitive} is not supported, drop the column"),
        )
    };
    Ok(match primitive {
        PrimitiveType::Boolean => DataType::Boolean,
        PrimitiveType::Int => DataType::Int32,
        PrimitiveType::Long => DataType::Int64,
        PrimitiveType::Float => DataType::Float32,
        PrimitiveType::Double => DataType::Float64,
        PrimitiveType::Decimal { precision, scale } => {
            let precision = u8::try_from(*precision).map_err(|_| unsupported())?;
            let scale = i8::try_from(*scale).map_err(|_| unsupported())?;
            DataType::Decimal128(precision, scale)
        }
        PrimitiveType::Date => DataType::Date32,
        PrimitiveType::Time => DataType::Time64(TimeUnit::Microsecond),
        PrimitiveType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        PrimitiveType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        PrimitiveType::String => DataType::Utf8,
        PrimitiveType::Uuid => DataType::FixedSizeBinary(UUID_BYTES),
        PrimitiveType::Fixed(bytes) => {
            DataType::FixedSizeBinary(i32::try_from(*bytes).map_err(|_| unsupported())?)
        }
        PrimitiveType::Binary => DataType::Binary,
        PrimitiveType::TimestampNs | PrimitiveType::TimestamptzNs => return Err(unsupported()),
    })
}

/// The type without the ids of what is in it, as people read it.
pub(crate) fn without_ids(data_type: &DataType) -> DataType {
    let plain = |field: &FieldRef| {
        let field = field.as_ref().clone();
        let kind = without_ids(field.data_type());
        Arc::new(field.with_data_type(kind).with_metadata(HashMap::new()))
    };
    match data_type {
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::List(element) => DataType::List(plain(element)),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries), *sorted),
        leaf => leaf.clone(),
    }
}

/// The Iceberg id of a field, if it carries one.
pub fn field_id(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

/// The field with an Iceberg id, in place of whatever metadata it had.
#[must_use]
pub fn with_field_id(field: Field, id: i32) -> Field {
    field.with_metadata(HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use iceberg::spec::{ListType, MapType, StructType};

    fn schema(types: Vec<Type>) -> Schema {
        let fields = types
            .into_iter()
            .zip(1..)
            .map(|(kind, id)| Arc::new(NestedField::new(id, format!("c{id}"), kind, id == 1)));
        Schema::builder().with_fields(fields).build().unwrap()
    }

    #[test]
    fn every_primitive_type_goes_to_arrow_and_back() {
        let types = [
            PrimitiveType::Boolean,
            PrimitiveType::Int,
            PrimitiveType::Long,
            PrimitiveType::Float,
            PrimitiveType::Double,
            PrimitiveType::Decimal { precision: 38, scale: 9 },
            PrimitiveType::Date,
            PrimitiveType::Time,
            PrimitiveType::Timestamp,
            PrimitiveType::Timestamptz,
            PrimitiveType::String,
            PrimitiveType::Fixed(7),
            PrimitiveType::Binary,
        ];
        let schema = schema(types.iter().cloned().map(Type::Primitive).collect());
        let arrow = arrow_schema(&schema).unwrap();
        for ((field, primitive), id) in arrow.fields().iter().zip(types).zip(1..) {
            assert_eq!(field_id(field), Some(id));
            assert_eq!(field.is_nullable(), id != 1, "only the first is required");
            assert_eq!(iceberg_type(field.data_type()).unwrap(), Type::Primitive(primitive));
        }
    }

    #[test]
    fn a_uuid_is_sixteen_bytes() {
        let arrow = arrow_type(&Type::Primitive(PrimitiveType::Uuid)).unwrap();
        assert_eq!(arrow, DataType::FixedSizeBinary(16));
    }

    #[test]
    fn nested_types_carry_ids_and_the_names_of_parquet() {
        let int = || Type::Primitive(PrimitiveType::Int);
        let part = Type::Struct(StructType::new(vec![
            Arc::new(NestedField::required(12, "a", int())),
            Arc::new(NestedField::optional(13, "b", int())),
        ]));
        let list = Type::List(ListType::new(Arc::new(NestedField::list_element(11, part, true))));
        let map = Type::Map(MapType::optional(21, int(), 22, list));
        let arrow = arrow_schema(&schema(vec![map])).unwrap();
        let DataType::Map(entries, false) = arrow.field(0).data_type() else { panic!("{arrow}") };
        assert_eq!((entries.name().as_str(), entries.is_nullable()), ("key_value", false));
        let DataType::Struct(pair) = entries.data_type() else { panic!("{arrow}") };
        let shown = |field: &Field| (field.name().clone(), field_id(field), field.is_nullable());
        assert_eq!(shown(&pair[0]), ("key".into(), Some(21), false));
        assert_eq!(shown(&pair[1]), ("value".into(), Some(22), true));
        let DataType::List(element) = pair[1].data_type() else { panic!("{arrow}") };
        assert_eq!(shown(element), ("element".into(), Some(11), false));
        let DataType::Struct(fields) = element.data_type() else { panic!("{arrow}") };
        assert_eq!(shown(&fields[0]), ("a".into(), Some(12), false));
        assert_eq!(shown(&fields[1]), ("b".into(), Some(13), true));
    }

    #[test]
    fn queries_see_all_that_is_nested_as_optional() {
        let int = || Type::Primitive(PrimitiveType::Int);
        let list = Type::List(ListType::new(Arc::new(NestedField::list_element(11, int(), true))));
        let part =
            Type::Struct(StructType::new(vec![Arc::new(NestedField::required(12, "a", list))]));
        let map = Type::Map(MapType::required(21, int(), 22, part));
        let schema = schema(vec![map]);
        let seen = query_schema(&schema).unwrap();
        assert!(!seen.field(0).is_nullable(), "the column itself is what it is");
        let shown = format!("{:?}", seen.field(0).data_type());
        assert_eq!(shown.matches("nullable: true").count(), 3, "value, a and element: {shown}");
        assert_eq!(shown.matches(PARQUET_FIELD_ID_META_KEY).count(), 4, "{shown}");
        assert_ne!(seen, arrow_schema(&schema).unwrap());
    }

    #[test]
    fn types_of_version_3_are_refused_wherever_they_stand() {
        let nanos = Type::Primitive(PrimitiveType::TimestampNs);
        let list = Type::List(ListType::new(Arc::new(NestedField::list_element(9, nanos, true))));
        let int = Type::Primitive(PrimitiveType::Int);
        let error = arrow_schema(&schema(vec![int, list])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.context("column"), Some("c2"));
    }
}
