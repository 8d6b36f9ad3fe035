//! What an overwrite takes away, and whether that is still all that is there.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use iceberg::spec::Struct;

use super::run::provider;
use crate::commit::Validation;
use crate::scan::comparable;
use crate::write::Written;
use crate::{Error, ErrorKind, LakeTable, Result};

/// A part of a branch of a table: some partitions, or all of it.
#[derive(Debug)]
pub(super) struct Part {
    branch: String,
    partitions: Option<HashSet<Struct>>,
}

impl Part {
    /// All of it.
    pub(super) fn all(branch: &str) -> Self {
        Self { branch: branch.to_string(), partitions: None }
    }

    /// The partitions that these files fall into; all of a table that is not partitioned.
    pub(super) fn of(table: &LakeTable, branch: &str, written: &Written) -> Self {
        let metadata = table.metadata();
        if metadata.default_partition_spec().is_unpartitioned() {
            return Self::all(branch);
        }
        let partitions = written.files.iter().map(|file| comparable(file.partition()));
        Self { branch: branch.to_string(), partitions: Some(partitions.collect()) }
    }

    /// The files in this part that hold rows, and how many.
    ///
    /// # Errors
    /// `Unsupported` if rows stand in files of another partition spec: which of these partitions
    /// they would fall into is not known. As a scan.
    pub(super) async fn files(&self, table: &LakeTable) -> Result<HashMap<String, u64>> {
        let rows = provider(table, &self.branch)?.live_rows().await?;
        let Some(partitions) = &self.partitions else { return Ok(rows) };
        let metadata = table.metadata();
        let mut files = HashMap::new();
        for file in provider(table, &self.branch)?.file_deletes().await? {
            let file = file.deletes;
            if file.spec_id != metadata.default_partition_spec_id() {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "rows stand in files of an earlier partition spec, so INSERT OVERWRITE cannot \
                     tell which partitions they belong to; write DELETE FROM … WHERE … and INSERT \
                     INTO instead, or bring those files to the new spec first",
                )
                .with_context("table", table.name()));
            }
            if partitions.contains(&comparable(&file.partition)) {
                let live = rows.get(&file.data_file).copied().unwrap_or(0);
                files.insert(file.data_file, live);
            }
        }
        Ok(files)
    }
}

/// Holds a change to what stood in a part of the table when it was planned (M5).
#[derive(Debug)]
pub(super) struct Unchanged {
    /// The part.
    pub(super) part: Part,
    /// Its files then.
    pub(super) files: HashMap<String, u64>,
}

#[async_trait]
impl Validation for Unchanged {
    async fn conflict(&self, head: &LakeTable) -> Result<Option<String>> {
        let changed = self.part.files(head).await? != self.files;
        Ok(changed.then(|| "rows came or went where the statement reads or replaces".to_string()))
    }
}

/// Lets an append pass: it depends on nothing that is there.
pub(super) struct Appended;

#[async_trait]
impl Validation for Appended {
    async fn conflict(&self, _: &LakeTable) -> Result<Option<String>> {
        Ok(None)
    }
}
