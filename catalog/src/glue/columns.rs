//! A table's columns as Glue shows them.

use std::collections::HashSet;

use iceberg::spec::{NestedField, PrimitiveType, TableMetadata, Type};

use super::model::{Column, Parameters};

/// A column's field id in Iceberg.
const FIELD_ID: &str = "iceberg.field.id";

/// Whether it may be NULL.
const FIELD_OPTIONAL: &str = "iceberg.field.optional";

/// Whether the current schema has it.
const FIELD_CURRENT: &str = "iceberg.field.current";

/// A table's columns: those of the current schema in order, then those that only earlier schemas have,
/// newest schema first; of equal names the first counts.
pub fn columns(metadata: &TableMetadata) -> Vec<Column> {
    let current = metadata.current_schema();
    let mut earlier: Vec<_> = metadata
        .schemas_iter()
        .filter(|schema| schema.schema_id() != current.schema_id())
        .collect();
    earlier.sort_by_key(|schema| std::cmp::Reverse(schema.schema_id()));
    let mut names = HashSet::new();
    let mut columns = Vec::new();
    for (schema, is_current) in
        [(current, true)].into_iter().chain(earlier.into_iter().map(|schema| (schema, false)))
    {
        for field in schema.as_struct().fields() {
            if names.insert(field.name.as_str()) {
                columns.push(column(field, is_current));
            }
        }
    }
    columns
}

fn column(field: &NestedField, is_current: bool) -> Column {
    let said = [
        (FIELD_ID, field.id.to_string()),
        (FIELD_OPTIONAL, (!field.required).to_string()),
        (FIELD_CURRENT, is_current.to_string()),
    ];
    Column {
        name: field.name.clone(),
        kind: Some(type_text(&field.field_type)),
        comment: field.doc.clone().filter(|doc| !doc.is_empty()),
        parameters: Some(
            said.into_iter().map(|(key, text)| (key.to_string(), text)).collect::<Parameters>(),
        ),
    }
}

/// A type as Hive writes it. What Hive does not have is what comes nearest: `string` for times and UUIDs,
/// `timestamp` with and without a zone.
pub fn type_text(kind: &Type) -> String {
    match kind {
        Type::Primitive(kind) => primitive(kind),
        Type::Struct(kind) => {
            let fields = kind.fields().iter();
            let fields =
                fields.map(|field| format!("{}:{}", field.name, type_text(&field.field_type)));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
        }
        Type::List(kind) => format!("array<{}>", type_text(&kind.element_field.field_type)),
        Type::Map(kind) => format!(
            "map<{},{}>",
            type_text(&kind.key_field.field_type),
            type_text(&kind.value_field.field_type)
        ),
    }
}

fn primitive(kind: &PrimitiveType) -> String {
    match kind {
        PrimitiveType::Boolean => "boolean",
        PrimitiveType::Int => "int",
        PrimitiveType::Long => "bigint",
        PrimitiveType::Float => "float",
        PrimitiveType::Double => "double",
        PrimitiveType::Date => "date",
        PrimitiveType::Timestamp
        | PrimitiveType::Timestamptz
        | PrimitiveType::TimestampNs
        | PrimitiveType::TimestamptzNs => "timestamp",
        PrimitiveType::Time | PrimitiveType::String | PrimitiveType::Uuid => "string",
        PrimitiveType::Fixed(_) | PrimitiveType::Binary => "binary",
        PrimitiveType::Decimal { precision, scale } => {
            return format!("decimal({precision},{scale})");
        }
    }
    .to_string()
}
