//! What holds for every generated EMR, recounted from its files with the csv crate.

mod bytes;
mod changes;
mod extract;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use super::{Defects, LegacyEmr};

/// A small EMR without malformed records and with many other defects.
fn small() -> LegacyEmr {
    let defects = Defects {
        bad_times_per_million: 20_000,
        drifted_codes_per_million: 100_000,
        duplicates_per_million: 10_000,
        corrected_per_million: 50_000,
        duplicate_people_per_million: 50_000,
        malformed: 0,
    };
    LegacyEmr { patients: 300, defects, ..LegacyEmr::default() }
}

/// Writes an EMR to a folder of its own.
fn generate(emr: &LegacyEmr) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    emr.write(folder.path(), &mut |_, _| {}).unwrap();
    folder
}

/// The files of [`small`], written once for all tests.
fn files() -> &'static Path {
    static FILES: OnceLock<tempfile::TempDir> = OnceLock::new();
    FILES.get_or_init(|| generate(&small())).path()
}

fn truth(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("truth.json")).unwrap()).unwrap()
}

/// A CSV file's header and records; a record of another length than the header's fails.
fn read(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(String::from).collect();
    let fields = |record: csv::StringRecord| record.iter().map(String::from).collect();
    (header, reader.records().map(|record| fields(record.unwrap())).collect())
}

/// All files under a folder by their path in it.
fn all_files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// 64-bit FNV-1a, written again so that the tests do not trust the code.
fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
    bytes.into_iter().fold(14_695_981_039_346_656_037, step)
}

/// The live rows of a table by key: of the rows of one key the one with the highest version.
fn newest(header: &[String], rows: Vec<Vec<String>>) -> BTreeMap<i64, Vec<String>> {
    let version_at = header.iter().position(|name| name == "version");
    let version = |row: &[String]| version_at.map_or(1, |at| row[at].parse::<i64>().unwrap());
    let mut live: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in rows {
        let key = row[0].parse().unwrap();
        if live.get(&key).is_none_or(|known| version(known) < version(&row)) {
            live.insert(key, row);
        }
    }
    live
}

/// Recounts the sums that the truth file gives for the live rows of a table.
fn assert_live(expected: &Value, header: &[String], live: &BTreeMap<i64, Vec<String>>) {
    let at = |name: &str| header.iter().position(|column| column == name);
    let number = |text: &str| text.replace('.', "").parse::<u64>().unwrap();
    let sum = |column: usize| live.values().map(|row| number(&row[column])).sum::<u64>();
    let mut hash = 0_u64;
    for row in live.values() {
        let bytes = row.iter().flat_map(|field| field.bytes().chain([0x1f]));
        hash = hash.wrapping_add(fnv(bytes));
    }
    assert_eq!(expected["keys"], live.len());
    assert_eq!(expected["key_sum"], sum(0));
    assert_eq!(expected["version_sum"].as_u64(), at("version").map(sum));
    assert_eq!(expected["amount_cents"].as_u64(), at("amount").map(sum));
    assert_eq!(expected["fingerprint"], format!("{hash:016x}"));
}
