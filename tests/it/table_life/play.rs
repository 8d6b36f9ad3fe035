//! An operation, done to the model: what it must have come to, by what it said and by the snapshots
//! that are new.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use iceberg::spec::{Operation, SnapshotRef};
use northstar_iceberg::ErrorKind;

use super::draw::KEY;
use super::model::{Column, Field, Model, Named, Row, State, partition, seen};
use super::operation::{Change, Op};
use super::run::Ran;
use crate::merge_model::value::Cell;

/// What is known of how an operation ended.
#[derive(Debug)]
pub(super) enum Told {
    Ran(Ran),
    Refused(ErrorKind, String),
    /// It took effect, and nobody was there to hear so.
    Unheard,
}

/// What `main`, branches and tags named at a time.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) main: Option<i64>,
    pub(super) refs: BTreeMap<String, Named>,
    /// The parent of each snapshot that was there.
    pub(super) parents: BTreeMap<i64, Option<i64>>,
}

impl Planned {
    /// A snapshot, its parent, and so on, as they were.
    pub(super) fn ancestors(&self, head: Option<i64>) -> impl Iterator<Item = i64> {
        let kept = |id: &i64| self.parents.contains_key(id);
        std::iter::successors(head.filter(kept), move |id| self.parents[id].filter(kept))
    }

    pub(super) fn head(&self, branch: Option<&str>) -> Option<i64> {
        match branch {
            None => self.main,
            Some(name) => self.refs.get(name).map(|named| named.snapshot),
        }
    }
}

/// Rows after a statement, and how many it inserted, updated and deleted.
struct Effect {
    rows: Vec<Row>,
    counts: [u64; 3],
}

/// One operation against the model.
pub(super) struct Play<'a> {
    pub(super) model: &'a mut Model,
    /// The snapshots that the model does not have yet, oldest first.
    pub(super) new: &'a mut VecDeque<SnapshotRef>,
    pub(super) told: &'a Told,
    /// What branches and tags named when the operation was planned.
    pub(super) planned: &'a Planned,
    pub(super) now_ms: i64,
}

