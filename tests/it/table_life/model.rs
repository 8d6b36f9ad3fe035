//! The table as it should be: rows of every snapshot, typed and by field id; branches and tags;
//! columns and partition fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use northstar_iceberg::refs::Retention;

use crate::merge_model::value::Cell;

/// The types of columns, with those that the first and third may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Long,
    Float,
    Double,
    Text,
}

/// A column of the table as it is now, or was at a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) id: i32,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

/// A row: values by field id. A column that it does not have is NULL.
pub(super) type Row = BTreeMap<i32, Cell>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    Identity,
    Bucket(u32),
    Truncate(u32),
}

/// A field of the partition spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) column: i32,
    pub(super) transform: Transform,
}

/// What is known of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) rows: Arc<Vec<Row>>,
    pub(super) columns: Arc<Vec<Column>>,
    /// The watermark, and that of the parent.
    pub(super) seq: Option<i64>,
    pub(super) seq_before: Option<i64>,
    pub(super) parent: Option<i64>,
    pub(super) time_ms: i64,
    /// What it was committed as, for what may be committed again.
    pub(super) commit: String,
    /// The snapshot that it was picked from.
    pub(super) source: Option<i64>,
    /// The rows that it appended, if it did no more.
    pub(super) appended: Option<Arc<Vec<Row>>>,
}

/// What a branch or tag names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) snapshot: i64,
    pub(super) is_tag: bool,
    pub(super) retention: Retention,
}

/// The whole table.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) columns: Arc<Vec<Column>>,
    pub(super) last_id: i32,
    pub(super) fields: Vec<Field>,
    /// Whether files of earlier partition specs may be there.
    pub(super) was_repartitioned: bool,
    /// Whether snapshots have expired, so that commits may no longer be known by their ids.
    pub(super) has_expired: bool,
    pub(super) snapshots: BTreeMap<i64, State>,
    /// Their ids, in the order in which they came.
    pub(super) order: Vec<i64>,
    pub(super) main: Option<i64>,
    pub(super) refs: BTreeMap<String, Named>,
}

impl Model {
    /// The head of a branch; `None` is `main`. A branch that is not there begins at `main`.
    pub(super) fn head(&self, branch: Option<&str>) -> Option<i64> {
        match branch.and_then(|name| self.refs.get(name)) {
            Some(named) => Some(named.snapshot),
            None => self.main,
        }
    }

    pub(super) fn rows(&self, head: Option<i64>) -> Arc<Vec<Row>> {
        head.map(|id| Arc::clone(&self.snapshots[&id].rows)).unwrap_or_default()
    }

    pub(super) fn seq(&self, head: Option<i64>) -> Option<i64> {
        self.snapshots[&head?].seq
    }

    /// A snapshot and those before it, as far as they are kept.
    pub(super) fn ancestors(&self, head: Option<i64>) -> impl Iterator<Item = i64> {
        let kept = |id: &i64| self.snapshots.contains_key(id);
        std::iter::successors(head.filter(kept), move |id| self.snapshots[id].parent.filter(kept))
    }

    /// The columns that a reader of a snapshot sees: of the current one those of today.
    pub(super) fn columns_of(&self, snapshot: i64) -> &Arc<Vec<Column>> {
        match self.main == Some(snapshot) {
            true => &self.columns,
            false => &self.snapshots[&snapshot].columns,
        }
    }

    pub(super) fn column(&self, id: i32) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// Takes away what expires by the specification's rules, and gives the snapshots.
    ///
    /// Source: <https://iceberg.apache.org/spec/#snapshot-retention-policy>
    pub(super) fn expire(&mut self, now_ms: i64, age_ms: i64, least: usize) -> Vec<i64> {
        let time_ms = |model: &Self, id: i64| model.snapshots[&id].time_ms;
        let outlived: Vec<String> = self
            .refs
            .iter()
            .filter(|(_, named)| {
                let age_ms = named.retention.max_ref_age_ms.unwrap_or(i64::MAX);
                now_ms - time_ms(self, named.snapshot) > age_ms
            })
            .map(|(name, _)| name.clone())
            .collect();
        self.refs.retain(|name, _| !outlived.contains(name));
        let (mut kept, mut on_branch) = (Vec::new(), Vec::new());
        let branches = self.refs.values().filter(|named| !named.is_tag);
        let heads = branches.map(|named| (Some(named.snapshot), named.retention));
        for (head, retention) in heads.chain([(self.main, Retention::default())]) {
            let least = retention.min_snapshots_to_keep.map_or(least, |count| count as usize);
            let age_ms = retention.max_snapshot_age_ms.unwrap_or(age_ms);
            for (at, id) in self.ancestors(head).enumerate() {
                on_branch.push(id);
                if at < least || time_ms(self, id) >= now_ms - age_ms {
                    kept.push(id);
                }
            }
        }
        for named in self.refs.values() {
            kept.push(named.snapshot);
            on_branch.push(named.snapshot);
        }
        let stays = |id: &i64, state: &State| {
            kept.contains(id) || (!on_branch.contains(id) && state.time_ms >= now_ms - age_ms)
        };
        let gone: Vec<i64> = self
            .snapshots
            .iter()
            .filter(|(id, state)| !stays(id, state))
            .map(|(id, _)| *id)
            .collect();
        self.snapshots.retain(|id, _| !gone.contains(id));
        self.order.retain(|id| !gone.contains(id));
        self.has_expired |= !gone.is_empty();
        gone
    }
}

/// The values of a row in the order of some columns.
pub(super) fn seen(row: &Row, columns: &[Column]) -> Vec<Cell> {
    let cell = |column: &Column| row.get(&column.id).cloned().unwrap_or(Cell::Null);
    columns.iter().map(cell).collect()
}

/// Rows as a reader sees them, sorted.
pub(super) fn all_seen<'a>(
    rows: impl IntoIterator<Item = &'a Row>,
    columns: &[Column],
) -> Vec<Vec<Cell>> {
    let mut rows: Vec<Vec<Cell>> = rows.into_iter().map(|row| seen(row, columns)).collect();
    rows.sort_unstable();
    rows
}

/// The partition that a row falls into. Never asked for a bucket.
pub(super) fn partition(row: &Row, fields: &[Field]) -> Vec<Cell> {
    let of = |field: &Field| {
        let cell = row.get(&field.column).cloned().unwrap_or(Cell::Null);
        match (field.transform, cell) {
            (Transform::Truncate(width), Cell::Int(value)) => {
                Cell::Int(value - value.rem_euclid(i64::from(width)))
            }
            (Transform::Truncate(width), Cell::Text(text)) => {
                Cell::Text(text.chars().take(width as usize).collect())
            }
            (_, cell) => cell,
        }
    };
    fields.iter().map(of).collect()
}
