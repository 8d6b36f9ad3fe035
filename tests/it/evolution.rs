//! Tables whose columns, partitions and properties change after files were written: each file is
//! read as what it is (E1), whatever the definition is by then.

#![cfg(test)]

use std::collections::BTreeMap;

use iceberg::spec::DataFile;
use northstar_iceberg::ErrorKind;
use northstar_iceberg::maintenance::{CompactOptions, compact, rewrite_manifests};
use northstar_iceberg::merge::{ChangeReport, Executed, LakeSession};
use northstar_tests::changes::{rows, session};
use northstar_tests::csv_files::folder;
use northstar_tests::lab::{Lab, run_context, tester};

/// Runs a statement that succeeds.
async fn run(session: &LakeSession, sql: &str) -> Option<ChangeReport> {
    match session.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")) {
        Executed::Changed(report) => Some(report),
        Executed::Defined(_) => None,
        Executed::Rows(_) => panic!("{sql} only reads"),
    }
}

async fn all(session: &LakeSession, statements: &[&str]) {
    for sql in statements {
        run(session, sql).await;
    }
}

/// The live data files of the table's current snapshot, with the spec of each.
async fn files(lab: &Lab, table: &str) -> Vec<(i32, DataFile)> {
    let table = lab.lake.open_table(&table.parse().unwrap(), &tester()).await.unwrap();
    let Some(snapshot) = table.metadata().current_snapshot() else { return Vec::new() };
    let list = table.inner().manifest_list_reader(snapshot).load().await.unwrap();
    let mut files = Vec::new();
    for file in list.entries() {
        let manifest = file.load_manifest(table.inner().file_io()).await.unwrap();
        let live = manifest.entries().iter().filter(|entry| entry.is_alive());
        files.extend(live.map(|entry| (file.partition_spec_id, entry.data_file().clone())));
    }
    files
}

const MODES: [&str; 2] = ["copy-on-write", "merge-on-read"];

/// `ns.t` in its first form, with two rows; statements delete as `mode` says.
async fn first(mode: &str) -> (Lab, LakeSession) {
    let lab = Lab::new().await;
    let session = session(&lab);
    let modes = ["merge", "update", "delete"].map(|verb| format!("'write.{verb}.mode' = '{mode}'"));
    let create = format!(
        "CREATE TABLE ns.t (id INT NOT NULL, name STRING, weight FLOAT, fee DECIMAL(5, 2), gone STRING) \
         TBLPROPERTIES ({})",
        modes.join(", ")
    );
    all(
        &session,
        &[
            "CREATE SCHEMA ns",
            &create,
            "INSERT INTO ns.t VALUES (1, 'Ada', 1.5, '100.25', 'x'), (2, 'Ben', 2.5, '200.50', 'y')",
        ],
    )
    .await;
    (lab, session)
}

/// Each column changed in another way, and two rows on top.
const CHANGES: [&str; 10] = [
    "ALTER TABLE ns.t RENAME COLUMN name TO label",
    "ALTER TABLE ns.t ALTER COLUMN id TYPE BIGINT",
    "ALTER TABLE ns.t ALTER COLUMN weight TYPE DOUBLE",
    "ALTER TABLE ns.t ALTER COLUMN fee TYPE DECIMAL(12, 2)",
    "ALTER TABLE ns.t DROP COLUMN gone",
    "ALTER TABLE ns.t ADD COLUMN gone BIGINT",
    "ALTER TABLE ns.t ADD COLUMN name STRING AFTER id",
    "ALTER TABLE ns.t ALTER COLUMN label FIRST",
    "ALTER TABLE ns.t ALTER COLUMN id DROP NOT NULL",
    "INSERT INTO ns.t VALUES ('Cleo', 5000000000, 'new', 3.1, '1234567890.25', 7), \
     (NULL, NULL, NULL, NULL, NULL, NULL)",
];

