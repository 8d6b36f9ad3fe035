//! An operation, done to the model: what it must have come to, by what it said and by the snapshots
//! that are new.

use std::collections::VecDeque;
use std::sync::Arc;

use iceberg::spec::{Operation, SnapshotRef};
use northstar_iceberg::ErrorKind;

use super::draw::KEY;
use super::model::{Column, Field, Kind, Model, Named, Row, State, partition, seen};
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
    /// The head of the branch that is published, as it was looked at: what comes to it later is not
    /// published.
    pub(super) checked: Option<i64>,
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
            Op::Truncate { branch, id } => {
                let before = self.model.rows(self.model.head(branch.as_deref()));
                let effect = Effect { rows: Vec::new(), counts: [0, 0, before.len() as u64] };
                // Files of which each row is deleted may be there, and go.
                let changed = match self.told {
                    Told::Ran(ran) => ran.changed,
                    Told::Unheard => !self.new.is_empty(),
                    Told::Refused(..) => false,
                };
                if before.is_empty() && changed {
                    self.one(branch.as_deref(), id, Vec::new(), None);
                    return "done";
                }
                self.statement(branch.as_deref(), id, effect, None)
            }
            Op::Mode { .. } => match self.told {
                Told::Ran(ran) if !ran.changed => "nothing",
                _ => self.done(),
            },
            Op::AddField(_) | Op::DropField(_) | Op::ReplaceField(..) => self.repartition(op),
            _ if op.evolves() => self.evolve(op),
            Op::Compact { .. } | Op::Manifests => self.rewritten(),
            Op::Expire { age_ms, least } => {
                let refs = self.model.refs.len();
                let gone = self.model.expire(self.now_ms, *age_ms, *least);
                if let Told::Ran(ran) = self.told {
                    let mut said = ran.expired.clone();
                    said.sort_unstable();
                    assert_eq!(said, gone, "C2: the snapshots that expire");
                    assert_eq!(ran.left, 0, "files could not be removed");
                }
                match gone.is_empty() && self.model.refs.len() == refs {
                    true => self.nothing(),
                    false => self.done(),
                }
            }
            Op::Orphans { .. } => match self.told {
                Told::Ran(ran) if ran.orphans.0 > 0 => "done",
                _ => "nothing",
            },
            Op::Tag { name, snapshot, retention } => {
                let named = Named { snapshot: *snapshot, is_tag: true, retention: *retention };
                self.name(name, named)
            }
            Op::Branch { name, snapshot, retention } => {
                let named = Named { snapshot: *snapshot, is_tag: false, retention: *retention };
                self.name(name, named)
            }
            Op::DropRef { name, .. } => match self.model.refs.remove(name) {
                Some(_) => self.done(),
                // Who was overtaken by another who dropped it finds it so.
                None if matches!(self.told, Told::Ran(_)) => self.nothing(),
                None => self.refused(&[ErrorKind::NotFound]),
            },
            Op::Publish { branch } => self.publish(branch),
            Op::Pick { snapshot } => self.pick(*snapshot),
            Op::RollBack { branch, to } => self.roll_back(branch.as_deref(), *to),
            other => panic!("{other:?} is not played"),
        }
    }

    fn nothing(&self) -> &'static str {
        match self.told {
            Told::Ran(ran) => assert!(!ran.changed, "nothing was to be done"),
            Told::Unheard => {}
            refused @ Told::Refused(..) => panic!("refused: {refused:?}"),
        }
        "nothing"
    }

    fn done(&self) -> &'static str {
        match self.told {
            Told::Ran(ran) => assert!(ran.changed, "something was to be done"),
            Told::Unheard => {}
            refused @ Told::Refused(..) => panic!("refused: {refused:?}"),
        }
        "done"
    }

    fn refused(&self, kinds: &[ErrorKind]) -> &'static str {
        match self.told {
            Told::Refused(kind, text) => assert!(kinds.contains(kind), "{kind:?} {text}"),
            other => panic!("{other:?} though it must be refused"),
        }
        "refused"
    }

    /// Takes up one new snapshot, on the head of a branch.
    fn one(&mut self, branch: Option<&str>, commit: &str, rows: Vec<Row>, more: Option<More>) {
        let made = self.new.pop_front().expect("a snapshot was to be made");
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

    fn adopt(&mut self, branch: Option<&str>, id: i64, state: State) {
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

    fn has(&self, head: Option<i64>, commit: &str) -> bool {
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

    /// Snapshots that leave the rows as they are.
    fn rewritten(&mut self) -> &'static str {
        let most = match self.told {
            Told::Ran(ran) => ran.snapshots,
            _ => usize::MAX,
        };
        let mut made = 0;
        while let Some(new) = self.new.front() {
            if made == most || new.summary().operation != Operation::Replace {
                break;
            }
            let head = self.model.main.expect("a snapshot is rewritten");
            assert_eq!(new.parent_snapshot_id(), Some(head), "the parent of a rewrite");
            let before = &self.model.snapshots[&head];
            let state = State {
                rows: Arc::clone(&before.rows),
                columns: Arc::clone(&self.model.columns),
                seq: before.seq,
                seq_before: before.seq,
                parent: Some(head),
                time_ms: new.timestamp_ms(),
                commit: format!("rewrite-{}", new.snapshot_id()),
                source: None,
                appended: None,
            };
            let id = new.snapshot_id();
            self.new.pop_front();
            self.adopt(None, id, state);
            made += 1;
        }
        if most < usize::MAX {
            assert_eq!(made, most, "snapshots of a rewrite");
        }
        if made > 0 { self.done() } else { self.nothing() }
    }

    fn name(&mut self, name: &str, named: Named) -> &'static str {
        if self.model.refs.get(name) == Some(&named) {
            return self.nothing();
        }
        if self.model.refs.contains_key(name) {
            return self.refused(&[ErrorKind::AlreadyExists]);
        }
        let Some(state) = self.model.snapshots.get(&named.snapshot) else {
            return self.refused(&[ErrorKind::NotFound]);
        };
        let age_ms = named.retention.max_ref_age_ms;
        if age_ms.is_some_and(|age_ms| state.time_ms.saturating_add(age_ms) <= self.now_ms) {
            return self.refused(&[ErrorKind::InvalidInput]);
        }
        self.model.refs.insert(name.to_string(), named);
        self.done()
    }

    fn publish(&mut self, branch: &str) -> &'static str {
        let there = self.model.refs.get(branch).map(|named| named.snapshot);
        let Some(to) = self.checked.or(there) else {
            return self.refused(&[ErrorKind::NotFound]);
        };
        let main = self.model.main;
        if self.model.ancestors(main).any(|id| id == to) {
            return self.nothing();
        }
        if main.is_some() && !self.model.ancestors(Some(to)).any(|id| Some(id) == main) {
            return self.refused(&[ErrorKind::Conflict]);
        }
        self.model.main = Some(to);
        self.done()
    }

    fn roll_back(&mut self, branch: Option<&str>, to: i64) -> &'static str {
        if !self.model.snapshots.contains_key(&to)
            || branch.is_some_and(|name| !self.model.refs.contains_key(name))
        {
            return self.refused(&[ErrorKind::NotFound]);
        }
        if self.model.head(branch) == Some(to) {
            return self.nothing();
        }
        match branch.and_then(|name| self.model.refs.get_mut(name)) {
            Some(named) => named.snapshot = to,
            None => self.model.main = Some(to),
        }
        self.done()
    }

    fn pick(&mut self, id: i64) -> &'static str {
        let Some(source) = self.model.snapshots.get(&id).cloned() else {
            return self.refused(&[ErrorKind::NotFound]);
        };
        let main = self.model.main;
        let is_there = self
            .model
            .ancestors(main)
            .any(|there| there == id || self.model.snapshots[&there].source == Some(id));
        if is_there || self.has(main, &source.commit) {
            return self.nothing();
        }
        let Some(rows) = source.appended.clone() else {
            return self.refused(&[ErrorKind::Unsupported]);
        };
        if self.model.was_repartitioned
            && matches!(self.told, Told::Refused(ErrorKind::Unsupported, _))
        {
            return "refused";
        }
        let moved = source.seq != source.seq_before;
        if moved && self.model.seq(main) != source.seq_before {
            return self.refused(&[ErrorKind::Conflict]);
        }
        // Its files may be there by a commit that is no longer known.
        if self.model.has_expired && matches!(self.told, Told::Refused(ErrorKind::Conflict, _)) {
            return "refused";
        }
        let after = self.model.rows(main).iter().chain(rows.iter()).cloned().collect();
        let seq = if moved { source.seq } else { None };
        let appended = Some(rows.to_vec());
        self.one(None, &source.commit, after, Some(More { seq, source: Some(id), appended }));
        self.done()
    }

    /// The rules of what may be changed have tests of their own: what is refused must be so with a
    /// reason and change nothing, and what is done must be as it says.
    fn evolve(&mut self, op: &Op) -> &'static str {
        match self.told {
            Told::Refused(..) => {
                return self.refused(&[
                    ErrorKind::InvalidInput,
                    ErrorKind::AlreadyExists,
                    ErrorKind::NotFound,
                ]);
            }
            Told::Ran(ran) if !ran.changed => return "nothing",
            _ => {}
        }
        let mut columns = (*self.model.columns).clone();
        let at = |columns: &[Column], id: i32| {
            columns.iter().position(|column| column.id == id).expect("the column is there")
        };
        match op {
            Op::AddColumn { name, kind, after } => {
                self.model.last_id += 1;
                let id = self.model.last_id;
                let place = after.map_or(columns.len(), |after| at(&columns, after) + 1);
                let new = Column { id, name: name.clone(), kind: *kind, required: false };
                columns.insert(place, new);
            }
            Op::DropColumn(id) => {
                columns.remove(at(&columns, *id));
            }
            Op::RenameColumn(id, name) => {
                let at = at(&columns, *id);
                columns[at].name.clone_from(name);
            }
            Op::WidenColumn(id) => {
                let at = at(&columns, *id);
                columns[at].kind = match columns[at].kind {
                    Kind::Int => Kind::Long,
                    Kind::Float => Kind::Double,
                    other => other,
                };
            }
            Op::MakeOptional(id) => {
                let at = at(&columns, *id);
                columns[at].required = false;
            }
            Op::MoveColumn(id, after) => {
                let column = columns.remove(at(&columns, *id));
                let place = after.map_or(0, |after| at(&columns, after) + 1);
                columns.insert(place, column);
            }
            other => panic!("{other:?} changes no column"),
        }
        self.model.columns = Arc::new(columns);
        "done"
    }

    fn repartition(&mut self, op: &Op) -> &'static str {
        match self.told {
            Told::Refused(..) => {
                return self.refused(&[
                    ErrorKind::InvalidInput,
                    ErrorKind::AlreadyExists,
                    ErrorKind::NotFound,
                ]);
            }
            Told::Ran(ran) if !ran.changed => return "nothing",
            _ => {}
        }
        let fields = &mut self.model.fields;
        match op {
            Op::AddField(field) => fields.push(*field),
            Op::DropField(field) => fields.retain(|there| there != field),
            Op::ReplaceField(from, to) => {
                let at = fields.iter().position(|field| field == from).expect("a field");
                fields[at] = *to;
            }
            other => panic!("{other:?} changes no partition field"),
        }
        self.model.was_repartitioned = true;
        "done"
    }
}

/// What a snapshot says beside its rows.
#[derive(Debug, Default)]
struct More {
    seq: Option<i64>,
    source: Option<i64>,
    appended: Option<Vec<Row>>,
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
