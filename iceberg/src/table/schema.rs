//! Schemas between Iceberg and arrow.
//!
//! Each arrow field carries its Iceberg id, by which files are read and written: names and order may
//! change, ids do not.
//!
//! Source: <https://iceberg.apache.org/spec/#parquet> (types and field ids)

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit};
use iceberg::spec::{PrimitiveType, Schema, Type};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::{Error, ErrorKind, Result};

/// The zone of every `timestamptz` column. Iceberg keeps instants, not zones.
pub const UTC: &str = "+00:00";

const UUID_BYTES: i32 = 16;
const MAX_DECIMAL_PRECISION: u8 = 38;

/// The arrow schema of an Iceberg schema: one field per column, in order, each with its
/// `PARQUET:field_id`.
///
/// # Errors
/// `Unsupported` for a nested column or a type of format version 3, naming the column.
pub fn arrow_schema(schema: &Schema) -> Result<SchemaRef> {
    let fields = schema.as_struct().fields().iter().map(|column| {
        let data_type =
            arrow_type(&column.field_type).map_err(|e| e.with_context("column", &column.name))?;
        Ok(with_field_id(Field::new(&column.name, data_type, !column.required), column.id))
    });
    Ok(Arc::new(ArrowSchema::new(fields.collect::<Result<Vec<_>>>()?)))
}

/// The arrow type that columns of an Iceberg type are read as and written from.
///
/// # Errors
/// `Unsupported` for nested types and types of format version 3.
pub fn arrow_type(column: &Type) -> Result<DataType> {
    let unsupported = || {
        Error::new(
            ErrorKind::Unsupported,
            format!("type {column} is not supported, flatten or drop the column"),
        )
    };
    let Type::Primitive(primitive) = column else {
        return Err(unsupported());
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

/// The narrowest Iceberg type that holds every value of an arrow type.
///
/// Zones of timestamps become UTC; 16 bytes of fixed width stay `fixed[16]`, since arrow does not say
/// that they are a UUID.
///
/// # Errors
/// `Unsupported` for a type that would lose values (nanoseconds, unsigned 64-bit) or has no
/// counterpart, saying what to cast to where something fits.
pub fn iceberg_type(arrow: &DataType) -> Result<Type> {
    let unsupported = |advice: &str| {
        Error::new(
            ErrorKind::Unsupported,
            format!("arrow type {arrow} has no Iceberg counterpart{advice}"),
        )
    };
    let primitive = match arrow {
        DataType::Boolean => PrimitiveType::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            PrimitiveType::Int
        }
        DataType::Int64 | DataType::UInt32 => PrimitiveType::Long,
        DataType::UInt64 => return Err(unsupported(", cast to bigint or decimal(20, 0)")),
        DataType::Float16 | DataType::Float32 => PrimitiveType::Float,
        DataType::Float64 => PrimitiveType::Double,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            let fits =
                *precision <= MAX_DECIMAL_PRECISION && i16::from(*scale) <= i16::from(*precision);
            let scale = u32::try_from(*scale).ok().filter(|_| fits);
            let scale = scale.ok_or_else(|| unsupported(", cast to at most decimal(38, s)"))?;
            PrimitiveType::Decimal { precision: u32::from(*precision), scale }
        }
        DataType::Date32 => PrimitiveType::Date,
        DataType::Time32(_) | DataType::Time64(TimeUnit::Microsecond) => PrimitiveType::Time,
        DataType::Timestamp(TimeUnit::Nanosecond, _) | DataType::Time64(_) => {
            return Err(unsupported(", cast to microseconds"));
        }
        DataType::Timestamp(_, None) => PrimitiveType::Timestamp,
        DataType::Timestamp(_, Some(_)) => PrimitiveType::Timestamptz,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => PrimitiveType::String,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => PrimitiveType::Binary,
        DataType::FixedSizeBinary(bytes) => {
            PrimitiveType::Fixed(u64::try_from(*bytes).map_err(|_| unsupported(""))?)
        }
        DataType::Dictionary(_, values) => return iceberg_type(values),
        _ => return Err(unsupported("")),
    };
    Ok(Type::Primitive(primitive))
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
    use iceberg::spec::{ListType, NestedField};

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
    fn a_nested_column_is_refused_by_name() {
        let element =
            Arc::new(NestedField::list_element(9, Type::Primitive(PrimitiveType::Int), true));
        let list = Type::List(ListType::new(element));
        let error =
            arrow_schema(&schema(vec![Type::Primitive(PrimitiveType::Int), list])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.context("column"), Some("c2"));
    }

    #[test]
    fn arrow_types_that_would_lose_values_are_refused() {
        let lossy = [
            DataType::UInt64,
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Decimal256(50, 2),
            DataType::Decimal128(10, -2),
            DataType::Null,
        ];
        for arrow in lossy {
            assert_eq!(iceberg_type(&arrow).unwrap_err().kind(), ErrorKind::Unsupported, "{arrow}");
        }
        let dictionary =
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8View));
        assert_eq!(iceberg_type(&dictionary).unwrap(), Type::Primitive(PrimitiveType::String));
    }
}
