//! What a table shows of the MERGE of `merging.rs`: all of it or nothing.

use std::path::PathBuf;
use std::sync::Arc;

use northstar_iceberg::Lake;
use northstar_tests::changes::rows;
use northstar_tests::lab::tester;

use super::files::orphans;
use super::merging::{WATERMARK, before, merge, put_aside, session, stay};
use super::observers::Recorder;
use super::place::Place;

/// What a table shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// All columns of all rows, sorted.
    pub(crate) rows: Vec<String>,
    /// The watermarks that were committed, oldest first.
    pub(crate) watermarks: Vec<String>,
}

impl State {
    /// Reads the table. Its snapshots form one line in which time only moves forward, and their
    /// totals are those of the rows.
    pub(crate) async fn read(lake: &Lake) -> Self {
        let rows = rows(&session(lake), "SELECT * FROM bronze.stay").await;
        let table = lake.open_table(&stay(), &tester()).await.expect("a table");
        let mut line: Vec<_> = table.ancestors().collect();
        line.reverse();
        assert_eq!(line.len(), table.metadata().snapshots().len(), "snapshots beside the line");
        assert!(line.is_sorted_by(|a, b| a.timestamp_ms() < b.timestamp_ms()), "time moves back");
        let said = |snapshot: usize, key: &str| {
            line[snapshot].summary().additional_properties.get(key).cloned()
        };
        assert_eq!(said(line.len() - 1, "total-records"), Some(rows.len().to_string()));
        let watermarks = (0..line.len()).filter_map(|at| said(at, WATERMARK)).collect();
        Self { rows, watermarks }
    }
}

/// What the statement comes to if nothing goes wrong.
pub(crate) struct Undisturbed {
    pub(crate) old: State,
    pub(crate) new: State,
    pub(crate) events: Vec<&'static str>,
}

impl Undisturbed {
    pub(crate) async fn new() -> Self {
        let (_folder, place) = before().await;
        let old = State::read(&place.lake(0).await).await;
        let recorder = Arc::new(Recorder::default());
        let lake = place.observed(1, Arc::clone(&recorder) as _).await;
        let report = merge(&lake).await.unwrap();
        assert_eq!((report.inserted_rows, report.deleted_rows, report.rounds), (150, 60, 1));
        assert_eq!((report.files, report.files_rewritten), (9, 9), "{report:?}");
        let new = State::read(&lake).await;
        assert_eq!((new.rows.len(), new.watermarks.len()), (690, old.watermarks.len() + 1));
        assert_eq!(put_aside(&place), Vec::<PathBuf>::new());
        assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new());
        Self { old, new, events: recorder.kinds() }
    }

    /// Merges twice without faults: what is there then is what an undisturbed run leaves, the second
    /// time changed nothing (W2), and nothing is put aside any more.
    pub(crate) async fn completes(&self, place: &Place, when: &str) {
        for run in [50, 51] {
            let lake = place.lake(run).await;
            let report = merge(&lake).await.unwrap();
            assert!(run == 50 || report.already_committed, "W2, {when}: {report:?}");
            assert_eq!(State::read(&lake).await, self.new, "run {run} {when}");
            assert_eq!(put_aside(place), Vec::<PathBuf>::new(), "run {run} {when}");
        }
    }
}
