//! Random change streams, and a table in memory that takes them one by one.

use std::collections::BTreeMap;

/// A small generator of numbers: the same for the same seed.
#[derive(Debug)]
pub(super) struct Draws(u64);

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % end.max(1)
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    op: u8,
    lsn: String,
    command: u32,
    seqval: String,
    id: i64,
    version: Option<i64>,
    note: String,
}

impl Change {
    fn position(&self) -> String {
        format!("{}/{:010}/{}", self.lsn, self.command, self.seqval)
    }

    pub(super) fn record(&self) -> String {
        let Self { op, lsn, command, seqval, id, version, note } = self;
        let version = version.map(|version| version.to_string()).unwrap_or_default();
        format!("{op},{lsn},{command},{seqval},{id},{version},{note}")
    }
}

/// The files of a stream, in order: each change has a later position than those before it, save the
/// before images and a few that come twice.
pub(super) fn stream(draws: &mut Draws, files: usize) -> Vec<Vec<Change>> {
    let mut at = 100;
    (0..files)
        .map(|_| {
            let mut changes: Vec<Change> = Vec::new();
            for _ in 0..4 + draws.below(9) {
                at += 1;
                let id = i64::try_from(draws.below(5)).expect("small");
                let made = |op: u8| Change {
                    op,
                    lsn: format!("{:08x}", at / 12),
                    command: at % 12,
                    seqval: format!("{at:06x}"),
                    id,
                    version: None,
                    note: format!("n{at}"),
                };
                let op = [1, 2, 4, 4][draws.below(4)];
                let version = match draws.below(6) {
                    0 => None,
                    version => i64::try_from(version).ok(),
                };
                if op == 4 {
                    changes.push(Change { note: "before".into(), ..made(3) });
                }
                changes.push(Change { version, ..made(op) });
            }
            let again = changes[draws.below(changes.len())].clone();
            changes.push(again);
            changes
        })
        .collect()
}

/// A row: version, note, position (none if it was there before all changes), whether it is deleted.
type Row = (Option<i64>, String, Option<String>, bool);

/// The table.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) rows: BTreeMap<i64, Row>,
    watermark: Option<String>,
    hard: bool,
    versioned: bool,
}

impl Model {
    pub(super) fn new(hard: bool, versioned: bool, rows: BTreeMap<i64, Row>) -> Self {
        Self { rows, watermark: None, hard, versioned }
    }

    pub(super) fn apply_all<'a>(&mut self, changes: impl IntoIterator<Item = &'a Change>) {
        changes.into_iter().filter(|change| change.op != 3).for_each(|change| self.apply(change));
    }

    fn apply(&mut self, change: &Change) {
        let position = change.position();
        if self.hard && self.watermark.as_ref().is_some_and(|watermark| position <= *watermark) {
            return;
        }
        self.watermark = self.watermark.take().max(Some(position.clone()));
        let is_delete = change.op == 1;
        let row = (change.version, change.note.clone(), Some(position), is_delete);
        let there = self.rows.get(&change.id);
        let newer = there.is_none_or(|there| self.is_newer(&row, there));
        match (newer, self.hard && is_delete) {
            (false, _) => {}
            (true, true) => {
                self.rows.remove(&change.id);
            }
            (true, false) => {
                self.rows.insert(change.id, row);
            }
        }
    }

    fn is_newer(&self, new: &Row, old: &Row) -> bool {
        let by_version = if self.versioned { new.0.cmp(&old.0) } else { std::cmp::Ordering::Equal };
        if self.hard && new.3 && old.2.is_some() {
            return true;
        }
        by_version.then_with(|| new.2.cmp(&old.2)).is_gt()
    }

    /// The rows as the table shows them.
    pub(super) fn shown(&self) -> Vec<String> {
        let null = || "NULL".to_string();
        let mut shown: Vec<String> = self
            .rows
            .iter()
            .map(|(id, (version, note, position, deleted))| {
                let version = version.map_or_else(null, |version| version.to_string());
                let position = position.clone().unwrap_or_else(null);
                let deleted = if self.hard { String::new() } else { format!("|{deleted}") };
                format!("{id}|{version}|{note}|{position}{deleted}")
            })
            .collect();
        shown.sort_unstable();
        shown
    }
}
