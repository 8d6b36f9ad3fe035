//! Seeds, sizes, malformed records and mistakes of the caller.

use std::path::Path;

use northstar_catalog::ErrorKind;

use super::{all_files, files, fnv, generate, small, truth};
use crate::legacy_emr::{Defects, LegacyEmr};

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let again = generate(&small());
    let (first, second) = (all_files(files()), all_files(again.path()));
    assert_eq!(first.len(), 9 + 6 + 3 * 7 + 3);
    assert!(first == second);
}

/// The hash was taken on x86-64 Linux; a change of it changes every data set made before.
#[test]
fn the_bytes_are_those_of_every_platform_and_release() {
    let all = all_files(files()).into_iter().flat_map(|(name, bytes)| {
        name.to_string_lossy().replace('\\', "/").into_bytes().into_iter().chain(bytes)
    });
    assert_eq!(format!("{:016x}", fnv(all)), "f235d825115bd968");
}

#[test]
fn another_seed_gives_other_bytes_in_every_table() {
    let other = generate(&LegacyEmr { seed: 28, ..small() });
    let (first, second) = (all_files(files()), all_files(other.path()));
    for (name, bytes) in &first {
        let same = second[name] == *bytes;
        assert_eq!(same, name == Path::new("tables.toml"), "{}", name.display());
    }
}

#[test]
fn the_demo_size_has_about_120_000_rows_and_half_of_them_are_lab_results() {
    let folder = tempfile::tempdir().unwrap();
    let mut reports = 0;
    let written = LegacyEmr::default().write(folder.path(), &mut |_, _| reports += 1).unwrap();
    let rows: u64 = written.extract.iter().map(|table| table.rows).sum();
    let labs = written.extract.iter().find(|table| table.table == "lab_result").unwrap().rows;
    assert!((115_000..=125_000).contains(&rows), "{rows}");
    assert!((48..=52).contains(&(labs * 100 / rows)), "{labs} of {rows}");
    assert_eq!(written.extract.iter().map(|table| table.malformed).sum::<u64>(), 7);
    assert!(reports > 9);
    let bytes: usize = all_files(folder.path())
        .iter()
        .filter(|(name, _)| name.extension().is_some_and(|kind| kind == "csv"))
        .map(|(_, bytes)| bytes.len())
        .sum();
    assert_eq!(written.bytes, u64::try_from(bytes).unwrap());
}

#[test]
fn the_number_of_rows_follows_the_size_asked_for() {
    for wanted in [100_000, 300_000] {
        let emr = LegacyEmr { months: 3, ..LegacyEmr::default() }.with_about_rows(wanted);
        let folder = tempfile::tempdir().unwrap();
        let written = emr.write(folder.path(), &mut |_, _| {}).unwrap();
        let rows: u64 = written.extract.iter().map(|table| table.rows).sum();
        assert!(rows.abs_diff(wanted) < wanted * 3 / 100, "{rows} for {wanted}");
    }
}

#[test]
fn without_their_malformed_lines_the_files_are_the_clean_ones() {
    let mut emr = small();
    emr.defects.malformed = 60;
    let broken = generate(&emr);
    let clean = all_files(files());
    let mut found = 0;
    for (table, told) in truth(broken.path())["extract"].as_object().unwrap() {
        let name = format!("extract/{table}.csv");
        let text = std::fs::read(broken.path().join(&name)).unwrap();
        let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
        let mut bad = Vec::new();
        for at in told["malformed_at"].as_array().unwrap() {
            let line = usize::try_from(at["line"].as_u64().unwrap()).unwrap() - 1;
            assert_flaw(at["reason"].as_str().unwrap(), lines[line], lines[0]);
            bad.push(line);
        }
        assert_eq!(told["malformed_records"], bad.len());
        found += bad.len();
        let kept = lines.iter().enumerate().filter(|(at, _)| !bad.contains(at));
        let kept: Vec<u8> = kept.flat_map(|(_, line)| line.iter().copied()).collect();
        assert!(kept == clean[Path::new(&name)], "{name}");
    }
    assert_eq!(found, 60);
}

fn assert_flaw(reason: &str, line: &[u8], header: &[u8]) {
    let commas = |text: &[u8]| text.iter().filter(|byte| **byte == b',').count();
    let quotes = line.iter().filter(|byte| **byte == b'"').count();
    match reason {
        "column_count" => assert_ne!(commas(line), commas(header)),
        "unclosed_quote" => assert_eq!(quotes, 1),
        "not_utf8" => assert!(std::str::from_utf8(line).is_err()),
        "nul_byte" => assert!(line.contains(&0)),
        "not_a_number" => assert!(line.windows(5).any(|part| part == b",n/a,")),
        other => panic!("unknown reason {other}"),
    }
}

#[test]
fn without_defects_every_key_occurs_once() {
    let folder = generate(&LegacyEmr { defects: Defects::none(), ..small() });
    for (table, told) in truth(folder.path())["extract"].as_object().unwrap() {
        assert_eq!(told["rows"], told["distinct_keys"], "{table}");
        assert_eq!(told["drifted_codes"].as_object().unwrap().len(), 0, "{table}");
        assert_eq!(told["corrected_keys"], 0, "{table}");
    }
}

#[test]
fn the_smallest_emr_has_three_days_of_changes_too() {
    let emr = LegacyEmr { patients: 1, facilities: 1, months: 1, ..LegacyEmr::default() };
    let folder = tempfile::tempdir().unwrap();
    let written = emr.write(folder.path(), &mut |_, _| {}).unwrap();
    assert_eq!(written.changes.len(), 3 * 7);
    assert!(written.changes.iter().any(|file| file.rows > 0));
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let sound = small();
    let second = sound.first_month.succ_opt().unwrap();
    let defects = Defects { drifted_codes_per_million: 1_000_001, ..Defects::none() };
    let folder = tempfile::tempdir().unwrap();
    for emr in [
        LegacyEmr { facilities: 0, ..sound.clone() },
        LegacyEmr { patients: 0, ..sound.clone() },
        LegacyEmr { months: 241, ..sound.clone() },
        LegacyEmr { first_month: second, ..sound.clone() },
        LegacyEmr { defects, ..sound },
    ] {
        let error = emr.write(folder.path(), &mut |_, _| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(all_files(folder.path()).len(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken");
    std::fs::write(&file, "").unwrap();
    let error = small().write(&file, &mut |_, _| {}).unwrap_err();
    assert_eq!(error.context("path"), Some(file.display().to_string().as_str()));
}
