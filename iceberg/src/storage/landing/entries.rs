//! What stands in a folder, and all files below it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;

use super::super::place::Object;
use super::super::{s3, stores};
use super::{Spot, not_there};
use crate::{Error, Result};

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; of a file below the folder that was asked for, its path from there, with `/`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it holds others.
    pub is_folder: bool,
    /// Its size; 0 for a folder, and for a file that cannot be looked at: reading it says why.
    pub bytes: u64,
}

/// What stands in a folder, hidden names left out, in order of names. Blocking.
///
/// # Errors
/// `NotFound` for a folder that is not there, and for a prefix that no object has; else as the file
/// system or S3 says.
pub fn entries(folder: &Path) -> Result<Vec<Entry>> {
    match Spot::of(folder)? {
        Spot::Local(path) => in_folder(&path),
        Spot::Bucket(root) => {
            let listed = stores::wait(async move { in_prefix(&root).await })??;
            listed.ok_or_else(|| not_there("list the folder", folder))
        }
    }
}

/// All files below a folder, hidden ones and those in hidden folders left out, in order of names. At
/// most `deepest` names are between the folder and a file, that of the file included; what is deeper is
/// given as the folder that holds it. Where there is no such bound, links to folders are not followed:
/// they may lead in a circle. Blocking.
///
/// # Errors
/// As [`entries`].
pub fn below(folder: &Path, deepest: Option<usize>) -> Result<Vec<Entry>> {
    match Spot::of(folder)? {
        Spot::Local(path) => {
            let mut files = Vec::new();
            walk(&path, "", deepest, &mut files)?;
            files.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(files)
        }
        Spot::Bucket(root) => {
            let listed = stores::wait(async move { below_prefix(&root).await })??;
            let listed = listed.ok_or_else(|| not_there("list the folder", folder))?;
            let is_shown = |file: &Entry| !file.name.split('/').any(|name| name.starts_with('.'));
            let cut = |file| cut(file, deepest, folder);
            let mut files: Vec<Entry> = listed.into_iter().filter(is_shown).map(cut).collect();
            files.sort_by(|a, b| (&a.name, a.is_folder).cmp(&(&b.name, b.is_folder)));
            files.dedup_by(|a, b| a.is_folder && b.is_folder && a.name == b.name);
            Ok(files)
        }
    }
}

/// Whether a folder, or a prefix with objects, has this name; else it is a file. Blocking.
///
/// # Errors
/// `NotFound` if it is neither; else as the file system or S3 says.
pub fn is_folder(path: &Path) -> Result<bool> {
    match Spot::of(path)? {
        Spot::Local(local) => std::fs::metadata(&local)
            .map(|about| about.is_dir())
            .map_err(|error| Error::io(error, "look at the file", path.display())),
        Spot::Bucket(object) => stores::wait(async move {
            let bucket = stores::bucket(&object.bucket)?;
            let failed = |error| s3::failed(error, "look through a prefix", object.location());
            Ok(match bucket.list_below(&object.key).next().await {
                Some(first) => first.map(|_| true).map_err(failed)?,
                None => false,
            })
        })?,
    }
}

fn in_folder(folder: &Path) -> Result<Vec<Entry>> {
    let failed = |error| Error::io(error, "list the folder", folder.display());
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = entry.path();
        let about = std::fs::metadata(&path).ok();
        let is_folder = about.as_ref().is_some_and(std::fs::Metadata::is_dir);
        let bytes = about.filter(|_| !is_folder).map_or(0, |about| about.len());
        all.push(Entry { name, path, is_folder, bytes });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn walk(folder: &Path, prefix: &str, deepest: Option<usize>, files: &mut Vec<Entry>) -> Result<()> {
    for entry in in_folder(folder)? {
        let name = format!("{prefix}{}", entry.name);
        if !entry.is_folder {
            files.push(Entry { name, ..entry });
            continue;
        }
        match deepest {
            Some(0 | 1) => files.push(Entry { name, ..entry }),
            Some(levels) => walk(&entry.path, &format!("{name}/"), Some(levels - 1), files)?,
            None if entry.path.is_symlink() => {}
            None => walk(&entry.path, &format!("{name}/"), None, files)?,
        }
    }
    Ok(())
}

/// A file that is too deep as the folder that holds it.
fn cut(file: Entry, deepest: Option<usize>, root: &Path) -> Entry {
    let end = deepest.and_then(|deepest| {
        file.name.match_indices('/').nth(deepest.checked_sub(1)?).map(|(at, _)| at)
    });
    match end {
        None => file,
        Some(end) => {
            let name = file.name[..end].to_string();
            Entry { path: root.join(&name), name, is_folder: true, bytes: 0 }
        }
    }
}

/// None if there is no such prefix.
async fn in_prefix(root: &Object) -> Result<Option<Vec<Entry>>> {
    let failed = |error| s3::failed(error, "look through a prefix", root.location());
    let bucket = stores::bucket(&root.bucket)?;
    let listed = bucket.list_with_delimiter(Some(&root.key)).await.map_err(failed)?;
    if listed.objects.is_empty() && listed.common_prefixes.is_empty() {
        return Ok(None);
    }
    let entry = |key: &object_store::path::Path, is_folder, bytes| {
        let name = key.filename().unwrap_or_default().to_string();
        let object = Object { bucket: root.bucket.clone(), key: key.clone() };
        Entry { name, path: PathBuf::from(object.location()), is_folder, bytes }
    };
    // A file may have the name of a folder; they are one after the other then.
    let mut all: BTreeMap<(String, bool), Entry> = BTreeMap::new();
    let folders = listed.common_prefixes.iter().map(|key| entry(key, true, 0));
    let files = listed.objects.iter().map(|meta| entry(&meta.location, false, meta.size));
    for one in folders.chain(files).filter(|one| !one.name.starts_with('.')) {
        // What stands for the prefix itself, as consoles make it, is in none.
        if one.path != Path::new(&root.location()) {
            all.insert((one.name.clone(), one.is_folder), one);
        }
    }
    Ok(Some(all.into_values().collect()))
}

/// None if there is no such prefix.
async fn below_prefix(root: &Object) -> Result<Option<Vec<Entry>>> {
    let failed = |error| s3::failed(error, "look through a prefix", root.location());
    let bucket = stores::bucket(&root.bucket)?;
    let listed: Vec<_> = bucket.list_below(&root.key).try_collect().await.map_err(failed)?;
    if listed.is_empty() {
        return Ok(None);
    }
    let mut all: Vec<Entry> = listed
        .into_iter()
        .filter_map(|meta| {
            let names = meta.location.prefix_match(&root.key)?;
            let names: Vec<String> = names.map(|part| part.as_ref().to_string()).collect();
            let object = Object { bucket: root.bucket.clone(), key: meta.location.clone() };
            let (name, path) = (names.join("/"), PathBuf::from(object.location()));
            let is_there = !name.is_empty();
            is_there.then_some(Entry { name, path, is_folder: false, bytes: meta.size })
        })
        .collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(all))
}
