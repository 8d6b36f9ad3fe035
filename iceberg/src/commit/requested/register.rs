//! A table that is there already, which gets a name.

use std::str::FromStr;

use iceberg::MetadataLocation;

use super::allow::{check_version, refused};
use super::place::{check_alone, in_warehouse};
use crate::access::Access;
use crate::storage::Place;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, TableName, storage};

impl Lake {
    /// Registers a table under a metadata file that is there, and opens it.
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` if the namespace is not there; `InvalidInput` for a file that is
    /// not there, not in the warehouse, not a table's metadata or under a name that no commit could
    /// follow, and for one whose table has a name already; `Unsupported` for format version 3;
    /// `CommitUnknown` if it may have been registered.
    pub async fn register_requested(
        &self,
        name: &TableName,
        location: &str,
        access: &Access,
    ) -> Result<LakeTable> {
        let of_table = |error: Error| error.with_context("table", name);
        self.check_free(name).await?;
        in_warehouse(self, location).map_err(of_table)?;
        if MetadataLocation::from_str(location).is_err() {
            return Err(of_table(refused(
                "a metadata file that commits can follow is called \
                 FOLDER/metadata/VERSION-UUID.metadata.json; copy it to such a name first",
            )));
        }
        let loaded = self.load(name, location.to_string()).await;
        let table = loaded.map_err(|error| match error.kind() {
            ErrorKind::Damaged => of_table(refused(
                "the metadata file is not there or cannot be read; name one of the table's own",
            )),
            _ => error,
        })?;
        check_version(table.metadata().format_version()).map_err(of_table)?;
        check_alone(self, name, table.location()).await.map_err(of_table)?;
        if !Place::of(location)?.is_below(&Place::of(table.location())?) {
            return Err(of_table(refused(
                "the metadata file is of a table that stands elsewhere; move it back, or write a new \
                 table",
            )));
        }
        if let Some(snapshot) = table.metadata().current_snapshot()
            && table.inner().manifest_list_reader(snapshot).load().await.is_err()
        {
            return Err(of_table(refused(
                "the files of the table's current snapshot are gone; name a later metadata file",
            )));
        }
        self.record(name, access, "register", Some(location)).await?;
        storage::make_durable(&[location.to_string()])?;
        self.register(name, location, table.metadata(), Vec::new()).await?;
        Ok(table)
    }
}
