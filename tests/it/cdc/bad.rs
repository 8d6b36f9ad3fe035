//! Batches that are refused: whole, each with file, line, column and reason, and without a value.

use northstar_iceberg::ErrorKind;

use super::{Bench, HEADER};

const GOOD: &str = "2,0a,1,01,1,1,good";

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_none_refuses_the_batch() {
    for (record, parts) in [
        ("2,0a,1,01,SENTINEL,1,x", &["line 3, column id", "not of type long"][..]),
        ("2,0a,1,01,,1,SENTINEL", &["line 3, column id", "the key is NULL"]),
        ("9,0a,1,01,1,1,SENTINEL", &["line 3, column op", "no operation"]),
        (",0a,1,01,1,1,SENTINEL", &["line 3, column op", "no operation"]),
        ("2,SENTINEL,1,01,1,1,x", &["line 3, column commit_lsn", "not hexadecimal"]),
        ("2,00a,1,01,1,1,SENTINEL", &["line 3, column commit_lsn", "3 digits where others have 2"]),
        ("2,0a,-1,01,1,1,SENTINEL", &["line 3, column command_id", "a number from 0 on"]),
        ("2,0a,1,,1,1,SENTINEL", &["line 3, column seqval", "it is empty"]),
        ("2,0a,1,01,1,1", &["line 3", "expected 7 columns, found 6"]),
        ("2,0a,1,01,1,1,\"SENTINEL", &["line 3", "a quote is not closed"]),
    ] {
        let bench = Bench::new("").await;
        bench.change("first.csv", &["2,01,1,01,1,1,first"]).await;
        let files = [bench.file("good.csv", &[GOOD]), bench.file("bad.csv", &[GOOD, record])];
        let error = bench.try_merge(&files).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{record}: {error}");
        let text = error.to_string();
        for part in [&["bad.csv", "nothing was"], parts].concat() {
            assert!(text.contains(part), "{record}: `{part}` is missing in {text}");
        }
        assert!(!text.contains("SENTINEL"), "{text}");
        assert_eq!(bench.rows("").await, ["1|1|first|01/0000000001/01"], "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_do_not_fit_are_told() {
    let bench = Bench::new("").await;
    bench.change("first.csv", &["2,01,1,01,1,1,first"]).await;
    for (header, parts) in [
        ("op,commit_lsn,seqval,id,version,note", &["missing: command_id"][..]),
        ("op,commit_lsn,command_id,seqval,id,version,note,more", &["extra: column 8"]),
        ("op,commit_lsn,command_id,seqval,id,version", &["missing: note"]),
    ] {
        let file = bench.raw("bad.csv", &format!("{header}\n"));
        let error = bench.try_merge(&[file]).await.unwrap_err();
        for part in [&["bad.csv"], parts].concat() {
            assert!(error.to_string().contains(part), "{header}: {error}");
        }
    }
    let new = Bench::new("").await;
    let file = new.raw("bad.csv", "id,version,note\n1,1,x\n");
    let error = new.try_merge(&[file]).await.unwrap_err();
    assert!(error.to_string().contains("lacks op, commit_lsn, command_id, seqval"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_missing_or_empty_are_told() {
    let bench = Bench::new("").await;
    let missing = bench.try_merge(&[bench.lab.path("gone.csv")]).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let empty = bench.raw("empty.csv", "");
    let error = bench.try_merge(&[empty]).await.unwrap_err();
    assert!(error.to_string().contains("it has no header"), "{error}");
    let folder = bench.lab.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let error = bench.try_merge(&[folder]).await.unwrap_err();
    assert!(error.to_string().contains("it is no file"), "{error}");
    let damaged = bench.raw("bad.parquet", "PAR1 and no more");
    let error = bench.try_merge(&[damaged]).await.unwrap_err();
    assert!(error.to_string().contains("Parquet file cannot be read"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_that_do_not_fit_are_told() {
    let bench = Bench::new("version = \"version\"").await;
    let file = [bench.file("a.csv", &[GOOD])];
    bench.merge(&file).await;
    let folder = bench.lab.folder.path();
    for (table, said, part) in [
        ("u", "[u]\nsort = [\"id\"]", "write key = [\"…\"] under [u]"),
        ("u", "[u]\nkey = [\"gone\"]", "do not have: gone"),
        ("u", "[u]\nkey = [\"id\"]\nversion = \"gone\"", "do not have: gone"),
        ("u", "[u]\nkey = [\"id\"]\ndeletes = \"gently\"", "use soft or hard"),
        ("t", "[t]\nkey = [\"note\"]", "contract's key is not that of the table"),
        ("t", "[t]\ndeletes = \"hard\"", "made with soft"),
        ("t", "[t]\nversion = \"note\"", "made with version"),
        ("t", "[t.columns]\nid = \"string\"", "column id type string, and the table has long"),
    ] {
        let merged = super::merge(&bench.lab.lake, folder, table, said, &file).await;
        let error = merged.unwrap_err();
        assert!(error.to_string().contains(part), "{said}: {error}");
    }
    // A contract that says nothing leaves it to the table.
    let more = [bench.file("b.csv", &["4,0b,1,01,1,2,more"])];
    let report = super::merge(&bench.lab.lake, folder, "t", "", &more).await.unwrap();
    assert_eq!(report.updated, 1);
}

/// In the hour that the end of daylight saving repeats, 02:10 may be before or after 02:40.
#[tokio::test(flavor = "multi_thread")]
async fn m4_a_local_time_is_no_version_unless_it_is_said_to_be_utc() {
    let bench = Bench::new("").await;
    let (folder, lake) = (bench.lab.folder.path(), &bench.lab.lake);
    let said = |kind: &str, more: &str| {
        format!(
            "[w]\nkey = [\"id\"]\nversion = \"at\"\n{more}\n[w.columns]\nid = \"long\"\nat = \"{kind}\"\n"
        )
    };
    let header = "op,commit_lsn,command_id,seqval,id,at";
    let file = |name: &str, record: &str| [bench.raw(name, &format!("{header}\n{record}\n"))];
    let first = file("1.csv", "2,0a,1,01,1,2024-11-03 01:40:00");
    for more in ["", "version_is_utc = false"] {
        let merged = super::merge(lake, folder, "w", &said("timestamp", more), &first).await;
        let error = merged.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        for part in
            ["version at is a timestamp", "timestamptz", "version_is_utc = true under [w]", "ns.w"]
        {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }
    assert!(lake.catalog.pointer(&"ns.w".parse().unwrap()).await.is_err(), "nothing was made");
    let utc = said("timestamp", "version_is_utc = true");
    super::merge(lake, folder, "w", &utc, &first).await.unwrap();
    // The table remembers it, for a contract that says nothing of it.
    let second = file("2.csv", "4,0b,1,01,1,2024-11-03 02:10:00");
    assert_eq!(super::merge(lake, folder, "w", "", &second).await.unwrap().updated, 1);

    // A table of before, which does not say so.
    let name = "ns.w".parse().unwrap();
    let table = lake.open_table(&name, &northstar_tests::lab::tester()).await.unwrap();
    let unset = lake.alter(&table, |_, builder| {
        Ok(Some(builder.remove_properties(&["northstar.version-is-utc".to_string()]).unwrap()))
    });
    assert!(unset.await.unwrap().settled().unwrap());
    let third = file("3.csv", "4,0c,1,01,1,2024-11-03 02:20:00");
    let error = super::merge(lake, folder, "w", "", &third).await.unwrap_err();
    assert!(error.to_string().contains("version_is_utc = true"), "{error}");
    assert_eq!(super::merge(lake, folder, "w", &utc, &third).await.unwrap().updated, 1);

    // With a zone, or without a version, it is never asked.
    let zoned = file("z.csv", "2,0a,1,01,1,2024-11-03 01:40:00Z");
    let said = said("timestamptz", "").replace("[w", "[z");
    assert_eq!(super::merge(lake, folder, "z", &said, &zoned).await.unwrap().inserted, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_no_merge_made_is_left_alone() {
    let bench = Bench::new("").await;
    let made = northstar_tests::changes::Changes::new(&bench.lab, "ns.t", &[]).await;
    let error = bench.try_merge(&[bench.file("a.csv", &[GOOD])]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("not made for changes"), "{error}");
    assert!(made.rows().await.is_empty());
    assert!(HEADER.starts_with("op,"));
}
