//! Data files as text: how whoever writes files tells them to whoever commits them, in another process.

use iceberg::spec::{
    DataContentType, DataFile, DataFileFormat, FormatVersion, deserialize_data_file_from_json,
    serialize_data_file_to_json,
};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, LakeTable, Result};

/// Data files that were written for a table and that no snapshot refers to yet, with their partitions
/// and metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Described {
    /// The schema that they were written for.
    schema_id: i32,
    /// The partition spec likewise.
    spec_id: i32,
    /// Each file as Apache's `iceberg` writes it in JSON.
    files: Vec<String>,
}

impl Described {
    /// Files that were written for the table as it was opened.
    ///
    /// # Errors
    /// `Internal` for a file that was not.
    pub fn of(table: &LakeTable, files: &[DataFile]) -> Result<Self> {
        let metadata = table.metadata();
        let kinds = metadata.default_partition_type();
        let files = files.iter().map(|file| {
            serialize_data_file_to_json(file.clone(), kinds, FormatVersion::V2).map_err(|error| {
                Error::new(ErrorKind::Internal, "a written file cannot be described")
                    .with_context("table", table.name())
                    .with_source(error)
            })
        });
        Ok(Self {
            schema_id: metadata.current_schema_id(),
            spec_id: metadata.default_partition_spec_id(),
            files: files.collect::<Result<_>>()?,
        })
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files. A text comes from outside, so it is believed only as far as the table: every file is
    /// a Parquet file of rows below the table's `data` folder.
    ///
    /// # Errors
    /// `Conflict` if the table has another schema or partition spec by now; `InvalidData` for text that
    /// describes no file of this table.
    pub fn files(&self, table: &LakeTable) -> Result<Vec<DataFile>> {
        let metadata = table.metadata();
        let spec_id = metadata.default_partition_spec_id();
        if self.schema_id != metadata.current_schema_id() || self.spec_id != spec_id {
            return Err(Error::new(
                ErrorKind::Conflict,
                "the table's columns or partitions changed since the files were written; write them again",
            )
            .with_context("table", table.name()));
        }
        let (kinds, schema) = (metadata.default_partition_type(), metadata.current_schema());
        let folder = format!("{}/data/", table.location());
        self.files
            .iter()
            .map(|text| {
                // The error of the reader would quote the text, which has bounds of columns.
                let file = deserialize_data_file_from_json(text, spec_id, kinds, schema)
                    .map_err(|_| foreign(table, "it cannot be read"))?;
                check(&file, &folder).map_err(|why| foreign(table, why))?;
                Ok(file)
            })
            .collect()
    }
}

fn check(file: &DataFile, folder: &str) -> std::result::Result<(), &'static str> {
    let Some(below) = file.file_path().strip_prefix(folder) else {
        return Err("its file is not in the table's folder");
    };
    if below.split('/').any(|part| matches!(part, "" | "." | "..")) || below.contains('\\') {
        return Err("the path of its file has parts that are none");
    }
    if file.content_type() != DataContentType::Data || file.file_format() != DataFileFormat::Parquet
    {
        return Err("its file is no Parquet file of rows");
    }
    if file.record_count() == 0 {
        return Err("its file has no row");
    }
    Ok(())
}

fn foreign(table: &LakeTable, why: &str) -> Error {
    let text = format!("the description of a written file is not of this table: {why}");
    Error::new(ErrorKind::InvalidData, text).with_context("table", table.name())
}
