//! One facility and week of the legacy EMR's lab results, damaged in each way and made again.

use std::collections::{BTreeMap, BTreeSet};

use northstar_lakehouse::legacy_emr::LegacyEmr;
use northstar_tests::lab::Lab;

use super::{Bench, scope};

const COLUMNS: &str = "lab_result_id, facility_id, patient_id, encounter_id, collected_at, test_name, value, \
                       units, status, version, updated_at, _source_position, _is_deleted";
const FROM: &str = "2024-01-08";
const TO: &str = "2024-01-15";

/// The EMR's results in `silver.lab_result`, and made anew in `rebuilt.lab_result`.
async fn bench() -> Bench {
    let lab = Lab::new().await;
    let emr = LegacyEmr { patients: 120, ..LegacyEmr::default() };
    emr.write(&lab.path("emr"), &mut |_, _| {}).unwrap();
    let contract = std::fs::read_to_string(lab.path("emr/tables.toml")).unwrap();
    lab.load(&lab.path("emr/extract"), &contract).await.unwrap();
    lab.load(&lab.path("emr/daily/day_1"), &contract).await.unwrap();
    let mut bench = Bench {
        lab,
        contract,
        table: "rebuilt.lab_result".parse().unwrap(),
        key: "lab_result_id",
        bronze: Some("bronze.lab_result".parse().unwrap()),
        changes: Vec::new(),
        columns: COLUMNS,
    };
    let days: Vec<_> = (1..=3)
        .map(|day| bench.lab.path(&format!("emr/changes/day_{day}/lab_result.csv")))
        .collect();
    for table in ["rebuilt.lab_result", "silver.lab_result"] {
        bench.table = table.parse().unwrap();
        bench.seed(1).await;
        bench.seed(2).await;
        bench.merge_only(&bench.lab.lake, &days).await;
    }
    bench.changes = days;
    bench
}

/// The condition of the scope.
fn within() -> String {
    format!(
        "facility_id = 2 AND collected_at >= TIMESTAMP '{FROM} 00:00:00' AND collected_at < \
         TIMESTAMP '{TO} 00:00:00'"
    )
}

/// Rows by their key.
fn by_key(rows: Vec<String>) -> BTreeMap<i64, String> {
    let all = rows.len();
    let key = |row: &String| row.split('|').next().and_then(|key| key.parse().ok()).unwrap();
    let by_key: BTreeMap<i64, String> = rows.into_iter().map(|row| (key(&row), row)).collect();
    assert_eq!(by_key.len(), all, "a key stands twice");
    by_key
}

impl Bench {
    async fn keys(&self, condition: &str) -> Vec<i64> {
        let sql = format!("SELECT lab_result_id FROM {} WHERE {condition}", self.table);
        let keys = northstar_tests::changes::rows(&self.session(), &sql).await;
        let mut keys: Vec<i64> = keys.iter().map(|key| key.parse().unwrap()).collect();
        keys.sort_unstable();
        keys
    }

