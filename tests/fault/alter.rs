//! Tables that are altered beside Northstar, which itself only changes rows.

use std::str::FromStr;

use iceberg::MetadataLocation;
use iceberg::spec::{TableMetadata, TableMetadataBuilder};
use northstar_catalog::Swap;
use northstar_iceberg::{Lake, TableName};
use northstar_tests::lab::tester;

/// Commits other metadata, as an engine does that alters tables.
pub(crate) async fn alter(
    lake: &Lake,
    name: &TableName,
    how: impl FnOnce(TableMetadataBuilder) -> TableMetadataBuilder,
) {
    let now = lake.open_table(name, &tester()).await.unwrap();
    let location = now.metadata_location().to_string();
    let builder = now.metadata().clone().into_builder(Some(location.clone()));
    let next = how(builder).build().unwrap().metadata;
    // The builder reads the machine's clock, which is years ahead of the test's.
    let mut json = serde_json::to_value(&next).unwrap();
    json["last-updated-ms"] = (now.metadata().last_updated_ms() + 1).into();
    let next: TableMetadata = serde_json::from_value(json).unwrap();
    let at = MetadataLocation::from_str(&location).unwrap().with_next_version();
    let at = at.with_new_metadata(&next);
    next.write_to(&lake.file_io(), &at).await.unwrap();
    let swap = lake.catalog.swap(name, &location, &at.to_string(), &next).await.unwrap();
    assert!(matches!(swap, Swap::Committed), "{swap:?}");
}

/// Sets a property of a table.
pub(crate) async fn set_property(lake: &Lake, name: &TableName, key: &str, value: &str) {
    let properties = [(key.to_string(), value.to_string())].into();
    alter(lake, name, |builder| builder.set_properties(properties).unwrap()).await;
}
