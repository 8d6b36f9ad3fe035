//! Between the client's types and ours ([`crate::glue::TableInput`] and what is in it).
//!
//! Of a table that Glue has, all that a `TableInput` takes comes back as it was: what our model has no
//! field for is kept beside it, in [`Entry`]. Three kinds of things do not: what Glue itself says of a
//! table (who made it and when, its catalog, status, row filters, its reading of Iceberg's metadata),
//! which no request may set; a view's definition, for which [`Entry::is_view`] stands; and whether a
//! number or flag of Hive's was given as 0 or `false` or not given, which the client does not tell.

use aws_sdk_glue::error::BuildError;
use aws_sdk_glue::primitives::DateTime;
use aws_sdk_glue::types as sdk;

use crate::glue::{
    Column, Order, Parameters, SerDeInfo, SkewedInfo, StorageDescriptor, TableIdentifier,
    TableInput,
};

/// A table as Glue has it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What a client said of it.
    pub(super) input: TableInput,
    /// Its number, which each change gives it anew.
    pub(super) version_id: Option<String>,
    /// Whether Glue has a view under the name, be it one whose rows it keeps as an Iceberg table.
    pub(super) is_view: bool,
    beyond: Beyond,
}

/// What a client may say of a table and our model has no field for.
#[derive(Debug, Clone, Default)]
pub(super) struct Beyond {
    schema_reference: Option<sdk::SchemaReference>,
    federated_table: Option<sdk::FederatedTable>,
}

impl Entry {
    /// What the answer to GetTable or GetTables says.
    pub(super) fn of(table: sdk::Table) -> Self {
        let stored = table.storage_descriptor;
        let schema_reference = stored.as_ref().and_then(|stored| stored.schema_reference.clone());
        Self {
            version_id: table.version_id,
            is_view: table.view_definition.is_some() || table.is_materialized_view == Some(true),
            beyond: Beyond { schema_reference, federated_table: table.federated_table },
            input: TableInput {
                name: table.name,
                description: table.description,
                owner: table.owner,
                last_access_time: table.last_access_time.map(|time| time.as_secs_f64()),
                last_analyzed_time: table.last_analyzed_time.map(|time| time.as_secs_f64()),
                retention: u32::try_from(table.retention).ok().filter(|days| *days > 0),
                storage_descriptor: stored.map(descriptor_of),
                partition_keys: table.partition_keys.map(columns_of),
                view_original_text: table.view_original_text,
                view_expanded_text: table.view_expanded_text,
                table_type: table.table_type,
                parameters: table.parameters.map(parameters_of),
                target_table: table.target_table.map(|target| TableIdentifier {
                    catalog_id: target.catalog_id,
                    database_name: target.database_name,
                    name: target.name,
                    region: target.region,
                }),
            },
        }
    }

    /// What to send for this table with another `input`: the rest of what it had goes with it.
    pub(super) fn with_input(&self, input: TableInput) -> Result<sdk::TableInput, BuildError> {
        request(input, &self.beyond)
    }
}

/// What to send for a table that is not there yet.
pub(super) fn new_table(input: TableInput) -> Result<sdk::TableInput, BuildError> {
    request(input, &Beyond::default())
}

fn request(input: TableInput, beyond: &Beyond) -> Result<sdk::TableInput, BuildError> {
    let stored = input.storage_descriptor.map(|stored| descriptor(stored, beyond)).transpose()?;
    let keys = input.partition_keys.map(columns).transpose()?;
    let target = input.target_table.map(|target| {
        sdk::TableIdentifier::builder()
            .set_catalog_id(target.catalog_id)
            .set_database_name(target.database_name)
            .set_name(target.name)
            .set_region(target.region)
            .build()
    });
    sdk::TableInput::builder()
        .name(input.name)
        .set_description(input.description)
        .set_owner(input.owner)
        .set_last_access_time(input.last_access_time.map(DateTime::from_secs_f64))
        .set_last_analyzed_time(input.last_analyzed_time.map(DateTime::from_secs_f64))
        .set_retention(input.retention.and_then(|days| i32::try_from(days).ok()))
        .set_storage_descriptor(stored)
        .set_partition_keys(keys)
        .set_view_original_text(input.view_original_text)
        .set_view_expanded_text(input.view_expanded_text)
        .set_table_type(input.table_type)
        .set_parameters(input.parameters.map(|texts| texts.into_iter().collect()))
        .set_target_table(target)
        .set_federated_table(beyond.federated_table.clone())
        .build()
}