    /// Damages rows of the scope, moves rows out of it and into it, and damages rows beside it: the keys
    /// that a rerun mends, and those beside.
    async fn damage(&self) -> (Vec<i64>, i64) {
        let scoped = self.keys(&within()).await;
        let others = self.keys("facility_id = 3").await;
        assert!(scoped.len() >= 8 && others.len() >= 3, "{} rows", scoped.len());
        let table = &self.table;
        for (set, key) in [
            ("status = 'damaged'", scoped[2]),
            ("facility_id = 3", scoped[3]),
            ("collected_at = TIMESTAMP '2024-03-03 00:00:00'", scoped[4]),
            // The day after the last, by its first moment; and the last moment of the last day.
            ("collected_at = TIMESTAMP '2024-01-15 00:00:00'", scoped[5]),
            ("facility_id = 2, collected_at = TIMESTAMP '2024-01-14 23:59:59'", others[0]),
            ("facility_id = 2, collected_at = TIMESTAMP '2024-01-08 00:00:00'", others[1]),
            ("status = 'beside'", others[2]),
        ] {
            self.sql(&format!("UPDATE {table} SET {set} WHERE lab_result_id = {key}")).await;
        }
        let gone =
            format!("DELETE FROM {table} WHERE lab_result_id IN ({}, {})", scoped[0], scoped[1]);
        self.sql(&gone).await;
        // A row that is in no source.
        self.sql(&format!(
            "MERGE INTO {table} AS t USING (SELECT * FROM {table} WHERE lab_result_id = {}) AS s ON false \
             WHEN NOT MATCHED THEN INSERT (lab_result_id, facility_id, collected_at, status) VALUES \
             (999999999, s.facility_id, s.collected_at, 'surplus')",
            scoped[6]
        ))
        .await;
        let mut mended = scoped[..6].to_vec();
        mended.extend([others[0], others[1], 999_999_999]);
        (mended, others[2])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_facility_and_week_is_as_in_a_full_rebuild_and_the_rest_is_as_it_was() {
    let bench = bench().await;
    let rebuilt = by_key(bench.rows_of("rebuilt.lab_result").await);
    assert_eq!(by_key(bench.rows().await), rebuilt);
    let asked = scope("2", FROM, TO);

    // Unchanged input makes no change.
    let snapshots = bench.snapshots().await;
    let made = bench.rerun(&asked).await;
    assert!(made.changed.is_none() && !made.plan.changes(), "{made:?}");
    assert_eq!(bench.snapshots().await, snapshots);

    let (mended, beside) = bench.damage().await;
    let damaged = by_key(bench.rows().await);
    let wrong = bench.reconcile(None).await;
    let sum = |of: fn(&northstar_lakehouse::cdc::Group) -> u64| -> u64 {
        wrong.groups.iter().map(of).sum()
    };
    assert_eq!(
        (sum(|one| one.missing), sum(|one| one.surplus), sum(|one| one.different)),
        (2, 1, 7)
    );
    let (files, snapshots) = (bench.files().await, bench.snapshots().await);

    // The plan changes nothing.
    let plan = bench.plan(&asked).await.unwrap();
    assert_eq!((plan.inserted, plan.updated, plan.removed), (2, 6, 1));
    assert_eq!((bench.snapshots().await, bench.files().await), (snapshots, files.clone()));

    let made = bench.rerun(&asked).await;
    let changed = made.changed.unwrap();
    assert_eq!(
        (changed.inserted_rows, changed.updated_rows, changed.deleted_rows),
        (plan.inserted, plan.updated, plan.removed)
    );
    assert_eq!(bench.snapshots().await, snapshots + 1, "one commit");

    // Its rows are those of a rebuild, wherever they stood; all others are as they were.
    let mut expected = rebuilt.clone();
    expected.insert(beside, damaged[&beside].clone());
    assert_eq!(by_key(bench.rows().await), expected);

    // Files that hold none of its rows keep their paths, and no more is written than they ask for.
    let now = bench.files().await;
    let within = bench.keys(&within()).await;
    let keys: BTreeSet<i64> = within.into_iter().chain(mended).collect();
    let holds = |(_, held): &(u64, BTreeSet<i64>)| held.iter().any(|key| keys.contains(key));
    let (mut held_bytes, mut kept) = (0, 0);
    for (path, file) in &files {
        if holds(file) {
            held_bytes += file.0;
        } else {
            assert!(now.contains_key(path), "{path} went, and held none of the rows");
            kept += 1;
        }
    }
    assert!(kept > 0, "all files held one of the rows");
    let new = now.iter().filter(|(path, _)| !files.contains_key(*path));
    let written: u64 = new.map(|(_, (bytes, _))| bytes).sum();
    assert!(written * 2 <= held_bytes * 3, "{written} bytes for {held_bytes}");

    // Repeated, it finds nothing to do.
    let again = bench.rerun(&asked).await;
    assert!(again.changed.is_none(), "{again:?}");
    assert_eq!(bench.files().await, now);
    let left: Vec<_> = bench.reconcile(None).await.groups;
    let wrong: Vec<_> = left.iter().filter(|group| !group.agrees()).collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!((wrong[0].different, wrong[0].facility.as_deref()), (1, Some("3")));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_an_extract_are_landed_or_in_quarantine() {
    let bench = bench().await;
    let extract = bench.lab.path("emr/extract");
    let held = bench.reconcile(Some(&extract)).await;
    assert!(held.agrees(), "{held:?}");
    let [file] = held.files.as_slice() else { panic!("{:?}", held.files) };
    assert!(file.landed > 0 && file.records == file.landed + file.quarantined, "{file:?}");
    bench.sql("DELETE FROM bronze.lab_result WHERE _seq = 1 AND _source_line = 2").await;
    let held = bench.reconcile(Some(&extract)).await;
    assert!(!held.files[0].agrees(), "{held:?}");
    assert_eq!(held.files[0].records, held.files[0].landed + held.files[0].quarantined + 1);
}
