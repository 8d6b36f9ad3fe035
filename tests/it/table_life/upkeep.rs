//! What changes no rows, done to the model: evolution, maintenance, branches and tags.

use std::sync::Arc;

use iceberg::spec::Operation;
use northstar_iceberg::ErrorKind;

use super::model::{Column, Kind, Named, State};
use super::operation::Op;
use super::play::{More, Play, Told};

impl Play<'_> {
    pub(super) fn upkeep(&mut self, op: &Op) -> &'static str {
        match op {
            Op::Mode { .. } => match self.told {
                Told::Ran(ran) if !ran.changed => "nothing",
                _ => self.done(),
            },
            Op::AddField(_) | Op::DropField(_) | Op::ReplaceField(..) => self.repartition(op),
            _ if op.evolves() => self.evolve(op),
            Op::Compact { .. } | Op::Manifests => self.rewritten(),
            Op::Expire { age_ms, least } => self.expire(*age_ms, *least),
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
                Some(named) if self.planned.head(Some(name)) != Some(named.snapshot) => {
                    panic!("M5: `{name}` was dropped with a commit that nobody had seen")
                }
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

    fn expire(&mut self, age_ms: i64, least: usize) -> &'static str {
        let refs = self.model.refs.len();
        let gone = self.model.expire(self.now_ms, age_ms, least);
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
        // As it was looked at: what came to it later is not published.
        let Some(to) = self.planned.head(Some(branch)) else {
            return self.refused(&[ErrorKind::NotFound]);
        };
        let main = self.planned.main;
        if self.planned.ancestors(main).any(|id| id == to) {
            return self.nothing();
        }
        // An expiry that comes between may take what lies between the two; it was seen before.
        if main.is_some() && !self.planned.ancestors(Some(to)).any(|id| Some(id) == main) {
            return self.refused(&[ErrorKind::Conflict]);
        }
        if !self.model.snapshots.contains_key(&to) {
            return self.refused(&[ErrorKind::NotFound]);
        }
        if self.model.main == Some(to) {
            return self.nothing();
        }
        assert_eq!(self.model.main, main, "M5: a commit was published away");
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
        let head = self.model.head(branch);
        assert_eq!(head, self.planned.head(branch), "M5: a commit was undone unseen");
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
