//! Files that were cut short or overwritten: an error that names the file, never fewer rows.

use std::path::{Path, PathBuf};

use northstar_catalog::{ErrorKind, Result};
use northstar_iceberg::{Lake, storage};
use northstar_tests::csv_files::{folder, visits};
use northstar_tests::lab::{query, tester};
use tempfile::TempDir;

use super::files::{below, reachable};
use super::place::{Place, load};

/// A table of two snapshots, each of one data file.
async fn table() -> (TempDir, Place, Lake) {
    let parent = tempfile::tempdir().unwrap();
    let place = Place::new(parent.path());
    for batch in 0..2_u64 {
        let mut text = String::from("id,site,at,note\n");
        let rows = visits(batch * 1_000, 200);
        let one_site =
            rows.lines().skip(1).map(|row| row.replacen(",s1", ",s0", 1).replacen(",s2", ",s0", 1));
        for row in one_site {
            text.push_str(&format!("{row}\n"));
        }
        let from = folder(parent.path(), &format!("in{batch}"), &[("site.csv", text.as_bytes())]);
        load(&place.lake(u32::try_from(batch).unwrap()).await, &from).await.unwrap();
    }
    let lake = place.lake(5).await;
    (parent, place, lake)
}

/// All columns of all rows, as a number that any lost or changed row changes.
async fn sum(lake: &Lake) -> Result<String> {
    let sql = "SELECT count(id), sum(id), count(note), max(at), sum(_source_line), max(_arrived_at), \
               sum(_payload_hash % 1000), count(DISTINCT site), sum(_seq) FROM bronze.site";
    let batches = query(lake, sql).await?;
    Ok(arrow::util::pretty::pretty_format_batches(&batches).unwrap().to_string())
}

/// Puts `bytes` in the place of `file`, reads the table and expects an error that names the file.
async fn is_damaged(lake: &Lake, file: &Path, bytes: Option<&[u8]>, what: &str) {
    let whole = std::fs::read(file).unwrap();
    match bytes {
        Some(bytes) => std::fs::write(file, bytes).unwrap(),
        None => std::fs::remove_file(file).unwrap(),
    }
    match sum(lake).await {
        Ok(rows) => panic!("{what}: rows are read as if nothing were wrong\n{rows}"),
        Err(error) => {
            let name = file.file_name().unwrap().to_string_lossy();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {error}");
            assert!(error.to_string().contains(&*name), "{what}: {name} is not in: {error}");
        }
    }
    std::fs::write(file, whole).unwrap();
}

/// Cuts a file at several places, empties it, fills it with zeros, and removes it.
async fn all_damages(lake: &Lake, file: &Path, what: &str) {
    let whole = std::fs::read(file).unwrap();
    for length in [0, 1, whole.len() / 3, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        is_damaged(lake, file, Some(&whole[..length]), &format!("{what} cut at {length}")).await;
    }
    is_damaged(lake, file, Some(&vec![0; whole.len()]), &format!("{what} of zeros")).await;
    is_damaged(lake, file, None, &format!("{what} removed")).await;
}

async fn files(lake: &Lake, end: &str) -> Vec<PathBuf> {
    let all = reachable(lake, &"bronze.site".parse().unwrap()).await;
    all.into_iter().filter(|file| file.to_string_lossy().ends_with(end)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_metadata_file_is_named() {
    let (_folder, _place, lake) = table().await;
    let whole = sum(&lake).await.unwrap();
    let location = lake.catalog.pointer(&"bronze.site".parse().unwrap()).await.unwrap();
    let file = storage::local_path(&location.metadata_location).unwrap();
    all_damages(&lake, &file, "metadata.json").await;
    assert_eq!(sum(&lake).await.unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_manifest_list_or_manifest_is_named() {
    let (_folder, _place, lake) = table().await;
    let whole = sum(&lake).await.unwrap();
    let table = lake.open_table(&"bronze.site".parse().unwrap(), &tester()).await.unwrap();
    let list = table.metadata().current_snapshot().unwrap().manifest_list();
    all_damages(&lake, &storage::local_path(list).unwrap(), "manifest list").await;
    let manifests = files(&lake, "-m0.avro").await;
    assert_eq!(manifests.len(), 2);
    for manifest in manifests {
        all_damages(&lake, &manifest, "manifest").await;
    }
    assert_eq!(sum(&lake).await.unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_data_file_is_named_and_no_row_is_missing_from_an_answer() {
    let (_folder, _place, lake) = table().await;
    let whole = sum(&lake).await.unwrap();
    let data = files(&lake, ".parquet").await;
    assert_eq!(data.len(), 2);
    all_damages(&lake, &data[1], "data file").await;
    let bytes = std::fs::read(&data[0]).unwrap();
    let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap());
    let footer = bytes.len() - 8 - usize::try_from(footer).unwrap();
    for (what, range) in [
        ("data pages", 4..footer),
        ("the first page", 4..20),
        ("the footer", footer..bytes.len() - 8),
        ("the middle of the footer", (footer + bytes.len()) / 2..bytes.len() - 8),
    ] {
        let mut damaged = bytes.clone();
        damaged[range].fill(0xA5);
        is_damaged(&lake, &data[0], Some(&damaged), what).await;
    }
    assert_eq!(sum(&lake).await.unwrap(), whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_onto_a_damaged_head_fails_and_changes_nothing() {
    let (parent, place, lake) = table().await;
    let whole = sum(&lake).await.unwrap();
    let from = folder(parent.path(), "in9", &[("site.csv", visits(9_000, 30).as_bytes())]);
    let table = lake.open_table(&"bronze.site".parse().unwrap(), &tester()).await.unwrap();
    let list = table.metadata().current_snapshot().unwrap().manifest_list();
    let list = storage::local_path(list).unwrap();
    let bytes = std::fs::read(&list).unwrap();
    std::fs::write(&list, &bytes[..bytes.len() / 2]).unwrap();
    let before = below(&place.path().join("tables"));
    let error = load(&lake, &from).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert_eq!(below(&place.path().join("tables")), before);
    std::fs::write(&list, &bytes).unwrap();
    assert_eq!(sum(&lake).await.unwrap(), whole);
    assert_eq!(load(&lake, &from).await.unwrap().tables[0].landed_rows(), 30);
}
