//! Ids, bounds and partitions as text that people read, with PHI masked.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::util::display::array_value_to_string;
use iceberg::spec::{
    Datum, Literal, PartitionSpec, PrimitiveLiteral, PrimitiveType, Struct, TableMetadataRef,
    Transform, Type,
};
use uuid::Uuid;

use super::phi::tagged;
use crate::scan::scalar;
use crate::table::schema::arrow_type;
use crate::write::partition::readable_period;

/// What stands in the place of a value of a column that is tagged as PHI.
pub const MASK: &str = "(masked)";

/// The columns of position-delete files, whose ids the specification reserves.
///
/// Source: <https://iceberg.apache.org/spec/#reserved-field-ids>
const RESERVED: [(i32, &str); 2] = [(i32::MAX - 101, "file_path"), (i32::MAX - 102, "pos")];

/// What is needed to read a table's ids and values.
#[derive(Debug)]
pub(crate) struct Description {
    metadata: TableMetadataRef,
    names: HashMap<i32, String>,
    masked: HashSet<i32>,
}

impl Description {
    pub(crate) fn new(metadata: TableMetadataRef) -> Self {
        // The newest name of a column counts, those of dropped ones are kept.
        let mut names: HashMap<i32, String> =
            RESERVED.iter().map(|(id, name)| (*id, (*name).to_string())).collect();
        let mut schemas: Vec<_> = metadata.schemas_iter().collect();
        schemas.sort_by_key(|schema| {
            (schema.schema_id() == metadata.current_schema_id(), schema.schema_id())
        });
        for schema in schemas {
            let named = schema.field_id_to_name_map().iter();
            names.extend(named.map(|(id, name)| (*id, name.clone())));
        }
        let masked = tagged(&metadata);
        Self { metadata, names, masked }
    }

    pub(super) fn metadata(&self) -> &TableMetadataRef {
        &self.metadata
    }

    /// Counts by column: `{"id": 3}`. NULL if there are none.
    pub(super) fn counts(&self, counts: &HashMap<i32, u64>) -> Option<String> {
        self.by_column(counts, u64::to_string)
    }

    /// Bounds by column: `{"id": "1"}`. NULL if there are none.
    pub(super) fn bounds(&self, bounds: &HashMap<i32, Datum>) -> Option<String> {
        let known = bounds.iter().map(|(id, bound)| (*id, (*id, bound))).collect();
        self.by_column(&known, |(id, bound)| {
            let value = || value_text(bound.literal(), bound.data_type());
            json(if self.masked.contains(id) { MASK.to_string() } else { value() }.as_str())
        })
    }

    /// One bound of a column.
    pub(crate) fn bound(&self, column_id: i32, bound: &Datum) -> String {
        match self.masked.contains(&column_id) {
            true => MASK.to_string(),
            false => value_text(bound.literal(), bound.data_type()),
        }
    }

    fn by_column<T>(&self, map: &HashMap<i32, T>, value: impl Fn(&T) -> String) -> Option<String> {
        let sorted: BTreeMap<i32, &T> = map.iter().map(|(id, value)| (*id, value)).collect();
        let fields = sorted.into_iter().map(|(id, item)| {
            let name = self.names.get(&id).cloned().unwrap_or_else(|| id.to_string());
            (name, value(item))
        });
        (!map.is_empty()).then(|| object(fields))
    }

    /// The names of columns: `["id", "site"]`.
    pub(super) fn columns(&self, ids: &[i32]) -> String {
        let names = ids.iter().map(|id| match self.names.get(id) {
            Some(name) => json(name),
            None => json(&id.to_string()),
        });
        format!("[{}]", names.collect::<Vec<_>>().join(", "))
    }

