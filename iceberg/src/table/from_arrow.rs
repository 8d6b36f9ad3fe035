//! Arrow types as Iceberg's.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use iceberg::spec::{ListType, MapType, NestedField, PrimitiveType, StructType, Type};

use crate::{Error, ErrorKind, Result};

const MAX_DECIMAL_PRECISION: u8 = 38;

/// The metadata of an arrow field that holds what the field means.
pub(crate) const FIELD_DOC: &str = "northstar.doc";

/// New field ids, one after the other.
#[derive(Debug)]
pub struct FieldIds {
    last: i32,
}

impl FieldIds {
    /// The ids after this one.
    pub fn after(last: i32) -> Self {
        Self { last }
    }

    /// The next id.
    pub fn next_id(&mut self) -> i32 {
        self.last += 1;
        self.last
    }

    /// The last id that was given.
    pub fn last(&self) -> i32 {
        self.last
    }
}

/// The narrowest Iceberg type that holds every value of an arrow type. Nested fields are numbered
/// from 1: what is compared or shown needs no more.
///
/// # Errors
/// As [`iceberg_type_with`].
pub fn iceberg_type(arrow: &DataType) -> Result<Type> {
    iceberg_type_with(arrow, &mut FieldIds::after(0))
}

/// The narrowest Iceberg type that holds every value of an arrow type, whose nested fields get `ids`.
///
/// Zones of timestamps become UTC; 16 bytes of fixed width stay `fixed[16]`, since arrow does not say
/// that they are a UUID.
///
/// # Errors
/// `Unsupported` for a type that would lose values (nanoseconds, unsigned 64-bit) or has no
/// counterpart, saying what to cast to where something fits.
pub fn iceberg_type_with(arrow: &DataType, ids: &mut FieldIds) -> Result<Type> {
    Ok(match arrow {
        DataType::Struct(fields) if !fields.is_empty() => {
            // All fields of one level are numbered before what is in them, as Iceberg does.
            let numbered: Vec<i32> = fields.iter().map(|_| ids.next_id()).collect();
            let fields = fields.iter().zip(numbered).map(|(field, id)| {
                let kind = iceberg_type_with(field.data_type(), ids)
                    .map_err(|error| error.with_context("field", field.name()))?;
                Ok(nested(NestedField::new(id, field.name(), kind, !field.is_nullable()), field))
            });
            Type::Struct(StructType::new(fields.collect::<Result<_>>()?))
        }
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::ListView(element)
        | DataType::LargeListView(element)
        | DataType::FixedSizeList(element, _) => {
            let id = ids.next_id();
            let kind = iceberg_type_with(element.data_type(), ids)?;
            let field = NestedField::list_element(id, kind, !element.is_nullable());
            Type::List(ListType::new(nested(field, element)))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(pair) = entries.data_type() else {
                return Err(unsupported(arrow, ""));
            };
            let [key, value] = pair.as_ref() else { return Err(unsupported(arrow, "")) };
            let (key_id, value_id) = (ids.next_id(), ids.next_id());
            let of_key = iceberg_type_with(key.data_type(), ids)?;
            let of_value = iceberg_type_with(value.data_type(), ids)?;
            Type::Map(MapType::new(
                nested(NestedField::map_key_element(key_id, of_key), key),
                nested(
                    NestedField::map_value_element(value_id, of_value, !value.is_nullable()),
                    value,
                ),
            ))
        }
        DataType::Dictionary(_, values) => iceberg_type_with(values, ids)?,
        primitive => Type::Primitive(iceberg_primitive(primitive)?),
    })
}

fn nested(mut field: NestedField, arrow: &Field) -> Arc<NestedField> {
    field.doc = arrow.metadata().get(FIELD_DOC).cloned();
    Arc::new(field)
}

fn unsupported(arrow: &DataType, advice: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("arrow type {arrow} has no Iceberg counterpart{advice}"),
    )
}

fn iceberg_primitive(arrow: &DataType) -> Result<PrimitiveType> {
    let unsupported = |advice: &str| unsupported(arrow, advice);
    Ok(match arrow {
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
        _ => return Err(unsupported("")),
    })
}

/// A type as SQL writes it: `struct<street: string, n: int>`, `list<string>`, `map<string, int>`.
pub(crate) fn type_text(kind: &Type) -> String {
    match kind {
        Type::Primitive(primitive) => primitive.to_string(),
        Type::Struct(of) => {
            let fields = of.fields().iter().map(|field| {
                let null = if field.required { " not null" } else { "" };
                format!("{}: {}{null}", field.name, type_text(&field.field_type))
            });
            format!("struct<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        Type::List(of) => format!("list<{}>", type_text(&of.element_field.field_type)),
        Type::Map(of) => format!(
            "map<{}, {}>",
            type_text(&of.key_field.field_type),
            type_text(&of.value_field.field_type)
        ),
    }
}

/// An arrow type as [`type_text`] writes its counterpart.
pub(crate) fn arrow_text(arrow: &DataType) -> String {
    iceberg_type(arrow).map_or_else(|_| arrow.to_string(), |kind| type_text(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::schema::arrow_type;

    #[test]
    fn arrow_types_that_would_lose_values_are_refused() {
        let lossy = [
            DataType::UInt64,
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::Time64(TimeUnit::Nanosecond),
            DataType::Decimal256(50, 2),
            DataType::Decimal128(10, -2),
            DataType::Null,
            DataType::Struct(Vec::<Field>::new().into()),
        ];
        for arrow in lossy {
            let within = DataType::new_list(arrow.clone(), true);
            for arrow in [arrow, within] {
                let error = iceberg_type(&arrow).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{arrow}");
            }
        }
        let dictionary =
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8View));
        assert_eq!(iceberg_type(&dictionary).unwrap(), Type::Primitive(PrimitiveType::String));
    }

    #[test]
    fn nested_types_are_numbered_level_by_level_and_come_back() {
        let pair = DataType::Struct(
            vec![
                Field::new("x", DataType::new_list(DataType::Int64, false), true),
                Field::new("y", DataType::Utf8, false),
            ]
            .into(),
        );
        let mut ids = FieldIds::after(40);
        let kind = iceberg_type_with(&pair, &mut ids).unwrap();
        assert_eq!(ids.last(), 43);
        let Type::Struct(of) = &kind else { panic!("{kind}") };
        assert_eq!(of.fields().iter().map(|field| field.id).collect::<Vec<_>>(), [41, 42]);
        assert_eq!(type_text(&kind), "struct<x: list<long>, y: string not null>");
        let arrow = arrow_type(&kind).unwrap();
        assert_eq!(iceberg_type_with(&arrow, &mut FieldIds::after(40)).unwrap(), kind);
    }
}
