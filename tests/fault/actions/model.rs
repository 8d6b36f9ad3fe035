//! What a table shows, and what it should show: rows of every snapshot, refs, watermark, columns.

use std::collections::BTreeMap;

use iceberg::spec::MAIN_BRANCH;
use northstar_iceberg::Lake;
use northstar_iceberg::refs::refs;
use northstar_tests::changes::rows;
use northstar_tests::lab::tester;

use super::bed::bed;
use crate::merging::session;

/// The summary entry that moves with the rows.
pub(crate) const SEQ: &str = "northstar.seq";

/// Rows by id: site and n.
pub(crate) type Rows = BTreeMap<i64, (String, i64)>;

/// A table. Snapshots are named by their sequence numbers, which do not depend on who made them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    /// The rows of each snapshot (C1, C2), as `id|site|n`.
    pub(crate) snapshots: BTreeMap<i64, Vec<String>>,
    /// Branches and tags: kind and snapshot.
    pub(crate) refs: BTreeMap<String, (&'static str, i64)>,
    /// What the head of `main` says or inherits (W3).
    pub(crate) watermark: Option<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) partition: Vec<String>,
    /// How many commits there were, those included whose snapshots are gone.
    pub(crate) commits: i64,
}

impl Model {
    /// Reads the table. That all of it can be read is part of each test.
    pub(crate) async fn read(lake: &Lake) -> Self {
        let table = lake.open_table(&bed(), &tester()).await.expect("a table");
        let metadata = table.metadata();
        let session = session(lake);
        let mut read = Self::default();
        for snapshot in metadata.snapshots() {
            let id = snapshot.snapshot_id();
            let sql = format!("SELECT id, site, n FROM {} VERSION AS OF {id}", bed());
            let rows = rows(&session, &sql).await;
            let total = snapshot.summary().additional_properties.get("total-records");
            let deleted = snapshot.summary().additional_properties.get("total-position-deletes");
            let number = |text: Option<&String>| text.map_or(0, |text| text.parse().expect("rows"));
            assert_eq!(number(total) - number(deleted), rows.len(), "the totals of {id}");
            read.snapshots.insert(snapshot.sequence_number(), rows);
        }
        for found in refs(metadata).expect("refs") {
            let named = metadata.snapshot_by_id(found.snapshot_id).expect("what a ref names");
            let kind =
                if found.kind == northstar_iceberg::refs::RefKind::Tag { "tag" } else { "branch" };
            read.refs.insert(found.name, (kind, named.sequence_number()));
        }
        // The head of `main` as readers get it who name no snapshot.
        let head = read.refs[MAIN_BRANCH].1;
        let current = rows(&session, &format!("SELECT id, site, n FROM {}", bed())).await;
        assert_eq!(current, read.snapshots[&head], "the head is not what main names");
        read.watermark = table.inherited_summary(SEQ).map(str::to_string);
        let fields = metadata.current_schema().as_struct().fields();
        read.columns = fields.iter().map(|field| field.name.clone()).collect();
        let spec = metadata.default_partition_spec();
        read.partition = spec.fields().iter().map(|field| field.name.clone()).collect();
        read.commits = metadata.last_sequence_number();
        read
    }

    /// The snapshot that `main` names.
    pub(crate) fn head(&self) -> i64 {
        self.refs[MAIN_BRANCH].1
    }

    /// The rows of `main`.
    pub(crate) fn rows(&self) -> Rows {
        self.rows_of(self.head())
    }

    pub(crate) fn rows_of(&self, snapshot: i64) -> Rows {
        let rows = self.snapshots[&snapshot].iter().map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            let number = |at: usize| cells[at].parse().expect("a number");
            (number(0), (cells[1].to_string(), number(2)))
        });
        rows.collect()
    }

    /// One more snapshot, on a branch.
    pub(crate) fn commit_to(&mut self, branch: &str, rows: &Rows) {
        self.commits += 1;
        let mut text: Vec<String> =
            rows.iter().map(|(id, (site, n))| format!("{id}|{site}|{n}")).collect();
        text.sort_unstable();
        self.snapshots.insert(self.commits, text);
        self.refs.insert(branch.to_string(), ("branch", self.commits));
    }

    /// One more snapshot on `main`.
    pub(crate) fn commit(&mut self, rows: &Rows) {
        self.commit_to(MAIN_BRANCH, rows);
    }
}
