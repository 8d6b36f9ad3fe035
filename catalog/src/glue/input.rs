//! An Iceberg table as Glue's `TableInput`.

use iceberg::spec::TableMetadata;

use super::columns::columns;
use super::model::{Parameters, StorageDescriptor, TableInput};
use crate::{Pointer, TableName};

/// The parameter that names a table's current metadata file.
pub const METADATA_LOCATION: &str = "metadata_location";

/// The parameter that names the one before it.
pub const PREVIOUS_METADATA_LOCATION: &str = "previous_metadata_location";

/// The parameter of an entry that a rename has retired: the table that it has become.
pub(crate) const RENAMED_TO: &str = "northstar.renamed-to";

/// The parameter that says what a table is, and its value for Iceberg. Others write the value in lower
/// case too.
pub(crate) const TABLE_TYPE: &str = "table_type";
const ICEBERG: &str = "ICEBERG";

/// What Glue calls a table whose files it does not own.
const EXTERNAL: &str = "EXTERNAL_TABLE";

/// Glue takes a description of at most so many bytes.
const MOST_DESCRIPTION_BYTES: usize = 2_048;

/// The table property that Iceberg shows as the description.
const COMMENT: &str = "comment";

/// Whether Glue's entry is of an Iceberg table.
pub fn is_iceberg(table: &TableInput) -> bool {
    let kind = table.parameters.as_ref().and_then(|parameters| parameters.get(TABLE_TYPE));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(ICEBERG))
}

/// The pointer in Glue's entry of an Iceberg table; `None` for other tables, and if there is none.
pub fn pointer_of(table: &TableInput) -> Option<Pointer> {
    let parameters = table.parameters.as_ref().filter(|_| is_iceberg(table))?;
    Some(Pointer {
        metadata_location: parameters.get(METADATA_LOCATION)?.clone(),
        previous_metadata_location: parameters.get(PREVIOUS_METADATA_LOCATION).cloned(),
    })
}

/// What Glue is told of an Iceberg table at a pointer. Of the entry that is there, if any, what other
/// programs have put into it stays: parameters, owner, retention and the like.
pub fn table_input(
    table: &TableName,
    pointer: &Pointer,
    metadata: &TableMetadata,
    there: Option<&TableInput>,
) -> TableInput {
    let there = there.cloned().unwrap_or_default();
    let mut parameters: Parameters = there.parameters.unwrap_or_default();
    parameters.insert(TABLE_TYPE.to_string(), ICEBERG.to_string());
    parameters.insert(METADATA_LOCATION.to_string(), pointer.metadata_location.clone());
    match &pointer.previous_metadata_location {
        Some(previous) => {
            parameters.insert(PREVIOUS_METADATA_LOCATION.to_string(), previous.clone())
        }
        None => parameters.remove(PREVIOUS_METADATA_LOCATION),
    };
    let comment = metadata.properties().get(COMMENT);
    TableInput {
        name: table.table().to_string(),
        description: comment.map(|comment| cut(comment).to_string()).or(there.description),
        table_type: Some(EXTERNAL.to_string()),
        storage_descriptor: Some(StorageDescriptor {
            columns: Some(columns(metadata)),
            location: Some(metadata.location().to_string()),
            ..there.storage_descriptor.unwrap_or_default()
        }),
        parameters: Some(parameters),
        ..there
    }
}

