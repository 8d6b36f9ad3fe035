//! Files below a table's folder that nothing refers to: of writers that were killed or whose commit
//! lost, of expiries that were broken off, and metadata files that the table's log has let go.
//!
//! A local file is known by its device and inode, not by its name, so that one that is reached under
//! two names, by a link or a mount, is never taken for an orphan.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use iceberg::spec::{ManifestFile, SnapshotRef};

use super::DAY_MS;
use super::expiry::check_gc;
use super::garbage::paths;
use super::reading::{each_manifest, is_there, manifest_list_if_there};
use super::removal::{Doomed, Removed, remove};
use crate::access::Access;
use crate::storage::{Identity, Listed, Place};
use crate::{Error, ErrorKind, Lake, LakeTable, Result, TableName, storage};

/// Younger files may be those of a writer under way.
const LEAST_AGE_MS: i64 = DAY_MS;

/// Written by engines that find a table by its folder; nothing refers to it.
const VERSION_HINT: &str = "version-hint.text";

/// A file that nothing refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan {
    /// Where it is: a local path, or an s3 location.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: i64,
}

/// The orphans of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrphanPlan {
    /// Those that are old enough to be removed, by path.
    pub orphans: Vec<Orphan>,
    /// Files that nothing refers to either, but that are too young to tell.
    pub young: u64,
    /// Files in the folder.
    pub files: u64,
}

impl Orphan {
    fn location(&self) -> String {
        match self.path.to_str() {
            Some(location) if location.starts_with("s3://") => location.to_string(),
            _ => storage::location(&self.path),
        }
    }
}

impl OrphanPlan {
    /// Looks for the orphans of a table that were last written `min_age_ms` ago or before.
    ///
    /// The folder is walked first and the table opened then, so that what is committed meanwhile is
    /// known. Links are not followed and not removed.
    ///
    /// # Errors
    /// `InvalidInput` for an age of less than a day, a table whose `gc.enabled` is false, and a folder
    /// in which another table stands too; `Damaged` if a file that says what is referred to cannot be read; storage errors.
    pub async fn read(
        lake: &Lake,
        access: &Access,
        name: &TableName,
        min_age_ms: i64,
    ) -> Result<Self> {
        if min_age_ms < LEAST_AGE_MS {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "files younger than a day may be those of a writer under way; give 1d or more",
            ));
        }
        let table = lake.open_table(name, access).await?;
        check_gc(table.metadata())?;
        let root = Place::of(table.location())?;
        check_alone(lake, &table, &root).await?;
        let found = blocking(move || storage::list(&root)).await?;
        let table = lake.reload(&table).await?;
        let referred = referred(lake, &table).await?;
        let now_ms = lake.clock.now_ms();
        let mut plan = Self { files: found.len() as u64, ..Self::default() };
        for Listed { identity, path, bytes, modified_ms } in found {
            if referred.contains(&identity) || path.ends_with(VERSION_HINT) {
                continue;
            }
            let orphan = Orphan { path, bytes, modified_ms };
            match now_ms.saturating_sub(orphan.modified_ms) >= min_age_ms {
                true => plan.orphans.push(orphan),
                false => plan.young += 1,
            }
        }
        plan.orphans.sort_unstable();
        Ok(plan)
    }

    /// The bytes of the orphans.
    pub fn bytes(&self) -> u64 {
        self.orphans.iter().map(|orphan| orphan.bytes).sum()
    }

    /// Removes the orphans. One that was written since it was found stays: a commit does that to the
    /// files that it adds.
    ///
    /// # Errors
    /// `Internal` if the work was broken off.
    pub async fn apply(self, lake: &Lake) -> Result<Removed> {
        let doomed = self.orphans.into_iter().map(|orphan| Doomed {
            location: orphan.location(),
            bytes: orphan.bytes,
            written_ms: Some(orphan.modified_ms),
        });
        remove(lake, doomed.collect()).await
    }
}

/// Refuses a folder in which another table of the catalog stands.
async fn check_alone(lake: &Lake, table: &LakeTable, root: &Place) -> Result<()> {
    for namespace in lake.catalog.list_namespaces().await? {
        for name in lake.catalog.list_tables(&namespace).await? {
            if name == *table.name() {
                continue;
            }
            let location = match lake.catalog.pointer(&name).await {
                Ok(pointer) => pointer.metadata_location,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if Place::of(&location).is_ok_and(|place| place.is_below(root)) {
                let message = format!(
                    "the table {name} stands in the same folder, so what is an orphan cannot be told"
                );
                return Err(Error::new(ErrorKind::InvalidInput, message)
                    .with_context("table", table.name())
                    .with_context("path", table.location()));
            }
        }
    }
    Ok(())
}

/// The files that the table's metadata files refer to, themselves included: the present one and those
/// of its log.
async fn referred(lake: &Lake, table: &LakeTable) -> Result<HashSet<Identity>> {
    let mut locations: HashSet<String> = [table.metadata_location().to_string()].into();
    let mut referred = HashSet::new();
    let mut read: HashSet<String> = HashSet::new();
    let mut manifests: BTreeMap<String, ManifestFile> = BTreeMap::new();
    referred_by(lake, table, false, &mut read, &mut manifests, &mut referred).await?;
    for entry in table.metadata().metadata_log() {
        locations.insert(entry.metadata_file.clone());
        if is_there(lake, &entry.metadata_file).await? {
            let earlier = lake.load(table.name(), entry.metadata_file.clone()).await?;
            referred_by(lake, &earlier, true, &mut read, &mut manifests, &mut referred).await?;
        }
    }
    blocking(move || {
        identify(locations.iter().map(String::as_str), &mut referred)?;
        Ok(referred)
    })
    .await
}

/// Adds the files that the snapshots of one metadata file hold. Those of an earlier one may be gone.
async fn referred_by(
    lake: &Lake,
    table: &LakeTable,
    is_earlier: bool,
    read: &mut HashSet<String>,
    manifests: &mut BTreeMap<String, ManifestFile>,
    referred: &mut HashSet<Identity>,
) -> Result<()> {
    identify(paths(table.metadata()).map(|(_, path, _)| path), referred)?;
    let snapshots: Vec<SnapshotRef> = table.metadata().snapshots().cloned().collect();
    let mut new = Vec::new();
    for snapshot in snapshots {
        if !read.insert(snapshot.manifest_list().to_string()) {
            continue;
        }
        let list = manifest_list_if_there(lake, table, &snapshot).await?;
        if list.is_none() && !is_earlier {
            return Err(Error::new(ErrorKind::Damaged, "a manifest list is missing")
                .with_context("table", table.name())
                .with_context("file", snapshot.manifest_list()));
        }
        identify([snapshot.manifest_list()], referred)?;
        for file in list.into_iter().flatten() {
            if !manifests.contains_key(&file.manifest_path) {
                manifests.insert(file.manifest_path.clone(), file.clone());
                new.push(file);
            }
        }
    }
    let mut failure = None;
    each_manifest(lake, table, new, is_earlier, |file, manifest| {
        let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
        let paths = alive.map(|entry| entry.file_path()).chain([file.manifest_path.as_str()]);
        if let Err(error) = identify(paths, referred) {
            failure = Some(error);
        }
    })
    .await?;
    failure.map_or(Ok(()), Err)
}

/// Adds the identity of each file that is there.
fn identify<'a>(
    locations: impl IntoIterator<Item = &'a str>,
    to: &mut HashSet<Identity>,
) -> Result<()> {
    for location in locations {
        to.extend(storage::identity(location)?);
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "looking through a folder was broken off")
            .with_source(error)
    })?
}
