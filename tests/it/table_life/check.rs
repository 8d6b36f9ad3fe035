//! What must hold after each operation.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use iceberg::spec::{PrimitiveType, Type};
use northstar_iceberg::LakeTable;
use northstar_iceberg::refs::{RefKind, refs};

use super::batches::cells;
use super::draw::filter;
use super::life::Life;
use super::model::{Column, Kind, Named, Row, all_seen};
use super::run::TABLE;
use crate::merge_model::value::Cell;

impl Life<'_> {
    /// Compares the table's metadata with the model, then rows: of the head if it `changed`, by
    /// filters, and of one snapshot, branch or tag.
    pub(super) async fn check(&mut self, changed: bool) {
        let table = self.open().await;
        self.check_metadata(&table);
        if changed {
            self.check_head(&table).await;
        }
        if changed || self.random.chance(30) {
            self.check_filter().await;
        }
        if self.random.chance(15) {
            self.check_counts().await;
        }
        if self.random.chance(50) {
            self.check_sample().await;
        }
    }

    fn check_metadata(&self, table: &LakeTable) {
        let metadata = table.metadata();
        let model = &self.model;
        let columns: Vec<Column> = metadata
            .current_schema()
            .as_struct()
            .fields()
            .iter()
            .map(|field| Column {
                id: field.id,
                name: field.name.clone(),
                kind: kind(&field.field_type),
                required: field.required,
            })
            .collect();
        assert_eq!(columns, *model.columns, "E1: the columns");
        let mut there: Vec<i64> = metadata.snapshots().map(|s| s.snapshot_id()).collect();
        there.sort_unstable();
        let wanted: Vec<i64> = model.snapshots.keys().copied().collect();
        assert_eq!(there, wanted, "C2: the snapshots that are there");
        assert_eq!(metadata.current_snapshot_id(), model.main, "the head of main");
        let named = |found: northstar_iceberg::refs::TableRef| {
            let (snapshot, retention) = (found.snapshot_id, found.retention);
            (found.name, Named { snapshot, is_tag: found.kind == RefKind::Tag, retention })
        };
        let found: BTreeMap<String, Named> =
            refs(metadata).unwrap().into_iter().map(named).filter(|(n, _)| n != "main").collect();
        assert_eq!(found, model.refs, "branches and tags");
        let heads = model.refs.iter().map(|(name, named)| (name.as_str(), Some(named.snapshot)));
        for (name, head) in heads.chain([("main", model.main)]) {
            let said = table.inherited_summary_on(name, "northstar.seq");
            let wanted = model.seq(head).map(|seq| seq.to_string());
            assert_eq!(said, wanted.as_deref(), "W3: the watermark of {name}");
        }
        let Some(head) = metadata.current_snapshot() else { return };
        let said = |key: &str| -> i64 {
            let text = head.summary().additional_properties.get(key);
            text.map_or(0, |text| text.parse().unwrap())
        };
        let live = said("total-records") - said("total-position-deletes");
        assert_eq!(live, model.rows(model.main).len() as i64, "M3: the totals of the head");
    }

    async fn read(&self, clause: &str, columns: &[Column]) -> Vec<Vec<Cell>> {
        let sql = format!("SELECT * FROM {TABLE} {clause}");
        let frame = self.writer.session.sql().query(&sql).await;
        let frame = frame.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let batches = Box::pin(frame.collect()).await;
        cells(&batches.unwrap_or_else(|error| panic!("{sql}: {error:?}")), columns)
    }

    async fn check_head(&self, _: &LakeTable) {
        let rows = self.read("", &self.model.columns).await;
        let wanted = all_seen(self.model.rows(self.model.main).iter(), &self.model.columns);
        assert_same(&rows, &wanted, "M2: the rows of the head");
    }

    /// No filter loses a row or makes one up (B1, E1).
    async fn check_filter(&mut self) {
        let columns = Arc::clone(&self.model.columns);
        let filter = filter(&mut self.random, &columns);
        let clause = format!("WHERE {}", filter.sql(&columns));
        let rows = self.read(&clause, &columns).await;
        let all = self.model.rows(self.model.main);
        let wanted = all_seen(all.iter().filter(|row| filter.takes(row)), &columns);
        if !wanted.is_empty() {
            self.seen.add("check", "filter with rows");
        }
        assert_same(&rows, &wanted, &format!("B1: the rows {clause}"));
    }

    /// Counts, which come from manifests where those are exact, are those of the rows.
    async fn check_counts(&mut self) {
        let columns = Arc::clone(&self.model.columns);
        let column = self.random.pick(&columns);
        let name = &column.name;
        let sql = format!("SELECT count(*), count({name}) FROM {TABLE}");
        let frame = self.writer.session.sql().query(&sql).await.unwrap();
        let batches = Box::pin(frame.collect()).await.unwrap();
        let count = |at: usize| batches[0].column(at).as_primitive::<Int64Type>().value(0);
        let rows = self.model.rows(self.model.main);
        let is_null = |row: &&Row| row.get(&column.id).unwrap_or(&Cell::Null) == &Cell::Null;
        let nulls = rows.iter().filter(is_null).count();
        let wanted = [rows.len(), rows.len() - nulls].map(|count| i64::try_from(count).unwrap());
        assert_eq!([count(0), count(1)], wanted, "B1: {sql}");
        self.seen.add("check", "counts");
    }

    async fn check_sample(&mut self) {
        let (ids, names): (Vec<i64>, Vec<String>) =
            (self.model.order.clone(), self.model.refs.keys().cloned().collect());
        if ids.is_empty() {
            return;
        }
        if !names.is_empty() && self.random.chance(50) {
            let name = self.random.pick(&names).clone();
            let id = self.model.refs[&name].snapshot;
            self.seen.add("check", "branch or tag");
            self.check_version(&format!("'{name}'"), id).await;
        } else {
            let id = *self.random.pick(&ids);
            self.seen.add("check", "snapshot");
            self.check_version(&id.to_string(), id).await;
        }
    }

    /// A snapshot answers as it did (C1), with its own columns (E1).
    async fn check_version(&self, version: &str, id: i64) {
        let columns = self.model.columns_of(id);
        let rows = self.read(&format!("VERSION AS OF {version}"), columns).await;
        let wanted = all_seen(self.model.snapshots[&id].rows.iter(), columns);
        assert_same(&rows, &wanted, &format!("C1: the rows of version {version}"));
    }

    /// Reads every snapshot, tag and branch.
    pub(super) async fn check_all(&mut self) {
        let table = self.open().await;
        self.check_metadata(&table);
        for id in self.model.order.clone() {
            self.check_version(&id.to_string(), id).await;
        }
        for (name, named) in &self.model.refs {
            self.check_version(&format!("'{name}'"), named.snapshot).await;
        }
        self.check_head(&table).await;
    }
}

fn kind(of: &Type) -> Kind {
    match of {
        Type::Primitive(PrimitiveType::Int) => Kind::Int,
        Type::Primitive(PrimitiveType::Long) => Kind::Long,
        Type::Primitive(PrimitiveType::Float) => Kind::Float,
        Type::Primitive(PrimitiveType::Double) => Kind::Double,
        Type::Primitive(PrimitiveType::String) => Kind::Text,
        other => panic!("no column is of type {other}"),
    }
}

fn assert_same(rows: &[Vec<Cell>], wanted: &[Vec<Cell>], what: &str) {
    if rows != wanted {
        let more: Vec<_> = rows.iter().filter(|row| !wanted.contains(row)).collect();
        let less: Vec<_> = wanted.iter().filter(|row| !rows.contains(row)).collect();
        let (count, want) = (rows.len(), wanted.len());
        panic!("{what}: {count} rows, not {want}; not in the model {more:?}; missing {less:?}");
    }
}