impl Play<'_> {
    /// Plays the operation; what it came to, for the counts.
    pub(super) fn op(mut self, op: &Op) -> &'static str {
        match op {
            Op::Ingest { branch, seq, rows } => self.ingest(branch.as_deref(), *seq, rows),
            Op::Insert { branch, id, rows } => {
                let before = self.model.rows(self.model.head(branch.as_deref()));
                let after = before.iter().chain(rows).cloned().collect();
                let effect = Effect { rows: after, counts: [rows.len() as u64, 0, 0] };
                self.statement(branch.as_deref(), id, effect, Some(rows.clone()))
            }
            Op::Merge { branch, id, changes, set } => {
                let before = self.model.rows(self.model.head(branch.as_deref()));
                match merged(&before, changes, set, &self.model.columns) {
                    Some(effect) => {
                        let insert_only = effect.counts[1] + effect.counts[2] == 0;
                        let inserted = effect.rows.len() - before.len().min(effect.rows.len());
                        let from = effect.rows.len() - inserted;
                        let appended = insert_only.then(|| effect.rows[from..].to_vec());
                        self.statement(branch.as_deref(), id, effect, appended)
                    }
                    // Done once, it is known by its id before its pairs are looked for.
                    None if self.has(self.model.head(branch.as_deref()), id) => self.nothing(),
                    None => self.refused(&[ErrorKind::InvalidData]),
                }
            }
            Op::Update { branch, id, column, to, filter } => {
                let mut rows = (*self.model.rows(self.model.head(branch.as_deref()))).clone();
                let mut updated = 0;
                for row in rows.iter_mut().filter(|row| filter.takes(row)) {
                    updated += u64::from(row.get(column).unwrap_or(&Cell::Null) != to);
                    row.insert(*column, to.clone());
                }
                let effect = Effect { rows, counts: [0, updated, 0] };
                self.statement(branch.as_deref(), id, effect, None)
            }
            Op::Delete { branch, id, filter } => {
                let before = self.model.rows(self.model.head(branch.as_deref()));
                let rows: Vec<Row> =
                    before.iter().filter(|row| !filter.takes(row)).cloned().collect();
                let counts = [0, 0, (before.len() - rows.len()) as u64];
                self.statement(branch.as_deref(), id, Effect { rows, counts }, None)
            }
            Op::Overwrite { branch, id, rows } => self.overwrite(branch.as_deref(), id, rows),
            Op::Truncate { branch, id } => self.truncate(branch.as_deref(), id),
            _ => self.upkeep(op),
        }
    }

    pub(super) fn nothing(&self) -> &'static str {
        match self.told {
            Told::Ran(ran) => assert!(!ran.changed, "nothing was to be done"),
            Told::Unheard => {}
            refused @ Told::Refused(..) => panic!("refused: {refused:?}"),
        }
        "nothing"
    }

    pub(super) fn done(&self) -> &'static str {
        match self.told {
            Told::Ran(ran) => assert!(ran.changed, "something was to be done"),
            Told::Unheard => {}
            refused @ Told::Refused(..) => panic!("refused: {refused:?}"),
        }
        "done"
    }

    pub(super) fn refused(&self, kinds: &[ErrorKind]) -> &'static str {
        match self.told {
            Told::Refused(kind, text) => assert!(kinds.contains(kind), "{kind:?} {text}"),
            other => panic!("{other:?} though it must be refused"),
        }
        "refused"
    }

    /// Takes up one new snapshot, on the head of a branch.
    pub(super) fn one(
        &mut self,
        branch: Option<&str>,
        commit: &str,
        rows: Vec<Row>,
        more: Option<More>,
    ) {
        let made = self.new.pop_front().unwrap_or_else(|| {
            panic!("a snapshot was to be made, and this was told: {:?}", self.told)
        });
        let head = self.model.head(branch);
        assert_eq!(made.parent_snapshot_id(), head, "the parent of the new snapshot");
        let replaces = made.summary().operation == Operation::Replace;
        assert!(!replaces, "a change of rows calls itself a rewrite");
        let more = more.unwrap_or_default();
        let before = self.model.seq(head);
        let state = State {
            rows: Arc::new(rows),
            columns: Arc::clone(&self.model.columns),
            seq: more.seq.or(before),
            seq_before: before,
            parent: head,
            time_ms: made.timestamp_ms(),
            commit: commit.to_string(),
            source: more.source,
            appended: more.appended.map(Arc::new),
        };
        self.adopt(branch, made.snapshot_id(), state);
    }

    pub(super) fn adopt(&mut self, branch: Option<&str>, id: i64, state: State) {
        self.model.snapshots.insert(id, state);
        self.model.order.push(id);
        match branch {
            None => self.model.main = Some(id),
            Some(name) => match self.model.refs.get_mut(name) {
                Some(named) => named.snapshot = id,
                None => {
                    let retention = northstar_iceberg::refs::Retention::default();
                    let named = Named { snapshot: id, is_tag: false, retention };
                    self.model.refs.insert(name.to_string(), named);
                }
            },
        }
    }

    fn ingest(&mut self, branch: Option<&str>, seq: i64, rows: &[Row]) -> &'static str {
        let commit = format!("batch-{seq}");
        let head = self.model.head(branch);
        if self.has(head, &commit) {
            return self.nothing();
        }
        if self.model.seq(head).unwrap_or(0) != seq - 1 {
            return self.refused(&[ErrorKind::Conflict]);
        }
        let after = self.model.rows(head).iter().chain(rows).cloned().collect();
        let more = More { seq: Some(seq), appended: Some(rows.to_vec()), ..More::default() };
        self.one(branch, &commit, after, Some(more));
        self.done()
    }

    pub(super) fn has(&self, head: Option<i64>, commit: &str) -> bool {
        self.model.ancestors(head).any(|id| self.model.snapshots[&id].commit == commit)
    }

    fn statement(
        &mut self,
        branch: Option<&str>,
        id: &str,
        effect: Effect,
        appended: Option<Vec<Row>>,
    ) -> &'static str {
        if branch.is_some_and(|name| !self.model.refs.contains_key(name)) {
            return self.refused(&[ErrorKind::NotFound]);
        }
        if self.has(self.model.head(branch), id) {
            return self.nothing();
        }
        if let Told::Ran(Ran { rows: Some(rows), .. }) = self.told {
            assert_eq!(*rows, effect.counts, "M3: rows inserted, updated, deleted");
        }
        if effect.counts == [0, 0, 0] {
            return self.nothing();
        }
        let more = More { appended, ..More::default() };
        self.one(branch, id, effect.rows, Some(more));
        self.done()
    }

    fn truncate(&mut self, branch: Option<&str>, id: &str) -> &'static str {
        let before = self.model.rows(self.model.head(branch));
        let effect = Effect { rows: Vec::new(), counts: [0, 0, before.len() as u64] };
        let changed = match self.told {
            Told::Ran(ran) => ran.changed,
            Told::Unheard => !self.new.is_empty(),
            Told::Refused(..) => false,
        };
        // Files of which each row is deleted may be there, and go.
        if before.is_empty() && changed {
            self.one(branch, id, Vec::new(), None);
            return "done";
        }
        self.statement(branch, id, effect, None)
    }

    fn overwrite(&mut self, branch: Option<&str>, id: &str, rows: &[Row]) -> &'static str {
        if self.model.was_repartitioned && matches!(self.told, Told::Refused(..)) {
            return self.refused(&[ErrorKind::Unsupported]);
        }
        let before = self.model.rows(self.model.head(branch));
        let fields: Vec<Field> = self.model.fields.clone();
        let replaced: Vec<Vec<Cell>> = rows.iter().map(|row| partition(row, &fields)).collect();
        let stays = |row: &&Row| !replaced.contains(&partition(row, &fields));
        let mut after: Vec<Row> = before.iter().filter(stays).cloned().collect();
        let deleted = (before.len() - after.len()) as u64;
        after.extend(rows.iter().cloned());
        let counts = [rows.len() as u64, 0, deleted];
        // One that finds no file to replace is an append like any other.
        let made = self.new.front().map(|made| made.summary().operation.clone());
        let appended = (made == Some(Operation::Append)).then(|| rows.to_vec());
        assert!(appended.is_none() || deleted == 0, "rows were replaced by an append");
        self.statement(branch, id, Effect { rows: after, counts }, appended)
    }
}