fn descriptor_of(stored: sdk::StorageDescriptor) -> StorageDescriptor {
    StorageDescriptor {
        columns: stored.columns.map(columns_of),
        location: stored.location,
        additional_locations: stored.additional_locations,
        input_format: stored.input_format,
        output_format: stored.output_format,
        compressed: stored.compressed.then_some(true),
        number_of_buckets: Some(stored.number_of_buckets).filter(|buckets| *buckets != 0),
        serde_info: stored.serde_info.map(|serde| SerDeInfo {
            name: serde.name,
            serialization_library: serde.serialization_library,
            parameters: serde.parameters.map(parameters_of),
        }),
        bucket_columns: stored.bucket_columns,
        sort_columns: stored.sort_columns.map(|columns| {
            let order =
                |order: sdk::Order| Order { column: order.column, sort_order: order.sort_order };
            columns.into_iter().map(order).collect()
        }),
        parameters: stored.parameters.map(parameters_of),
        skewed_info: stored.skewed_info.map(|skewed| SkewedInfo {
            skewed_column_names: skewed.skewed_column_names,
            skewed_column_values: skewed.skewed_column_values,
            skewed_column_value_location_maps: skewed
                .skewed_column_value_location_maps
                .map(parameters_of),
        }),
        stored_as_sub_directories: stored.stored_as_sub_directories.then_some(true),
    }
}

fn descriptor(
    stored: StorageDescriptor,
    beyond: &Beyond,
) -> Result<sdk::StorageDescriptor, BuildError> {
    let order = |order: Order| {
        sdk::Order::builder().column(order.column).sort_order(order.sort_order).build()
    };
    let sort_columns = stored.sort_columns.map(|orders| orders.into_iter().map(order).collect());
    let serde = stored.serde_info.map(|serde| {
        sdk::SerDeInfo::builder()
            .set_name(serde.name)
            .set_serialization_library(serde.serialization_library)
            .set_parameters(serde.parameters.map(|texts| texts.into_iter().collect()))
            .build()
    });
    let skewed = stored.skewed_info.map(|skewed| {
        let locations = skewed.skewed_column_value_location_maps;
        sdk::SkewedInfo::builder()
            .set_skewed_column_names(skewed.skewed_column_names)
            .set_skewed_column_values(skewed.skewed_column_values)
            .set_skewed_column_value_location_maps(
                locations.map(|texts| texts.into_iter().collect()),
            )
            .build()
    });
    Ok(sdk::StorageDescriptor::builder()
        .set_columns(stored.columns.map(columns).transpose()?)
        .set_location(stored.location)
        .set_additional_locations(stored.additional_locations)
        .set_input_format(stored.input_format)
        .set_output_format(stored.output_format)
        .set_compressed(stored.compressed)
        .set_number_of_buckets(stored.number_of_buckets)
        .set_serde_info(serde)
        .set_bucket_columns(stored.bucket_columns)
        .set_sort_columns(sort_columns.transpose()?)
        .set_parameters(stored.parameters.map(|texts| texts.into_iter().collect()))
        .set_skewed_info(skewed)
        .set_stored_as_sub_directories(stored.stored_as_sub_directories)
        .set_schema_reference(beyond.schema_reference.clone())
        .build())
}

fn columns_of(columns: Vec<sdk::Column>) -> Vec<Column> {
    let column = |column: sdk::Column| Column {
        name: column.name,
        kind: column.r#type,
        comment: column.comment,
        parameters: column.parameters.map(parameters_of),
    };
    columns.into_iter().map(column).collect()
}

fn columns(columns: Vec<Column>) -> Result<Vec<sdk::Column>, BuildError> {
    let column = |column: Column| {
        sdk::Column::builder()
            .name(column.name)
            .set_type(column.kind)
            .set_comment(column.comment)
            .set_parameters(column.parameters.map(|texts| texts.into_iter().collect()))
            .build()
    };
    columns.into_iter().map(column).collect()
}

