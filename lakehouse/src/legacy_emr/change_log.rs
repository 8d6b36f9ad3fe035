//! The change files of a day: transactions with log sequence numbers, and the live rows after them.

use std::collections::BTreeMap;
use std::path::Path;

use northstar_catalog::Result;

use super::extract::{LiveCount, TableCount, Written};
use super::row::Row;
use super::tables::{TABLES, Table};
use super::truth::{ChangeTruth, ExtractTruth, Live};
use super::world::{Slot, World};
use super::writer::CsvFile;

/// Change rows are repeated one in this many, at the end of their file.
const ROWS_PER_REPLAY: u64 = 150;
/// The numbers within a visit from this one on are those of rows that come days after it; no visit
/// has as many rows of a table.
pub(super) const LATE_ROWS: u32 = 30;

/// One change of one row: no row before is an insert, none after a delete.
pub(super) struct Change {
    pub(super) slot: Slot,
    pub(super) before: Option<Row>,
    pub(super) after: Option<Row>,
}

/// A change file being written.
struct Stream {
    file: CsvFile,
    truth: ChangeTruth,
    replays: Vec<Vec<u8>>,
}

/// The legacy system's tables as they go on after the extract, and the log of their changes.
pub(super) struct ChangeLog<'a> {
    world: &'a World<'a>,
    /// Rows that are not as [`World::current`] gives them; none where the row is deleted.
    changed: BTreeMap<Slot, Option<Row>>,
    live: Vec<Live>,
    streams: BTreeMap<Table, Stream>,
    day: u64,
    /// Records of the transaction log since the day began.
    log: u64,
}

impl<'a> ChangeLog<'a> {
    /// The state at the end of day 0.
    pub(super) fn new(
        world: &'a World<'a>,
        extract: &BTreeMap<&'static str, ExtractTruth>,
    ) -> Self {
        let live_of = |table: &Table| extract.get(table.name()).map(|truth| truth.live.clone());
        Self {
            world,
            changed: BTreeMap::new(),
            live: TABLES.iter().map(|table| live_of(table).unwrap_or_default()).collect(),
            streams: BTreeMap::new(),
            day: 0,
            log: 0,
        }
    }

    /// Begins the files of a day, the first of which is 1.
    pub(super) fn begin(&mut self, day: u64, out: &Path) -> Result<()> {
        (self.day, self.log) = (day, 0);
        self.streams.clear();
        for table in &TABLES[Table::Patient as usize..] {
            let name = format!("changes/day_{day}/{}.csv", table.name());
            let columns = table.columns().iter().map(|column| column.name);
            let header = ["op", "commit_lsn", "command_id", "seqval"].into_iter().chain(columns);
            let truth = ChangeTruth {
                file: name.clone(),
                rows: 0,
                replayed: 0,
                inserts: 0,
                updates: 0,
                deletes: 0,
                late_corrections: 0,
                live: Live::default(),
            };
            let file = CsvFile::create(out.join(&name), header)?;
            self.streams.insert(*table, Stream { file, truth, replays: Vec::new() });
        }
        Ok(())
    }

    /// Visits that were there when the day began.
    pub(super) fn visits_before(&self) -> u64 {
        self.world.emr().visits() + (self.day - 1) * self.world.emr().visits_per_day()
    }

    /// The row of a slot as it is now, if it is there.
    pub(super) fn now_at(&self, slot: Slot) -> Option<Row> {
        match self.changed.get(&slot) {
            Some(row) => row.clone(),
            None if slot.nth >= LATE_ROWS => None,
            None => Some(self.world.current(slot)),
        }
    }

    /// Whether a row of this key, live or deleted, came or changed after day 0.
    pub(super) fn has_changed(&self, slot: Slot) -> bool {
        self.changed.contains_key(&slot)
    }

    /// Writes the changes as one transaction and makes them take effect.
    pub(super) fn commit(&mut self, changes: Vec<Change>) -> Result<()> {
        let first = self.log;
        self.log += u64::try_from(changes.len()).unwrap_or(0) + 1;
        let commit_lsn = lsn(self.day, self.log - 1);
        for (at, change) in changes.into_iter().enumerate() {
            let seqval = lsn(self.day, first + u64::try_from(at).unwrap_or(0));
            self.record(&change, &commit_lsn, at + 1, &seqval)?;
            self.apply(change);
        }
        Ok(())
    }

    fn record(
        &mut self,
        change: &Change,
        commit_lsn: &str,
        command: usize,
        seqval: &str,
    ) -> Result<()> {
        let old = if change.slot.table == Table::Patient {
            change.slot.index < u64::from(self.world.emr().patients)
        } else {
            change.slot.index < self.visits_before()
        };
        let (Some(stream), Some(row)) = (
            self.streams.get_mut(&change.slot.table),
            change.after.as_ref().or(change.before.as_ref()),
        ) else {
            return Ok(());
        };
        let truth = &mut stream.truth;
        let op = match (&change.before, &change.after) {
            (_, None) => {
                truth.deletes += 1;
                1
            }
            (None, Some(_)) => {
                truth.inserts += 1;
                2
            }
            (Some(_), Some(_)) => {
                truth.updates += 1;
                4
            }
        };
        truth.late_corrections += u64::from(old && op != 1);
        truth.rows += 1;
        let mut line = format!("{op},{commit_lsn},{command},{seqval},").into_bytes();
        row.encode(&mut line);
        stream.file.write(&line)?;
        if truth.rows % ROWS_PER_REPLAY == 7 {
            stream.replays.push(line);
        }
        Ok(())
    }

    fn apply(&mut self, change: Change) {
        let live = &mut self.live[change.slot.table as usize];
        if let Some(row) = &change.before {
            live.remove(row);
        }
        if let Some(row) = &change.after {
            live.add(row);
        }
        // The first row of a key need not be kept: `World::current` gives it.
        let is_first = change.before.is_none() && change.slot.nth < LATE_ROWS;
        if !is_first || self.changed.contains_key(&change.slot) {
            self.changed.insert(change.slot, change.after);
        }
    }

    /// Finishes the files of the day and gives their truth.
    pub(super) fn end(
        &mut self,
        written: &mut Written,
    ) -> Result<BTreeMap<&'static str, ChangeTruth>> {
        let mut done = BTreeMap::new();
        for (table, mut stream) in std::mem::take(&mut self.streams) {
            for line in &stream.replays {
                stream.file.write(line)?;
                stream.truth.rows += 1;
                stream.truth.replayed += 1;
            }
            written.bytes += stream.file.finish()?;
            let live = &mut self.live[table as usize];
            live.show();
            stream.truth.live = live.clone();
            written.live.push(LiveCount::new(table.name(), self.day, live));
            written.changes.push(TableCount {
                table: table.name().to_owned(),
                file: stream.truth.file.clone(),
                rows: stream.truth.rows,
                malformed: 0,
            });
            done.insert(table.name(), stream.truth);
        }
        Ok(done)
    }
}

/// A log sequence number as 20 hex digits, which sort like the numbers.
fn lsn(day: u64, record: u64) -> String {
    format!("{:08x}{:08x}{:04x}", 0x2a + day, 0x18 + (record >> 4), 1 + (record & 15))
}