/// What a snapshot says beside its rows.
#[derive(Debug, Default)]
pub(super) struct More {
    pub(super) seq: Option<i64>,
    pub(super) source: Option<i64>,
    pub(super) appended: Option<Vec<Row>>,
}

/// The rows after a MERGE; `None` if a row has two source rows (M1).
fn merged(before: &[Row], changes: &[Change], set: &[i32], columns: &[Column]) -> Option<Effect> {
    let null = Cell::Null;
    let key = |row: &Row| row.get(&KEY).unwrap_or(&null).clone();
    let (mut rows, mut counts) = (Vec::new(), [0, 0, 0]);
    for row in before {
        let mut pairs = changes.iter().filter(|c| key(row) != null && key(&c.row) == key(row));
        let Some(change) = pairs.next() else {
            rows.push(row.clone());
            continue;
        };
        if pairs.next().is_some() {
            return None;
        }
        if change.deletes {
            counts[2] += 1;
            continue;
        }
        let mut after = row.clone();
        for id in set {
            after.insert(*id, change.row.get(id).cloned().unwrap_or(Cell::Null));
        }
        counts[1] += u64::from(seen(&after, columns) != seen(row, columns));
        rows.push(after);
    }
    for change in changes.iter().filter(|change| !change.deletes) {
        let is_there = before.iter().any(|row| key(row) != null && key(row) == key(&change.row));
        if !is_there {
            counts[0] += 1;
            rows.push(change.row.clone());
        }
    }
    Some(Effect { rows, counts })
}
