//! Where tables may stand: in the warehouse, and each in a folder of its own.

use std::path::Component;

use super::allow::refused;
use crate::storage::Place;
use crate::{Error, ErrorKind, Lake, Result, TableName};

/// The place of a location in the warehouse.
///
/// # Errors
/// `InvalidInput` for a location elsewhere: a client must not make this server write there, or read
/// from there.
pub(super) fn in_warehouse(lake: &Lake, location: &str) -> Result<Place> {
    let root = Place::of(&lake.warehouse)?;
    let place = Place::of(location).ok();
    let inside = place.filter(|place| is_plain(place) && place.is_below(&root) && *place != root);
    inside.ok_or_else(|| {
        refused(
            "a location is not in the warehouse; leave it out, or name one below the warehouse's \
             folder",
        )
    })
}

/// Whether a place is written without steps up. A key in a bucket has none.
fn is_plain(place: &Place) -> bool {
    match place {
        Place::Local(path) => {
            path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
        }
        Place::S3(_) => true,
    }
}

/// How many folders a place is below the root of its store.
fn depth(place: &Place) -> usize {
    match place {
        Place::Local(path) => path.components().count(),
        Place::S3(object) => object.key.parts().count(),
    }
}

/// Refuses a folder for a table that another one stands in, above it or below.
///
/// # Errors
/// `InvalidInput` for a location that is not at least two folders below the warehouse, or that shares
/// files with another table.
pub(super) async fn check_alone(lake: &Lake, name: &TableName, location: &str) -> Result<()> {
    let folder = in_warehouse(lake, location)?;
    if depth(&folder) < depth(&Place::of(&lake.warehouse)?) + 2 {
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
            if meets(&folder, &pointer.metadata_location) {
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
fn meets(folder: &Place, metadata_file: &str) -> bool {
    // FOLDER/metadata/00000-….metadata.json
    let other = metadata_file.rsplitn(3, '/').nth(2).map(Place::of);
    Place::of(metadata_file).is_ok_and(|file| file.is_below(folder))
        || matches!(other, Some(Ok(other)) if folder.is_below(&other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_meet_where_one_stands_in_the_other() {
        for store in ["file://", "s3://bucket"] {
            let other = format!("{store}/w/b/lab-1/metadata/00003-x.metadata.json");
            let at = |folder: &str| Place::of(&format!("{store}{folder}")).unwrap();
            for folder in ["/w", "/w/b", "/w/b/lab-1", "/w/b/lab-1/data", "/w/b/lab-1/metadata/x"] {
                assert!(meets(&at(folder), &other), "{store}{folder}");
            }
            for folder in ["/w/b/lab-2", "/w/b/lab-1x", "/w/c/lab-1", "/w/b/lab"] {
                assert!(!meets(&at(folder), &other), "{store}{folder}");
            }
        }
    }
}
