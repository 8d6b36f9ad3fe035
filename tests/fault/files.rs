//! Which files of a warehouse no table refers to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use northstar_iceberg::{Lake, TableName, storage};
use northstar_tests::lab::tester;

/// All files below a folder, sorted.
pub(crate) fn below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// The files that a table's current metadata leads to, whichever snapshot they belong to.
pub(crate) async fn reachable(lake: &Lake, name: &TableName) -> BTreeSet<PathBuf> {
    let table = lake.open_table(name, &tester()).await.expect("a table");
    let mut locations = vec![table.metadata_location().to_string()];
    locations.extend(table.metadata().metadata_log().iter().map(|log| log.metadata_file.clone()));
    for snapshot in table.metadata().snapshots() {
        locations.push(snapshot.manifest_list().to_string());
        let list = table.inner().manifest_list_reader(snapshot).load().await.expect("a list");
        for manifest in list.entries() {
            locations.push(manifest.manifest_path.clone());
            let manifest = manifest.load_manifest(&lake.file_io()).await.expect("a manifest");
            // That a file was removed may be told of one that has expired since.
            let alive = manifest.entries().iter().filter(|entry| entry.is_alive());
            locations.extend(alive.map(|entry| entry.file_path().to_string()));
        }
    }
    locations.iter().map(|location| storage::local_path(location).expect("a path")).collect()
}

/// The files in the warehouse's table folders that no table of `bronze` leads to.
pub(crate) async fn orphans(lake: &Lake) -> Vec<PathBuf> {
    let mut used = BTreeSet::new();
    for name in lake.catalog.list_tables("bronze").await.unwrap_or_default() {
        used.extend(reachable(lake, &name).await);
    }
    let all = below(&storage::local_path(&lake.warehouse).expect("a path"));
    for file in &used {
        assert!(all.contains(file), "{} is referred to and not there", file.display());
    }
    all.into_iter().filter(|file| !used.contains(file)).collect()
}

/// How many of these files end so.
pub(crate) fn ending(files: &[PathBuf], end: &str) -> usize {
    files.iter().filter(|file| file.to_string_lossy().ends_with(end)).count()
}
