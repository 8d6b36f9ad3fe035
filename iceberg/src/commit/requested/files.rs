//! The files of snapshots that are new to a table: each is there, as long as its manifest says, and in
//! the warehouse. The client may have written them with less care for power cuts than this program, so
//! they are brought to disk before the pointer moves.

use iceberg::spec::{
    DataFileFormat, FormatVersion, ManifestContentType, ManifestFile, SnapshotRef, TableMetadata,
};

use super::allow::refused;
use super::place::in_warehouse;
use crate::commit::presence::AddedFile;
use crate::{Error, ErrorKind, Lake, LakeTable, Result};

/// The files that snapshots bring to a table.
///
/// # Errors
/// `InvalidInput` for one that is not there, cannot be read, stands elsewhere or is written with
/// another partition spec than the table has under its number; `Unsupported` for deletion vectors.
pub(super) async fn added_files(
    lake: &Lake,
    table: &LakeTable,
    snapshots: &[SnapshotRef],
) -> Result<Vec<AddedFile>> {
    let mut files = Vec::new();
    for snapshot in snapshots {
        files.push(found(lake, snapshot.manifest_list())?);
        let list = table.inner().manifest_list_reader(snapshot).load().await;
        let list = list.map_err(|error| unreadable("the manifest list", &error))?;
        // The iterator is not `Send`.
        let manifests: Vec<ManifestFile> = list.consume_entries().into_iter().collect();
        for manifest in manifests {
            files.push(found(lake, &manifest.manifest_path)?);
            if manifest.added_snapshot_id == snapshot.snapshot_id() {
                of_manifest(lake, table.metadata(), &manifest, &mut files).await?;
            }
        }
    }
    files.sort_unstable_by(|a, b| a.location().cmp(b.location()));
    files.dedup();
    Ok(files)
}

/// Adds the files that a manifest brings.
async fn of_manifest(
    lake: &Lake,
    metadata: &TableMetadata,
    file: &ManifestFile,
    files: &mut Vec<AddedFile>,
) -> Result<()> {
    let manifest = file.load_manifest(&lake.file_io()).await;
    let manifest = manifest.map_err(|error| unreadable("a manifest", &error))?;
    let spec = metadata.partition_spec_by_id(file.partition_spec_id);
    let written_with = manifest.metadata().partition_spec();
    if !spec.is_some_and(|spec| spec.is_compatible_with(written_with)) {
        return Err(Error::new(
            ErrorKind::Conflict,
            "new files were written with a partition spec that the table does not have under its \
             number; read the table again and plan anew",
        ));
    }
    let deletes = file.content == ManifestContentType::Deletes;
    if deletes && metadata.format_version() == FormatVersion::V1 {
        return Err(refused("tables of format version 1 have no delete files; upgrade it first"));
    }
    for entry in manifest.entries() {
        // Those that were there before were looked at then, unless the manifest was written anew.
        if !entry.is_alive() || entry.snapshot_id().is_some_and(|id| id != file.added_snapshot_id) {
            continue;
        }
        if entry.file_format() == DataFileFormat::Puffin {
            let text = "deletion vectors need format version 3, which is not written";
            return Err(Error::new(ErrorKind::Unsupported, text));
        }
        in_warehouse(lake, entry.file_path())?;
        files.push(AddedFile::new(entry.data_file()));
    }
    Ok(())
}

/// A file of the client that is gone, or not as long as it says: the request is wrong, not the table.
pub(super) fn not_whole(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Damaged => refused(error.message()),
        _ => error,
    }
}

fn found(lake: &Lake, location: &str) -> Result<AddedFile> {
    in_warehouse(lake, location)?;
    AddedFile::found(location).map_err(not_whole)
}

fn unreadable(what: &str, error: &iceberg::Error) -> Error {
    refused(&format!("{what} of the new snapshot cannot be read ({})", error.kind()))
}