    /// A partition: `{"site": "north", "at_month": "2024-01"}`, `{}` for an unpartitioned file.
    pub(crate) fn partition(&self, spec: &PartitionSpec, values: &Struct) -> String {
        let fields = spec.fields().iter().zip(values.iter()).map(|(field, value)| {
            let value = match value {
                Some(Literal::Primitive(value)) => {
                    Some(self.partition_value(spec, field.field_id, value))
                }
                _ => None,
            };
            (field.name.clone(), value.map_or_else(|| "null".to_string(), |text| json(&text)))
        });
        object(fields)
    }

    /// The value of a partition field.
    fn partition_value(
        &self,
        spec: &PartitionSpec,
        field: i32,
        value: &PrimitiveLiteral,
    ) -> String {
        let Some(field) = spec.fields().iter().find(|one| one.field_id == field) else {
            return MASK.to_string();
        };
        if self.masked.contains(&field.source_id) {
            return MASK.to_string();
        }
        readable_period(field.transform, value).unwrap_or_else(|| {
            value_text(value, &self.partition_type(field.source_id, field.transform))
        })
    }

    /// The value of a partition field as a manifest list has it, in bytes.
    pub(super) fn partition_bound(
        &self,
        spec: &PartitionSpec,
        place: usize,
        bytes: &[u8],
    ) -> Option<String> {
        let field = spec.fields().get(place)?;
        let kind = self.partition_type(field.source_id, field.transform);
        let bound = Datum::try_from_bytes(bytes, kind).ok()?;
        Some(self.partition_value(spec, field.field_id, bound.literal()))
    }

    fn partition_type(&self, source_id: i32, transform: Transform) -> PrimitiveType {
        let schemas = std::iter::once(self.metadata.current_schema());
        let source = schemas
            .chain(self.metadata.schemas_iter())
            .find_map(|schema| schema.field_by_id(source_id));
        let result = source.and_then(|field| transform.result_type(&field.field_type).ok());
        match result {
            Some(Type::Primitive(kind)) => kind,
            _ => PrimitiveType::Binary,
        }
    }
}

/// A value as text. What does not fit its type is not shown.
fn value_text(value: &PrimitiveLiteral, kind: &PrimitiveType) -> String {
    match value {
        PrimitiveLiteral::UInt128(value) => return Uuid::from_u128(*value).to_string(),
        PrimitiveLiteral::Binary(bytes) => {
            return bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        _ => {}
    }
    let arrow = arrow_type(&Type::Primitive(kind.clone())).ok();
    arrow
        .and_then(|arrow| scalar(value, &arrow))
        .and_then(|value| value.to_array().ok())
        .and_then(|array| array_value_to_string(&array, 0).ok())
        .unwrap_or_else(|| "?".to_string())
}

/// A JSON object of names and of values that are JSON already.
pub(super) fn object(fields: impl IntoIterator<Item = (String, String)>) -> String {
    let fields: Vec<String> =
        fields.into_iter().map(|(name, value)| format!("{}: {value}", json(&name))).collect();
    format!("{{{}}}", fields.join(", "))
}

/// A text as JSON.
pub(super) fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_sql_shows_them() {
        let text = |datum: Datum| value_text(datum.literal(), datum.data_type());
        assert_eq!(text(Datum::date(0)), "1970-01-01");
        assert_eq!(text(Datum::timestamp_micros(1)), "1970-01-01T00:00:00.000001");
        assert_eq!(text(Datum::timestamptz_micros(0)), "1970-01-01T00:00:00Z");
        assert_eq!(text(Datum::string("a \"b\"")), "a \"b\"");
        assert_eq!(text(Datum::binary([0, 255])), "00ff");
        assert_eq!(value_text(&PrimitiveLiteral::Long(1), &PrimitiveType::Boolean), "?");
    }

    #[test]
    fn objects_are_json() {
        let fields = [("a\"".to_string(), "1".to_string()), ("b".to_string(), json("x\n"))];
        let text = object(fields);
        assert_eq!(text, r#"{"a\"": 1, "b": "x\n"}"#);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}