/// The beginning of a text that fits a description.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(MOST_DESCRIPTION_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use iceberg::spec::{
        FormatVersion, ListType, MapType, NestedField, PrimitiveType, Schema, SortOrder,
        StructType, TableMetadataBuilder, Type, UnboundPartitionSpec,
    };

    use super::*;
    use crate::glue::type_text;

    fn field(id: i32, name: &str, kind: Type) -> Arc<NestedField> {
        Arc::new(NestedField::optional(id, name, kind))
    }

    fn schema(fields: Vec<Arc<NestedField>>) -> Schema {
        Schema::builder().with_fields(fields).build().unwrap()
    }

    /// A table that had a column `old` and has another.
    fn lived() -> TableMetadata {
        let long = || Type::Primitive(PrimitiveType::Long);
        let id = Arc::new(NestedField::required(1, "id", long()).with_doc("the key"));
        let first = schema(vec![Arc::clone(&id), field(2, "old", long())]);
        let builder = TableMetadataBuilder::new(
            first,
            UnboundPartitionSpec::default(),
            SortOrder::unsorted_order(),
            "file:///lake/bronze/lab".to_string(),
            FormatVersion::V2,
            HashMap::from([("comment".to_string(), "é".repeat(2_000))]),
        );
        let at = Type::Primitive(PrimitiveType::Timestamptz);
        let second = schema(vec![id, field(3, "at", at)]);
        builder.unwrap().add_current_schema(second).unwrap().build().unwrap().metadata
    }

    fn pointer(now: &str, before: Option<&str>) -> Pointer {
        Pointer {
            metadata_location: now.to_string(),
            previous_metadata_location: before.map(str::to_string),
        }
    }

    #[test]
    fn each_type_has_hives_name() {
        let primitive = |kind| Type::Primitive(kind);
        for (kind, text) in [
            (PrimitiveType::Boolean, "boolean"),
            (PrimitiveType::Long, "bigint"),
            (PrimitiveType::Timestamptz, "timestamp"),
            (PrimitiveType::Time, "string"),
            (PrimitiveType::Fixed(16), "binary"),
            (PrimitiveType::Decimal { precision: 19, scale: 4 }, "decimal(19,4)"),
        ] {
            assert_eq!(type_text(&primitive(kind)), text);
        }
        let part = StructType::new(vec![field(5, "zip", primitive(PrimitiveType::String))]);
        let list = Type::List(ListType { element_field: field(6, "element", Type::Struct(part)) });
        let key = Arc::new(NestedField::map_key_element(7, primitive(PrimitiveType::Int)));
        let map = Type::Map(MapType { key_field: key, value_field: field(8, "value", list) });
        assert_eq!(type_text(&map), "map<int,array<struct<zip:string>>>");
    }

    #[test]
    fn columns_of_earlier_schemas_follow_and_are_marked() {
        let columns = columns(&lived());
        let said = |column: &crate::glue::Column, key: &str| {
            column.parameters.as_ref().unwrap()[&format!("iceberg.field.{key}")].clone()
        };
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["id", "at", "old"]);
        let all = |key: &str| -> Vec<String> { columns.iter().map(|c| said(c, key)).collect() };
        assert_eq!(all("id"), ["1", "3", "2"]);
        assert_eq!(all("optional"), ["false", "true", "true"]);
        assert_eq!(all("current"), ["true", "true", "false"]);
        assert_eq!(columns[0].comment.as_deref(), Some("the key"));
    }

    #[test]
    fn what_others_put_into_an_entry_stays() {
        let there: TableInput = serde_json::from_str(
            r#"{"Name": "lab", "Owner": "lake", "Retention": 7, "Description": "theirs",
                "Parameters": {"classification": "parquet", "table_type": "iceberg",
                               "metadata_location": "m1", "previous_metadata_location": "m0"},
                "StorageDescriptor": {"Location": "elsewhere", "AdditionalLocations": ["b"]},
                "Unknown": {"is": "left out"}}"#,
        )
        .unwrap();
        assert!(is_iceberg(&there));
        assert_eq!(pointer_of(&there), Some(pointer("m1", Some("m0"))));
        let name: TableName = "bronze.lab".parse().unwrap();
        let input = table_input(&name, &pointer("m2", Some("m1")), &lived(), Some(&there));
        assert_eq!(pointer_of(&input), Some(pointer("m2", Some("m1"))));
        assert_eq!((input.owner.as_deref(), input.retention), (Some("lake"), Some(7)));
        assert_eq!(input.parameters.as_ref().unwrap()["classification"], "parquet");
        let stored = input.storage_descriptor.as_ref().unwrap();
        assert_eq!(stored.location.as_deref(), Some("file:///lake/bronze/lab"));
        assert_eq!(stored.additional_locations.as_deref(), Some(["b".to_string()].as_slice()));
        assert_eq!(input.description.as_deref(), Some("é".repeat(1_024).as_str()));
        let first = table_input(&name, &pointer("m0", None), &lived(), None);
        assert_eq!(pointer_of(&first), Some(pointer("m0", None)));
        let text = serde_json::to_string(&first).unwrap();
        assert!(text.contains(r#""Type":"bigint""#) && !text.contains("null"), "{text}");
        assert_eq!(serde_json::from_str::<TableInput>(&text).unwrap(), first);
    }

    #[test]
    fn other_tables_have_no_pointer() {
        for text in [
            r#"{"Name": "v", "TableType": "VIRTUAL_VIEW", "Parameters": {"metadata_location": "m"}}"#,
            r#"{"Name": "t", "Parameters": {"table_type": "ICEBERG"}}"#,
            r#"{"Name": "t"}"#,
        ] {
            assert_eq!(pointer_of(&serde_json::from_str(text).unwrap()), None, "{text}");
        }
    }
}
