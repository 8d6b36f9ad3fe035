//! Where tables may stand: in the warehouse, and each in a folder of its own.

use std::path::{Component, Path, PathBuf};

use super::allow::refused;
use crate::{Error, ErrorKind, Lake, Result, TableName, storage};

/// The path of a location in the warehouse.
///
/// # Errors
/// `InvalidInput` for a location elsewhere: a client must not make this server write there, or read
/// from there.
pub(super) fn in_warehouse(lake: &Lake, location: &str) -> Result<PathBuf> {
    let root = storage::local_path(&lake.warehouse)?;
    let path = storage::local_path(location).ok();
    let inside = path.filter(|path| {
        let plain =
            path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        plain && path.starts_with(&root) && *path != root
    });
    inside.ok_or_else(|| {
        refused(
            "a location is not in the warehouse; leave it out, or name one below the warehouse's \
             folder",
        )
    })
}

/// Refuses a folder for a table that another one stands in, above it or below.
///
/// # Errors
/// `InvalidInput` for a location that is not at least two folders below the warehouse, or that shares
/// files with another table.
pub(super) async fn check_alone(lake: &Lake, name: &TableName, location: &str) -> Result<()> {
    let folder = in_warehouse(lake, location)?;
    let root = storage::local_path(&lake.warehouse)?;
    if folder.strip_prefix(&root).is_ok_and(|below| below.components().count() < 2) {
        return Err(refused(
            "a table's location must be at least two folders below the warehouse, such as \
             NAMESPACE/TABLE",
        ));
    }
    for namespace in lake.catalog.list_namespaces().await? {
        for other in lake.catalog.list_tables(&namespace).await? {
            if other == *name {
                continue;
            }
            let pointer = match lake.catalog.pointer(&other).await {
                Ok(pointer) => pointer,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let Ok(path) = storage::local_path(&pointer.metadata_location) else { continue };
            if meets(&folder, &path) {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("the table `{other}` stands there already; each needs its own folder"),
                )
                .with_context("table", name));
            }
        }
    }
    Ok(())
}

/// Whether a folder holds the table whose metadata file this is, or is within its folder.
fn meets(folder: &Path, metadata_file: &Path) -> bool {
    // FOLDER/metadata/00000-….metadata.json
    let other = metadata_file.parent().and_then(Path::parent);
    metadata_file.starts_with(folder) || other.is_some_and(|other| folder.starts_with(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_meet_where_one_stands_in_the_other() {
        let other = Path::new("/w/b/lab-1/metadata/00003-x.metadata.json");
        for folder in ["/w", "/w/b", "/w/b/lab-1", "/w/b/lab-1/data", "/w/b/lab-1/metadata/x"] {
            assert!(meets(Path::new(folder), other), "{folder}");
        }
        for folder in ["/w/b/lab-2", "/w/b/lab-1x", "/w/c/lab-1", "/w/b/lab"] {
            assert!(!meets(Path::new(folder), other), "{folder}");
        }
    }
}
