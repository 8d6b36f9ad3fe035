//! A statement that another writer disturbs between its plan and its swap, in one process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use northstar_catalog::Result;
use northstar_iceberg::merge::{ChangeReport, StatementCommit};
use northstar_iceberg::observer::Observer;
use northstar_iceberg::{Lake, TableName};
use northstar_tests::changes::rows;
use tempfile::TempDir;

use super::files::orphans;
use super::kill::numbers;
use super::merging::{put_aside, session};
use super::observers::{At, blocking};
use super::place::Place;
use super::race_pairs::{Row, seeded_table, shown};

/// Tables that a statement is given.
pub(crate) type Given = HashMap<TableName, Arc<dyn TableProvider>>;

/// The table of [`seeded_table`] under the name `bronze.t`.
pub(crate) struct Meeting {
    _folder: TempDir,
    pub(crate) place: Place,
    /// Its rows before the statement.
    pub(crate) rows: Vec<Row>,
}

impl Meeting {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path());
        let lake = place.lake(0).await;
        lake.catalog.create_namespace("bronze").await.unwrap();
        let rows = seeded_table(&lake, &table(), &mut numbers(20_240_801)).await;
        Self { _folder: folder, place, rows }
    }

    /// Runs `sql`; another writer does its `work` when the statement's files are written for the
    /// first time and the pointer has not moved.
    pub(crate) async fn disturbed<W>(
        &self,
        sql: &str,
        given: Given,
        work: impl FnOnce(Lake) -> W + Send + 'static,
    ) -> Result<ChangeReport>
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let other = self.place.lake(2).await;
        let observer =
            Arc::new(At::new("MetadataWritten", 1, move || blocking(async { work(other).await })));
        let report = self.run(sql, given, Arc::clone(&observer) as _).await;
        assert!(observer.done(), "{sql}");
        report
    }

    /// Runs `sql`, telling `observer`.
    pub(crate) async fn run(
        &self,
        sql: &str,
        given: Given,
        observer: Arc<dyn Observer>,
    ) -> Result<ChangeReport> {
        let lake = self.place.observed(1, observer).await;
        session(&lake).change(sql, given, StatementCommit::default()).await
    }

    /// Nothing is left over, and the table's rows are those of `model` after the rows before.
    pub(crate) async fn holds(&self, what: &str, model: impl FnOnce(&mut Vec<Row>)) {
        let mut expected = self.rows.clone();
        model(&mut expected);
        let lake = self.place.lake(3).await;
        let found = rows(&session(&lake), "SELECT id, site, n FROM bronze.t").await;
        assert_eq!(found, shown(&expected), "{what}");
        assert_eq!(put_aside(&self.place), Vec::<PathBuf>::new(), "{what}");
        assert_eq!(orphans(&lake).await, Vec::<PathBuf>::new(), "{what}");
    }
}

/// The table's name.
pub(crate) fn table() -> TableName {
    "bronze.t".parse().unwrap()
}

/// Runs a statement of another writer.
pub(crate) async fn change(lake: &Lake, sql: &str) {
    let changed = session(lake).change(sql, HashMap::new(), StatementCommit::default()).await;
    assert!(changed.unwrap().snapshot_id.is_some(), "{sql} changes something");
}
