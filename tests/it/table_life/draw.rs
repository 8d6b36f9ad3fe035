//! What happens next, drawn from what the table is. Values are few, so that keys meet; bounds of texts
//! are cut within what many have in common.

use northstar_iceberg::maintenance::DAY_MS;
use northstar_iceberg::refs::{FOREVER_MS, Retention};

use super::filter::Filter;
use super::model::{Column, Field, Kind, Model, Row, Transform};
use super::operation::{Branch, Change, Op};
use crate::merge_model::random::Random;
use crate::merge_model::value::Cell;

/// The column that MERGE looks for, which is never dropped.
pub(super) const KEY: i32 = 1;
/// A text column that is there always.
pub(super) const SITE: i32 = 2;

const NAMES: [&str; 9] = ["k", "site", "d", "n", "note", "x", "y", "z", "w"];
const COMMON: &str = "patient-record-0000";
const FLOATS: [f32; 8] =
    [0.0, -0.0, f32::NAN, 1.5, -2.25, f32::INFINITY, f32::NEG_INFINITY, 1_048_576.5];

/// Draws operations for a model.
pub(super) struct Draw<'a> {
    pub(super) random: &'a mut Random,
    pub(super) model: &'a Model,
    /// The batches of the source so far, by watermark less one.
    pub(super) batches: &'a mut Vec<Vec<Row>>,
    pub(super) step: usize,
    pub(super) is_sorted: bool,
}

fn text(random: &mut Random) -> String {
    match random.below(14) {
        0 => String::new(),
        1 => "a".to_string(),
        2 => "o'neil".to_string(),
        3 => "日本".to_string(),
        4 => "a b/c=%".to_string(),
        5..=8 => format!("{COMMON}{}", random.below(4)),
        9 | 10 => format!("{}{}", "é".repeat(15), random.pick(&["a", "é", "éz", "z"])),
        11 => "\u{10FFFF}".repeat(16 + random.below(2)),
        12 => "😀".repeat(random.below(3) + 15),
        _ => "b".to_string(),
    }
}

fn number(random: &mut Random, kind: Kind) -> i64 {
    match (random.below(20), kind) {
        (0, Kind::Long) => *random.pick(&[5_000_000_000, -5_000_000_000]),
        (0, _) => *random.pick(&[i64::from(i32::MAX), i64::from(i32::MIN)]),
        _ => i64::try_from(random.below(12)).unwrap() - 1,
    }
}

/// A value of a type; NULL now and then if it may be.
pub(super) fn cell(random: &mut Random, kind: Kind, required: bool) -> Cell {
    if !required && random.chance(15) {
        return Cell::Null;
    }
    match kind {
        Kind::Text => Cell::Text(text(random)),
        Kind::Int | Kind::Long => Cell::Int(number(random, kind)),
        Kind::Double if random.chance(10) => Cell::double(1e300),
        Kind::Float | Kind::Double => Cell::double(f64::from(*random.pick(&FLOATS))),
    }
}

/// A condition on some columns.
pub(super) fn filter(random: &mut Random, columns: &[Column]) -> Filter {
    let first = simple(random, columns);
    match random.below(8) {
        0 => Filter::Both(Box::new(first), Box::new(simple(random, columns))),
        1 => Filter::Either(Box::new(first), Box::new(simple(random, columns))),
        2 => Filter::Not(Box::new(first)),
        _ => first,
    }
}

fn simple(random: &mut Random, columns: &[Column]) -> Filter {
    let column = random.pick(columns).clone();
    let value = cell(random, column.kind, true);
    match random.below(10) {
        0 | 1 => Filter::IsNull(column.id),
        2 => Filter::Not(Box::new(Filter::IsNull(column.id))),
        3 | 4 => {
            let more = (0..random.below(3)).map(|_| cell(random, column.kind, false));
            let more: Vec<Cell> = more.collect();
            Filter::In(column.id, [value].into_iter().chain(more).collect())
        }
        5 if column.kind == Kind::Text => {
            let prefix = *random.pick(&[COMMON, "patient", "éééééééééééééé", "a b", "😀"]);
            Filter::Prefix(column.id, prefix.replace('%', ""))
        }
        5 | 6 => Filter::Compare(column.id, "=", value),
        _ => {
            let operator = *random.pick(&["<>", "<", "<=", ">", ">="]);
            Filter::Compare(column.id, operator, value)
        }
    }
}

