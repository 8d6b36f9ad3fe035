//! What a warehouse holds, for comparisons.

use std::collections::BTreeMap;

use northstar_iceberg::{Lake, TableName};
use northstar_lakehouse::bronze::{lineage, quarantine};
use northstar_tests::lab::{query, tester};

use super::place::TABLES;

/// Rows and snapshots of all tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Rows as sorted text by table, all columns but those that differ between equal loads. The
    /// quarantine's rows stand apart by source table (`quarantine/visit`). Nothing for no rows.
    pub(crate) rows: BTreeMap<String, String>,
    /// How many snapshots each table has.
    pub(crate) snapshots: BTreeMap<String, usize>,
    /// How many batches each table's rows come from, and the highest `_seq`.
    pub(crate) batches: BTreeMap<String, (usize, i64)>,
}

impl Contents {
    /// Reads all tables; each must be readable (W4).
    pub(crate) async fn read(lake: &Lake) -> Self {
        let mut contents = Self::default();
        let namespaces = lake.catalog.list_namespaces().await.expect("namespaces");
        if !namespaces.iter().any(|name| name == "bronze") {
            return contents;
        }
        for name in lake.catalog.list_tables("bronze").await.expect("tables") {
            contents.add(lake, &name).await;
        }
        contents
    }

    async fn add(&mut self, lake: &Lake, name: &TableName) {
        let table = lake.open_table(name, &tester()).await.expect("a readable table");
        self.snapshots.insert(name.table().into(), table.metadata().snapshots().count());
        let sequence = table
            .inherited_summary(lineage::SEQ_SUMMARY)
            .map_or(0, |seq| seq.parse().expect("the sequence is a number"));
        let columns: Vec<&str> = table
            .metadata()
            .current_schema()
            .as_struct()
            .fields()
            .iter()
            .map(|field| field.name.as_str())
            .filter(|name| ![lineage::ARRIVED_AT, lineage::BATCH_ID].contains(name))
            .collect();
        let columns = columns.join(", ");
        if name.table() == quarantine::TABLE {
            for source in TABLES {
                let filter = format!("WHERE _source_table = '{source}'");
                let rows = rows(lake, name, &columns, &filter).await;
                self.rows.extend(rows.map(|rows| (format!("quarantine/{source}"), rows)));
            }
            return;
        }
        self.rows
            .extend(rows(lake, name, &columns, "").await.map(|rows| (name.table().into(), rows)));
        let sql = format!("SELECT DISTINCT _batch_id FROM {name}");
        let batches = query(lake, &sql).await.expect("batches");
        let batches = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
        self.batches.insert(name.table().into(), (batches, sequence));
    }

    /// Each table is as in `old` or as in `new` (W4), and rows are not there without the rejects of
    /// their files (W1).
    pub(crate) fn check_old_or_new(&self, old: &Self, new: &Self, when: &str) {
        for (key, rows) in &new.rows {
            let now = self.rows.get(key);
            let is_new = now == Some(rows);
            assert!(
                is_new || now == old.rows.get(key),
                "{when}: {key} is neither old nor new: {now:?}"
            );
            let rejects = format!("quarantine/{key}");
            if is_new && old.rows.get(key) != Some(rows) {
                assert_eq!(self.rows.get(&rejects), new.rows.get(&rejects), "{when}: {rejects}");
            }
        }
        for key in self.rows.keys() {
            assert!(new.rows.contains_key(key), "{when}: {key} is in no undisturbed run");
        }
        for (table, batches) in &self.batches {
            let (old, new) = (old.batches.get(table).unwrap_or(&(0, 0)), new.batches[table]);
            assert!(
                *batches == *old || *batches == new,
                "{when}: the batches of {table}: {batches:?}"
            );
        }
    }
}

async fn rows(lake: &Lake, name: &TableName, columns: &str, filter: &str) -> Option<String> {
    let sql = format!("SELECT {columns} FROM {name} {filter} ORDER BY {columns}");
    let batches = query(lake, &sql).await.expect("readable rows");
    let count: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    let text = || arrow::util::pretty::pretty_format_batches(&batches).expect("text").to_string();
    (count > 0).then(text)
}
