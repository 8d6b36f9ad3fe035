//! A merge that commits while a rerun is under way: neither loses anything.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use northstar_iceberg::observer::{Event, Observer};
use northstar_iceberg::{Lake, TableName};
use northstar_lakehouse::cdc::MergeJob;
use northstar_lakehouse::contract::TableContract;
use northstar_lakehouse::sources::csv::CsvOptions;
use northstar_tests::changes::session_of;
use northstar_tests::lab::{observed, run_context, tester};

use super::{Bench, records, scope};

/// Merges a file, in a thread of its own, when a rerun has found its rows for the first time: it has
/// not written them, nor looked at the head again.
struct Between {
    other: Mutex<Option<(Lake, TableContract, PathBuf)>>,
    table: TableName,
    scratch: PathBuf,
}

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}

impl Observer for Between {
    fn event(&self, event: &Event) {
        if !matches!(event, Event::RowsFound { .. }) {
            return;
        }
        let Some((lake, contract, file)) = self.other.lock().unwrap().take() else { return };
        let (scratch, table) = (self.scratch.clone(), self.table.clone());
        let work = async move {
            let session = session_of(&lake, &scratch);
            let job = MergeJob {
                lake: &lake,
                session: &session,
                table,
                contract,
                run: run_context(),
                access: tester(),
                csv: CsvOptions::default(),
                scratch_folder: scratch,
            };
            Box::pin(job.run(&[file])).await.unwrap();
        };
        let runtime = || tokio::runtime::Runtime::new().unwrap();
        std::thread::spawn(move || runtime().block_on(work)).join().unwrap();
    }
}

/// What a merge brings meanwhile, and what both leave.
const CASES: [(&str, &[&str]); 5] = [
    // A newer state of a row that the rerun was about to mend.
    (
        "4,000b,1,01,1,7,2024-05-02 08:00:00,3,newer",
        &[
            "1|7|2024-05-02T08:00:00|3|newer|000b/0000000001/01|false",
            "2|7|2024-05-03T08:00:00|1|b|000a/0000000002/01|false",
            "3|8|2024-05-03T08:00:00|1|c|000a/0000000003/01|false",
        ],
    ),
    // A newer state that moves such a row away.
    (
        "4,000b,1,01,1,8,2024-05-02 08:00:00,3,away",
        &[
            "1|8|2024-05-02T08:00:00|3|away|000b/0000000001/01|false",
            "2|7|2024-05-03T08:00:00|1|b|000a/0000000002/01|false",
            "3|8|2024-05-03T08:00:00|1|c|000a/0000000003/01|false",
        ],
    ),
    // One that moves another row into the scope.
    (
        "4,000b,1,01,3,7,2024-05-03 08:00:00,2,in",
        &[
            "1|7|2024-05-02T08:00:00|2|a|000a/0000000001/01|false",
            "2|7|2024-05-03T08:00:00|1|b|000a/0000000002/01|false",
            "3|7|2024-05-03T08:00:00|2|in|000b/0000000001/01|false",
        ],
    ),
    // The newest state of a row that the rerun was about to insert.
    (
        "4,000b,1,01,2,7,2024-05-03 08:00:00,4,back",
        &[
            "1|7|2024-05-02T08:00:00|2|a|000a/0000000001/01|false",
            "2|7|2024-05-03T08:00:00|4|back|000b/0000000001/01|false",
            "3|8|2024-05-03T08:00:00|1|c|000a/0000000003/01|false",
        ],
    ),
    // A row of a key that nobody knew, in the middle of the scope.
    (
        "2,000b,1,01,4,7,2024-05-04 08:00:00,1,new",
        &[
            "1|7|2024-05-02T08:00:00|2|a|000a/0000000001/01|false",
            "2|7|2024-05-03T08:00:00|1|b|000a/0000000002/01|false",
            "3|8|2024-05-03T08:00:00|1|c|000a/0000000003/01|false",
            "4|7|2024-05-04T08:00:00|1|new|000b/0000000001/01|false",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_comes_between_is_kept_and_the_rest_is_mended() {
    for (change, expected) in CASES {
        let mut bench = Bench::new("timestamp", "version = \"version\"").await;
        bench.bronze = None;
        let first = bench.file(
            "first.csv",
            &records(&[
                "2,000a,1,01,1,7,2024-05-02 08:00:00,2,a",
                "2,000a,2,01,2,7,2024-05-03 08:00:00,1,b",
                "2,000a,3,01,3,8,2024-05-03 08:00:00,1,c",
            ]),
        );
        bench.merge(first).await;
        bench.sql("UPDATE ns.t SET note = 'damaged' WHERE id = 1").await;
        bench.sql("DELETE FROM ns.t WHERE id = 2").await;
        // The change is not among the files of the rerun.
        let later = bench.file("later.csv", &records(&[change]));
        let contract = bench.contract.parse::<northstar_lakehouse::contract::Contract>().unwrap();
        let between = Arc::new(Between {
            other: Mutex::new(Some((bench.lab.second().await, contract.table("t"), later.clone()))),
            table: bench.table.clone(),
            scratch: bench.lab.path("other"),
        });
        let lake = observed(&bench.lab.lake, Arc::clone(&between) as _);
        let asked = scope("7", "2024-05-01", "2024-06-01");
        let made = bench.rerun_on(&lake, &asked).await;
        assert!(between.other.lock().unwrap().is_none(), "{change}: nothing came between");
        let changed = made.changed.unwrap();
        assert_eq!(changed.rounds, 2, "{change}");
        assert_eq!(bench.rows().await, expected, "{change}");
        // Once it is among them, there is nothing left to do.
        bench.changes.push(later);
        let again = bench.rerun(&asked).await;
        assert!(again.changed.is_none() && again.plan.held_back == 0, "{change}: {again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_reruns_at_once_are_one() {
    let mut bench = Bench::new("timestamp", "").await;
    bench.bronze = None;
    let first = bench.file("first.csv", &records(&["2,000a,1,01,1,7,2024-05-02 08:00:00,2,a"]));
    bench.merge(first).await;
    let rows = bench.rows().await;
    bench.sql("UPDATE ns.t SET note = 'damaged', facility_id = 8").await;
    let asked = scope("7", "2024-05-01", "2024-06-01");
    let other = bench.lab.second().await;
    let (one, two) = tokio::join!(bench.rerun(&asked), bench.rerun_on(&other, &asked));
    assert_eq!(bench.rows().await, rows);
    let updated = [&one, &two].map(|made| made.changed.as_ref().map_or(0, |one| one.updated_rows));
    assert_eq!(updated.iter().sum::<u64>(), 1, "{one:?} {two:?}");
}