#[tokio::test(flavor = "multi_thread")]
async fn e1_old_files_are_read_by_field_id_at_every_version() {
    let (lab, session) = first(MODES[0]).await;
    all(&session, &CHANGES).await;
    for (sql, want) in [
        (
            "SELECT * FROM ns.t",
            &[
                "Ada|1|NULL|1.5|100.25|NULL",
                "Ben|2|NULL|2.5|200.50|NULL",
                "Cleo|5000000000|new|3.1|1234567890.25|7",
                "NULL|NULL|NULL|NULL|NULL|NULL",
            ][..],
        ),
        ("SELECT label FROM ns.t WHERE id = 2", &["Ben"]),
        ("SELECT label FROM ns.t WHERE id > 1 AND id < 6000000000", &["Ben", "Cleo"]),
        ("SELECT id FROM ns.t WHERE label = 'Ada'", &["1"]),
        ("SELECT id FROM ns.t WHERE name = 'new'", &["5000000000"]),
        ("SELECT id FROM ns.t WHERE name IS NULL AND id IS NOT NULL", &["1", "2"]),
        ("SELECT id FROM ns.t WHERE weight = 2.5", &["2"]),
        ("SELECT id FROM ns.t WHERE weight >= 2.5", &["2", "5000000000"]),
        ("SELECT id FROM ns.t WHERE fee = 200.50", &["2"]),
        ("SELECT id FROM ns.t WHERE fee > 1000", &["5000000000"]),
        ("SELECT id FROM ns.t WHERE gone = 7", &["5000000000"]),
        ("SELECT count(gone), count(*), min(id), max(fee) FROM ns.t", &["1|4|1|1234567890.25"]),
    ] {
        assert_eq!(rows(&session, sql).await, want, "{sql}");
    }
    // The first snapshot keeps the columns that it was written with.
    let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    let first = table.ancestors().last().unwrap().snapshot_id();
    let old = format!("SELECT * FROM ns.t VERSION AS OF {first}");
    assert_eq!(rows(&session, &old).await, ["1|Ada|1.5|100.25|x", "2|Ben|2.5|200.50|y"]);
    let old = format!("SELECT gone FROM ns.t VERSION AS OF {first} WHERE name = 'Ben' AND id = 2");
    assert_eq!(rows(&session, &old).await, ["y"]);
    // No id is used twice.
    let metadata = table.metadata();
    let ids: BTreeMap<&str, i32> = metadata
        .current_schema()
        .as_struct()
        .fields()
        .iter()
        .map(|field| (field.name.as_str(), field.id))
        .collect();
    let want = [("fee", 4), ("gone", 6), ("id", 1), ("label", 2), ("name", 7), ("weight", 3)];
    assert_eq!(ids, want.into());
    assert_eq!(metadata.last_column_id(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_rows_of_old_files_are_changed_as_what_they_are() {
    for mode in MODES {
        let (_lab, session) = first(mode).await;
        all(&session, &CHANGES).await;
        all(
            &session,
            &[
                "MERGE INTO ns.t USING (VALUES (2, 9.5), (6000000000, 4.5)) AS s(id, w) \
                 ON t.id = s.id WHEN MATCHED THEN UPDATE SET weight = s.w, name = 'merged' \
                 WHEN NOT MATCHED THEN INSERT (id, weight) VALUES (s.id, s.w)",
                "UPDATE ns.t SET gone = 1 WHERE label = 'Ada'",
                "DELETE FROM ns.t WHERE id IS NULL",
            ],
        )
        .await;
        let want = [
            "Ada|1|NULL|1.5|100.25|1",
            "Ben|2|merged|9.5|200.50|NULL",
            "Cleo|5000000000|new|3.1|1234567890.25|7",
            "NULL|6000000000|NULL|4.5|NULL|NULL",
        ];
        assert_eq!(rows(&session, "SELECT * FROM ns.t").await, want, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_a_widened_partition_column_keeps_its_partitions() {
    for mode in MODES {
        let lab = Lab::new().await;
        let session = session(&lab);
        let create = format!(
            "CREATE TABLE ns.p (k INT, d DECIMAL(5, 2), n BIGINT) PARTITIONED BY (k, bucket(4, d)) \
             TBLPROPERTIES ('write.merge.mode' = '{mode}', 'write.delete.mode' = '{mode}')"
        );
        all(
            &session,
            &[
                "CREATE SCHEMA ns",
                &create,
                "INSERT INTO ns.p VALUES (1, '1.25', 10), (1, '1.25', 11), (2, '2.25', 20)",
                "ALTER TABLE ns.p ALTER COLUMN k TYPE BIGINT",
                "ALTER TABLE ns.p ALTER COLUMN d TYPE DECIMAL(20, 2)",
                "INSERT INTO ns.p VALUES (1, '1.25', 12), (5000000000, '1.25', 30)",
            ],
        )
        .await;
        assert_eq!(rows(&session, "SELECT n FROM ns.p WHERE k = 1").await, ["10", "11", "12"]);
        assert_eq!(rows(&session, "SELECT n FROM ns.p WHERE k > 1").await, ["20", "30"]);
        assert_eq!(rows(&session, "SELECT n FROM ns.p WHERE d = 2.25").await, ["20"]);
        let merged = "MERGE INTO ns.p USING (VALUES (1, 10), (2, 20)) AS s(k, n) \
             ON p.k = s.k AND p.n = s.n WHEN MATCHED THEN UPDATE SET n = p.n + 100";
        assert_eq!(run(&session, merged).await.unwrap().updated_rows, 2, "{mode}");
        assert_eq!(run(&session, "DELETE FROM ns.p WHERE n = 11").await.unwrap().deleted_rows, 1);
        // The old file's partition 1 and the new one's are the same.
        let over = run(&session, "INSERT OVERWRITE ns.p VALUES (1, '1.25', 1)").await.unwrap();
        assert_eq!((over.inserted_rows, over.deleted_rows), (1, 2), "{mode}");
        let want = ["1|1.25|1", "2|2.25|120", "5000000000|1.25|30"];
        assert_eq!(rows(&session, "SELECT * FROM ns.p").await, want, "{mode}");
        run(&session, "TRUNCATE TABLE ns.p").await;
        assert_eq!(files(&lab, "ns.p").await.len(), 0, "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_a_widened_partition_column_survives_maintenance() {
    let lab = Lab::new().await;
    let session = session(&lab);
    all(
        &session,
        &[
            "CREATE SCHEMA ns",
            "CREATE TABLE ns.p (k INT, n BIGINT) PARTITIONED BY (k)",
            "INSERT INTO ns.p VALUES (1, 10), (2, 20)",
            "INSERT INTO ns.p VALUES (1, 11), (2, 21)",
            "ALTER TABLE ns.p ALTER COLUMN k TYPE BIGINT",
            "INSERT INTO ns.p VALUES (1, 12), (5000000000, 30)",
            "INSERT INTO ns.p VALUES (1, 13)",
        ],
    )
    .await;
    let name = "ns.p".parse().unwrap();
    let want = ["1|10", "1|11", "1|12", "1|13", "2|20", "2|21", "5000000000|30"];
    rewrite_manifests(&lab.lake, &tester(), &run_context(), &name).await.unwrap();
    assert_eq!(rows(&session, "SELECT * FROM ns.p").await, want);
    let shown = "SELECT DISTINCT partition FROM ns.\"p$files\"";
    let partitions = ["1", "2", "5000000000"].map(|k| format!("{{\"k\": \"{k}\"}}"));
    assert_eq!(rows(&session, shown).await, partitions);
    assert_eq!(rows(&session, "SELECT n FROM ns.p WHERE k = 2").await, ["20", "21"]);
    assert_eq!(rows(&session, "SELECT n FROM ns.p WHERE k > 2").await, ["30"]);
    compact(&session, &name, &CompactOptions::default()).await.unwrap();
    assert_eq!(rows(&session, "SELECT * FROM ns.p").await, want);
    rewrite_manifests(&lab.lake, &tester(), &run_context(), &name).await.unwrap();
    assert_eq!(rows(&session, "SELECT n FROM ns.p WHERE k = 2").await, ["20", "21"]);
    run(&session, "DELETE FROM ns.p WHERE k = 2").await;
    assert_eq!(rows(&session, "SELECT count(*) FROM ns.p").await, ["5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_files_keep_their_partition_spec_and_changed_rows_get_the_new_one() {
    for mode in MODES {
        let lab = Lab::new().await;
        let session = session(&lab);
        let create = format!(
            "CREATE TABLE ns.v (id BIGINT, site STRING, at TIMESTAMP) PARTITIONED BY (site) \
             TBLPROPERTIES ('write.merge.mode' = '{mode}', 'write.update.mode' = '{mode}')"
        );
        all(
            &session,
            &[
                "CREATE SCHEMA ns",
                &create,
                "INSERT INTO ns.v VALUES (1, 'a', TIMESTAMP '2024-01-01 00:00:00'), \
                 (2, 'b', TIMESTAMP '2024-01-01 00:00:00')",
                "ALTER TABLE ns.v REPLACE PARTITION FIELD site WITH month(at)",
                "ALTER TABLE ns.v ADD PARTITION FIELD bucket(2, id)",
                "INSERT INTO ns.v VALUES (3, 'a', TIMESTAMP '2024-01-05 00:00:00'), \
                 (4, 'c', TIMESTAMP '2024-02-05 00:00:00')",
            ],
        )
        .await;
        let specs = async || {
            let mut specs: Vec<i32> = files(&lab, "ns.v")
                .await
                .into_iter()
                .filter(|(_, file)| file.content_type() == iceberg::spec::DataContentType::Data)
                .map(|(spec, _)| spec)
                .collect();
            specs.sort_unstable();
            specs
        };
        assert_eq!(specs().await, [0, 0, 2, 2]);
        assert_eq!(rows(&session, "SELECT id FROM ns.v WHERE site = 'a'").await, ["1", "3"]);
        let february = "at >= TIMESTAMP '2024-02-01 00:00:00'";
        let query = format!("SELECT id FROM ns.v WHERE {february}");
        assert_eq!(rows(&session, &query).await, ["4"]);
        // Each file is left out by its own spec: one of site `b` by the old one, January's by the
        // new one.
        let update = "UPDATE ns.v SET id = id + 10 WHERE site = 'a' AND at < TIMESTAMP '2024-02-01 00:00:00'";
        let report = run(&session, update).await.unwrap();
        assert_eq!((report.files_considered, report.files), (2, 4), "{mode}");
        assert_eq!(report.updated_rows, 2, "{mode}");
        let rest: usize = if mode == MODES[0] { 1 } else { 2 };
        assert_eq!(specs().await.iter().filter(|spec| **spec == 0).count(), rest, "{mode}");
        assert_eq!(
            rows(&session, "SELECT id, site FROM ns.v").await,
            ["11|a", "13|a", "2|b", "4|c"],
            "{mode}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_that_name_a_column_follow_it() {
    let lab = Lab::new().await;
    let session = session(&lab);
    all(
        &session,
        &[
            "CREATE SCHEMA ns",
            "CREATE TABLE ns.t (id BIGINT, name STRING, mail STRING) TBLPROPERTIES (\
             'northstar.key' = 'id', 'northstar.phi.direct' = 'name, mail', \
             'write.metadata.metrics.column.name' = 'counts', \
             'write.metadata.metrics.column.mail' = 'counts', \
             'write.parquet.bloom-filter-enabled.column.id' = 'true')",
            "ALTER TABLE ns.t RENAME COLUMN name TO full_name",
            "ALTER TABLE ns.t RENAME COLUMN id TO nr",
            "ALTER TABLE ns.t DROP COLUMN mail",
            "INSERT INTO ns.t VALUES (1, 'Ada')",
        ],
    )
    .await;
    let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
    let properties = table.metadata().properties();
    let get = |key: &str| properties.get(key).map(String::as_str);
    assert_eq!(get("northstar.key"), Some("nr"));
    assert_eq!(get("northstar.phi.direct"), Some("full_name"));
    assert_eq!(get("write.metadata.metrics.column.full_name"), Some("counts"));
    assert_eq!(get("write.parquet.bloom-filter-enabled.column.nr"), Some("true"));
    for old in ["name", "mail"] {
        assert_eq!(get(&format!("write.metadata.metrics.column.{old}")), None);
    }
    // So no manifest shows a name.
    for (_, file) in files(&lab, "ns.t").await {
        assert_eq!(file.lower_bounds().keys().copied().collect::<Vec<i32>>(), [1]);
    }
    for (sql, part) in [
        ("ALTER TABLE ns.t DROP COLUMN nr", "is part of the table's key; write first"),
        ("ALTER TABLE ns.t ADD PARTITION FIELD full_name", "`full_name` identifies people"),
    ] {
        let error = session.execute(sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{sql}");
        assert!(error.to_string().contains(part), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_so_already_makes_no_new_metadata() {
    let (lab, session) = first(MODES[0]).await;
    let place = async || {
        let table = lab.lake.open_table(&"ns.t".parse().unwrap(), &tester()).await.unwrap();
        table.metadata_location().to_string()
    };
    all(&session, &["ALTER TABLE ns.t SET TBLPROPERTIES ('owner' = 'office')"]).await;
    let before = place().await;
    for sql in [
        "ALTER TABLE ns.t SET TBLPROPERTIES ('owner' = 'office')",
        "ALTER TABLE ns.t UNSET TBLPROPERTIES ('nobody')",
        "ALTER TABLE ns.t ALTER COLUMN id TYPE INT",
        "ALTER TABLE ns.t ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE ns.t ALTER COLUMN id FIRST",
        "ALTER TABLE ns.t RENAME COLUMN id TO id",
        "ALTER TABLE ns.t ADD COLUMN IF NOT EXISTS name STRING",
        "ALTER TABLE ns.t DROP COLUMN IF EXISTS nothing",
    ] {
        match session.execute(sql).await.unwrap() {
            Executed::Defined(defined) => assert!(!defined.changed, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
        assert_eq!(place().await, before, "{sql}");
    }
    run(&session, "ALTER TABLE ns.t ALTER COLUMN id TYPE BIGINT").await;
    assert_ne!(place().await, before);
}

const CONTRACT: &str = "[visit.columns]\nid = \"int\"\nsite = \"string\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_load_takes_what_old_and_new_columns_share() {
    let lab = Lab::new().await;
    let session = session(&lab);
    let load = async |name: &str, text: &str| {
        let from = folder(lab.folder.path(), name, &[("visit.csv", text.as_bytes())]);
        lab.load(&from, CONTRACT).await
    };
    load("one", "id,site\n1,a\n").await.unwrap();
    run(&session, "ALTER TABLE bronze.visit ALTER COLUMN id TYPE BIGINT").await;
    load("two", "id,site\n5000000000,b\n").await.unwrap();
    assert_eq!(rows(&session, "SELECT id, site FROM bronze.visit").await, ["1|a", "5000000000|b"]);
    // A new column stands before the lineage columns; files have it from then on.
    run(&session, "ALTER TABLE bronze.visit ADD COLUMN fee DECIMAL(5, 2) AFTER site").await;
    load("three", "id,site,fee\n3,c,1.25\n").await.unwrap();
    let want = ["1|a|NULL", "3|c|1.25", "5000000000|b|NULL"];
    assert_eq!(rows(&session, "SELECT id, site, fee FROM bronze.visit").await, want);
    // A file with the columns of before is refused.
    let report = load("old", "id,site\n6,f\n").await.unwrap();
    let text = format!("{report:?}");
    assert!(text.contains("the file's header is not that of the table"), "{text}");
    assert!(text.contains("missing: fee"), "{text}");
    // Behind them it is no bronze table any more, and the load says so.
    run(&session, "ALTER TABLE bronze.visit ADD COLUMN late INT").await;
    let error = load("four", "id,site,fee\n4,d,1.25\n").await.unwrap_err();
    assert!(error.message().contains("does not end with bronze's lineage columns"), "{error}");
}
