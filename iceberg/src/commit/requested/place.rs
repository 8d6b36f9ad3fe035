//! Where tables may stand: in the warehouse, and each in a folder of its own.

use std::path::{Component, Path};

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
    let inside = place
        .filter(|place| is_plain(place) && place.is_below(&root) && depth_below(place, &root) > 0);
    inside.ok_or_else(|| {
        refused(
            "a location is not in the warehouse; leave it out, or name one below the warehouse's \
             folder",
        )
    })
}

/// Whether a path has no step up. A key of a bucket never has one.
fn is_plain(place: &Place) -> bool {
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    match place {
        Place::Local(path) => path.components().all(plain),
        Place::S3(_) => true,
    }
}

/// How many folders a place is below another.
fn depth_below(place: &Place, root: &Place) -> usize {
    let depth = |place: &Place| match place {
        Place::Local(path) => path.components().count(),
        Place::S3(object) => object.key.parts().count(),
    };
    depth(place).saturating_sub(depth(root))
}

/// Refuses a folder for a table that another one stands in, above it or below.
///
/// # Errors
/// `InvalidInput` for a location that is not at least two folders below the warehouse, or that shares
/// files with another table.
pub(super) async fn check_alone(lake: &Lake, name: &TableName, location: &str) -> Result<()> {
    let folder = in_warehouse(lake, location)?;
    if depth_below(&folder, &Place::of(&lake.warehouse)?) < 2 {
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
    let holds = Place::of(metadata_file).is_ok_and(|file| file.is_below(folder));
    // FOLDER/metadata/00000-….metadata.json
    let other = Path::new(metadata_file).parent().and_then(Path::parent).and_then(Path::to_str);
    holds || other.is_some_and(|other| Place::of(other).is_ok_and(|other| folder.is_below(&other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_meet_where_one_stands_in_the_other() {
        for root in ["/w", "file:///w", "s3://bucket/w"] {
            let other = format!("{root}/b/lab-1/metadata/00003-x.metadata.json");
            let at = |below: &str| Place::of(&format!("{root}{below}")).unwrap();
            for folder in ["", "/b", "/b/lab-1", "/b/lab-1/data", "/b/lab-1/metadata/x"] {
                assert!(meets(&at(folder), &other), "{root}{folder}");
            }
            for folder in ["/b/lab-2", "/b/lab-1x", "/c/lab-1", "/b/lab"] {
                assert!(!meets(&at(folder), &other), "{root}{folder}");
            }
        }
        let bucket = Place::of("s3://w/b/lab-1").unwrap();
        assert!(!meets(&bucket, "/w/b/lab-1/metadata/00003-x.metadata.json"));
    }
}
