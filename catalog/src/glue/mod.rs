//! What the AWS Glue Data Catalog says of an Iceberg table, as Iceberg's own Glue catalog writes it.
//!
//! | file | holds |
//! | --- | --- |
//! | `model.rs` | the shapes of the API that a table needs: [`TableInput`] and what is in it |
//! | `columns.rs` | a table's columns, for people and for engines that do not read Iceberg |
//! | [`actions`] | the Data Catalog as it answers clients |
//! | `input.rs` | an Iceberg table as a [`TableInput`]; whose parameters stay |
//! | `client/` | [`GlueCatalog`]: AWS Glue as a catalog |
//!
//! Glue's columns never say what is in a table: engines read the metadata file that the parameter
//! `metadata_location` names.
//!
//! Sources: <https://docs.aws.amazon.com/glue/latest/dg/aws-glue-api-catalog-tables.html>;
//! `GlueTableOperations` and `IcebergToGlueConverter` of Apache Iceberg 1.10.

pub mod actions;
mod client;
mod columns;
mod input;
mod model;

pub use client::{GlueCatalog, GlueOptions, GluePlace};
pub use columns::{columns, type_text};
pub use input::{
    METADATA_LOCATION, PREVIOUS_METADATA_LOCATION, is_iceberg, pointer_of, table_input,
};
pub(crate) use input::{RENAMED_TO, TABLE_TYPE};
pub use model::{
    Column, Order, Parameters, SerDeInfo, SkewedInfo, StorageDescriptor, TableIdentifier,
    TableInput,
};