impl Draw<'_> {
    fn row(&mut self) -> Row {
        let columns = &self.model.columns;
        let random = &mut *self.random;
        columns.iter().map(|c| (c.id, cell(random, c.kind, c.required))).collect()
    }

    fn rows(&mut self, most: usize) -> Vec<Row> {
        (0..1 + self.random.below(most)).map(|_| self.row()).collect()
    }

    /// `main` mostly, else a branch that is there; rather one that may be published.
    fn branch(&mut self, percent: usize) -> Branch {
        if let Some(ready) = self.ready(false)
            && self.random.chance(40)
        {
            return Some(ready);
        }
        let branches = self.branches();
        match !branches.is_empty() && self.random.chance(percent) {
            true => Some(self.random.pick(&branches).clone()),
            false => None,
        }
    }

    /// A branch that `main` could be set forward to: it is where `main` is, or ahead.
    fn ready(&self, ahead: bool) -> Option<String> {
        let main = self.model.main?;
        let is_ready = |head: i64| {
            (head != main || !ahead) && self.model.ancestors(Some(head)).any(|id| id == main)
        };
        let mut refs = self.model.refs.iter();
        let found = refs.find(|(_, named)| !named.is_tag && is_ready(named.snapshot));
        found.map(|(name, _)| name.clone())
    }

    fn branches(&self) -> Vec<String> {
        let refs = self.model.refs.iter().filter(|(_, named)| !named.is_tag);
        refs.map(|(name, _)| name.clone()).collect()
    }

    fn snapshot(&mut self) -> Option<i64> {
        let ids = &self.model.order;
        (!ids.is_empty()).then(|| *self.random.pick(ids))
    }

    /// The batch with a watermark; new ones are made up.
    pub(super) fn batch(&mut self, branch: Branch, seq: i64) -> Op {
        while (self.batches.len() as i64) < seq {
            let rows = self.rows(6);
            self.batches.push(rows);
        }
        Op::Ingest { branch, seq, rows: self.batches[seq as usize - 1].clone() }
    }

    fn id(&self) -> String {
        format!("op-{}-{}", self.step, self.random.clone().below(1 << 30))
    }

    /// What happens next.
    pub(super) fn op(&mut self) -> Op {
        loop {
            if let Some(op) = self.try_op() {
                return op;
            }
        }
    }

    fn try_op(&mut self) -> Option<Op> {
        if let Some(branch) = self.ready(true)
            && self.random.chance(15)
        {
            return Some(Op::Publish { branch });
        }
        Some(match self.random.below(100) {
            0..=17 => {
                let branch = self.branch(25);
                let seq = self.model.seq(self.model.head(branch.as_deref())).unwrap_or(0);
                match self.random.below(10) {
                    // Once more, one that was overtaken, or one too far.
                    0 if seq > 0 => self.batch(branch, seq),
                    1 if seq > 1 => self.batch(branch, seq - 1),
                    2 => self.batch(branch, seq + 2),
                    _ => self.batch(branch, seq + 1),
                }
            }
            18..=21 => Op::Insert { branch: self.branch(20), id: self.id(), rows: self.rows(5) },
            22..=36 => self.merge(),
            37..=41 => self.update()?,
            42..=46 => Op::Delete {
                branch: self.branch(15),
                id: self.id(),
                filter: filter(self.random, &self.model.columns),
            },
            47..=48 => self.overwrite()?,
            49 if self.random.chance(50) => Op::Truncate { branch: self.branch(20), id: self.id() },
            49..=51 => Op::Mode { mode: mode(self.random.below(100)) },
            other => return self.upkeep(other),
        })
    }

    /// What changes no rows, by a number from 52 to 99.
    fn upkeep(&mut self, number: usize) -> Option<Op> {
        Some(match number {
            52..=60 => self.evolve()?,
            61..=63 => self.repartition()?,
            kind @ 64..=69 => {
                let sort = self.is_sorted && self.random.chance(50);
                Op::Compact { sort, light: kind % 2 == 1 }
            }
            70..=72 => Op::Manifests,
            73..=77 => Op::Expire {
                age_ms: self.random.below(16) as i64 * DAY_MS + DAY_MS / 2,
                least: 1 + self.random.below(3),
            },
            78 => Op::Orphans { later: self.random.chance(50) },
            79..=82 => {
                let snapshot = self.snapshot()?;
                let age = *self.random.pick(&[FOREVER_MS, 30 * DAY_MS, 8 * DAY_MS, 3 * DAY_MS]);
                let half = if age == FOREVER_MS { 0 } else { DAY_MS / 2 };
                let retention =
                    Retention { max_ref_age_ms: Some(age + half), ..Retention::default() };
                Op::Tag { name: format!("tag-{}", self.step), snapshot, retention }
            }
            83..=85 => self.new_branch()?,
            86..=87 => {
                let refs: Vec<(&String, bool)> =
                    self.model.refs.iter().map(|(name, named)| (name, named.is_tag)).collect();
                if refs.is_empty() {
                    return None;
                }
                let (name, is_tag) = *self.random.pick(&refs);
                Op::DropRef { name: name.clone(), is_tag }
            }
            88..=91 => Op::Publish { branch: self.branch(100)? },
            92..=94 => self.pick()?,
            _ => {
                let branch = self.branch(20);
                let from = usize::from(self.random.chance(85));
                let behind = self.model.ancestors(self.model.head(branch.as_deref()));
                let behind: Vec<i64> = behind.skip(from).take(5).collect();
                let any = self.snapshot()?;
                let to = match self.random.chance(85) && !behind.is_empty() {
                    true => *self.random.pick(&behind),
                    false => any,
                };
                Op::RollBack { branch, to }
            }
        })
    }

    fn new_branch(&mut self) -> Option<Op> {
        if self.branches().len() > 1 {
            return None;
        }
        let snapshot = match self.random.chance(70) {
            true => self.model.main?,
            false => self.snapshot()?,
        };
        let days = |random: &mut Random, percent| {
            let days = 2 + random.below(12) as i64;
            random.chance(percent).then_some(days * DAY_MS + DAY_MS / 2)
        };
        let retention = Retention {
            max_ref_age_ms: days(self.random, 20),
            min_snapshots_to_keep: self.random.chance(30).then_some(2),
            max_snapshot_age_ms: days(self.random, 30),
        };
        Some(Op::Branch { name: format!("branch-{}", self.step), snapshot, retention })
    }

    fn merge(&mut self) -> Op {
        let branch = self.branch(15);
        let rows = self.model.rows(self.model.head(branch.as_deref()));
        let mut changes: Vec<Change> = Vec::new();
        for _ in 0..1 + self.random.below(6) {
            // As it is, or with a key that is there.
            let mut row = self.row();
            if !rows.is_empty() && self.random.chance(60) {
                let there = self.random.pick(&rows).clone();
                let whole = self.random.chance(20);
                let key = there.get(&KEY).cloned().unwrap_or(Cell::Null);
                row.insert(KEY, key);
                if whole {
                    let has = |id: &i32| self.model.column(*id).is_some();
                    row.extend(there.into_iter().filter(|(id, _)| has(id)));
                }
            }
            let deletes = self.random.chance(30);
            let is_new = changes.iter().all(|other| other.row[&KEY] != row[&KEY]);
            if is_new || self.random.chance(8) {
                changes.push(Change { row, deletes });
            }
        }
        let mut set: Vec<i32> = self.model.columns.iter().map(|column| column.id).collect();
        self.random.shuffle(&mut set);
        set.truncate(1 + self.random.below(set.len()));
        Op::Merge { branch, id: self.id(), changes, set }
    }

    fn update(&mut self) -> Option<Op> {
        let columns = &self.model.columns;
        let column = self.random.pick(columns).clone();
        let to = cell(self.random, column.kind, column.required);
        let filter = filter(self.random, columns);
        Some(Op::Update { branch: self.branch(15), id: self.id(), column: column.id, to, filter })
    }

    fn overwrite(&mut self) -> Option<Op> {
        let is_bucket = |field: &Field| matches!(field.transform, Transform::Bucket(_));
        if self.model.fields.iter().any(is_bucket) {
            return None;
        }
        Some(Op::Overwrite { branch: self.branch(15), id: self.id(), rows: self.rows(3) })
    }

    fn free_name(&mut self) -> Option<String> {
        let taken = |name: &str| self.model.columns.iter().any(|column| column.name == name);
        let free: Vec<&str> = NAMES.into_iter().filter(|name| !taken(name)).collect();
        (!free.is_empty()).then(|| (*self.random.pick(&free)).to_string())
    }

    fn any_column(&mut self, least: i32) -> Option<i32> {
        let ids = self.model.columns.iter().map(|column| column.id);
        let ids: Vec<i32> = ids.filter(|id| *id > least).collect();
        (!ids.is_empty()).then(|| *self.random.pick(&ids))
    }

    fn evolve(&mut self) -> Option<Op> {
        let of = |wanted: &dyn Fn(&Column) -> bool| -> Vec<i32> {
            let columns = self.model.columns.iter().filter(|column| wanted(column));
            columns.map(|column| column.id).collect()
        };
        let narrow = of(&|column| matches!(column.kind, Kind::Int | Kind::Float));
        let required = of(&|column| column.required);
        Some(match self.random.below(10) {
            0 | 1 => {
                let kinds = [Kind::Int, Kind::Long, Kind::Float, Kind::Double, Kind::Text];
                let (name, kind) = (self.free_name()?, *self.random.pick(&kinds));
                let place = self.random.chance(50);
                let after = if place { self.any_column(0) } else { None };
                Op::AddColumn { name, kind, after }
            }
            2 => Op::DropColumn(self.any_column(SITE)?),
            3..=5 => Op::RenameColumn(self.any_column(0)?, self.free_name()?),
            6 | 7 if !narrow.is_empty() => Op::WidenColumn(*self.random.pick(&narrow)),
            8 if !required.is_empty() => Op::MakeOptional(*self.random.pick(&required)),
            _ => {
                let column = self.any_column(0)?;
                let after = if self.random.chance(30) { None } else { self.any_column(0) };
                Op::MoveColumn(column, after.filter(|after| *after != column))
            }
        })
    }

    fn field(&mut self) -> Field {
        let key = [Transform::Bucket(3), Transform::Truncate(4), Transform::Identity];
        let site = [Transform::Identity, Transform::Truncate(2)];
        match self.random.chance(50) {
            true => Field { column: KEY, transform: *self.random.pick(&key) },
            false => Field { column: SITE, transform: *self.random.pick(&site) },
        }
    }

    fn repartition(&mut self) -> Option<Op> {
        let new = self.field();
        if self.model.fields.contains(&new) {
            return Some(Op::DropField(new));
        }
        if self.model.fields.is_empty() {
            return Some(Op::AddField(new));
        }
        let old = *self.random.pick(&self.model.fields);
        Some(match self.random.below(3) {
            0 => Op::AddField(new),
            1 => Op::DropField(old),
            _ => Op::ReplaceField(old, new),
        })
    }

    fn pick(&mut self) -> Option<Op> {
        let main: Vec<i64> = self.model.ancestors(self.model.main).collect();
        let others = self
            .model
            .order
            .iter()
            .filter(|id| self.model.snapshots[id].appended.is_some() && !main.contains(id));
        let others: Vec<i64> = others.copied().collect();
        let seq = self.model.seq(self.model.main);
        let fits = |id: &&i64| {
            let state = &self.model.snapshots[*id];
            let is_there = |there: &i64| self.model.snapshots[there].commit == state.commit;
            (state.seq == state.seq_before || state.seq_before == seq) && !main.iter().any(is_there)
        };
        let fitting: Vec<i64> = others.iter().filter(fits).copied().collect();
        let snapshot = match (fitting.is_empty(), others.is_empty(), self.random.below(10)) {
            (false, _, 0..=6) => *self.random.pick(&fitting),
            (_, false, 0..=8) => *self.random.pick(&others),
            _ => self.snapshot()?,
        };
        Some(Op::Pick { snapshot })
    }
}

/// How statements of a table write, by a number below 100.
pub(super) fn mode(drawn: usize) -> &'static str {
    match drawn {
        0..35 => "merge-on-read",
        35..70 => "auto",
        _ => "copy-on-write",
    }
}