fn parameters_of(texts: std::collections::HashMap<String, String>) -> Parameters {
    texts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn texts(of: &str) -> HashMap<String, String> {
        HashMap::from([(format!("{of} key"), format!("{of} text"))])
    }

    fn names(of: &str) -> Option<Vec<String>> {
        Some(vec![format!("{of} 1"), format!("{of} 2")])
    }

    fn column(name: &str) -> sdk::Column {
        let column = sdk::Column::builder().name(name).r#type("bigint").comment("key");
        column.set_parameters(Some(texts(name))).build().unwrap()
    }

    /// A table with every field that a `TableInput` takes, but for a view's definition.
    fn full() -> sdk::TableInput {
        let order = sdk::Order::builder().column("a").sort_order(1).build().unwrap();
        let serde = sdk::SerDeInfo::builder().name("s").serialization_library("lib");
        let skewed = sdk::SkewedInfo::builder()
            .set_skewed_column_names(names("skewed"))
            .set_skewed_column_values(names("value"))
            .set_skewed_column_value_location_maps(Some(texts("map")));
        let stored = sdk::StorageDescriptor::builder()
            .columns(column("a"))
            .location("s3://b/t")
            .set_additional_locations(names("more"))
            .input_format("in")
            .output_format("out")
            .compressed(true)
            .number_of_buckets(-1)
            .serde_info(serde.set_parameters(Some(texts("serde"))).build())
            .set_bucket_columns(names("bucket"))
            .sort_columns(order)
            .set_parameters(Some(texts("stored")))
            .skewed_info(skewed.build())
            .stored_as_sub_directories(true)
            .schema_reference(sdk::SchemaReference::builder().schema_version_number(3).build());
        let target = sdk::TableIdentifier::builder()
            .catalog_id("1")
            .database_name("d")
            .name("n")
            .region("r");
        sdk::TableInput::builder()
            .name("t")
            .description("for people")
            .owner("lake")
            .last_access_time(DateTime::from_secs(1_700_000_000))
            .last_analyzed_time(DateTime::from_secs(1_700_000_001))
            .retention(7)
            .storage_descriptor(stored.build())
            .partition_keys(column("p"))
            .view_original_text("as written")
            .view_expanded_text("as read")
            .table_type("EXTERNAL_TABLE")
            .set_parameters(Some(texts("table")))
            .target_table(target.build())
            .federated_table(sdk::FederatedTable::builder().identifier("f").build())
            .build()
            .unwrap()
    }

    fn answered(input: &sdk::TableInput) -> sdk::Table {
        sdk::Table::builder()
            .name(input.name.clone())
            .set_description(input.description.clone())
            .set_owner(input.owner.clone())
            .set_last_access_time(input.last_access_time)
            .set_last_analyzed_time(input.last_analyzed_time)
            .retention(input.retention)
            .set_storage_descriptor(input.storage_descriptor.clone())
            .set_partition_keys(input.partition_keys.clone())
            .set_view_original_text(input.view_original_text.clone())
            .set_view_expanded_text(input.view_expanded_text.clone())
            .set_table_type(input.table_type.clone())
            .set_parameters(input.parameters.clone())
            .set_target_table(input.target_table.clone())
            .set_federated_table(input.federated_table.clone())
            .version_id("12")
            .build()
            .unwrap()
    }

    #[test]
    fn what_glue_has_goes_back_to_it_unchanged() {
        for input in [full(), sdk::TableInput::builder().name("bare").build().unwrap()] {
            let entry = Entry::of(answered(&input));
            assert_eq!(entry.version_id.as_deref(), Some("12"));
            assert!(!entry.is_view);
            assert_eq!(entry.with_input(entry.input.clone()).unwrap(), input);
        }
    }

    #[test]
    fn a_view_is_told_from_a_table() {
        let mut table = answered(&full());
        table.is_materialized_view = Some(true);
        assert!(Entry::of(table).is_view);
    }
}
