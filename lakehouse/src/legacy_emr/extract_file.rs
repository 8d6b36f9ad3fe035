//! One file of the extract: rows, repeated rows, superseded versions and broken records.

use std::collections::VecDeque;
use std::path::Path;

use northstar_catalog::Result;

use super::clinical::{KEYS_PER_VISIT, Visit};
use super::extract::{TableCount, Written};
use super::malformed::{self, Flaw};
use super::row::Row;
use super::tables::Table;
use super::truth::{ExtractTruth, Notes};
use super::world::{Made, Slot, World};
use super::writer::CsvFile;

/// A repeated row comes about this many rows after the first one.
const ROWS_BETWEEN_REPEATS: u64 = 97;
/// Repeated rows kept waiting at most.
const REPEATS_WAITING: usize = 256;

/// A file of the extract: rows now, repeated rows a little later, broken records at their places.
pub(super) struct ExtractFile<'a> {
    world: &'a World<'a>,
    pub(super) table: Table,
    file: CsvFile,
    pub(super) truth: ExtractTruth,
    later: VecDeque<(Row, Notes)>,
    /// Broken records still to come, the next one last.
    broken: Vec<(u64, Flaw)>,
    line: Vec<u8>,
}

impl<'a> ExtractFile<'a> {
    pub(super) fn create(world: &'a World<'a>, table: Table, out: &Path) -> Result<Self> {
        let name = format!("extract/{}.csv", table.name());
        let header = table.columns().iter().map(|column| column.name);
        Ok(Self {
            world,
            table,
            file: CsvFile::create(out.join(&name), header)?,
            truth: ExtractTruth::new(table, name),
            later: VecDeque::new(),
            broken: malformed::places(world, table),
            line: Vec::new(),
        })
    }

    /// Writes the row that `slot` was first made as, with what became of it.
    pub(super) fn emit(&mut self, slot: Slot, row: &mut Row, mut made: Made) -> Result<()> {
        let first_notes = made.notes;
        if !self.world.is_settled(slot) {
            (made.corrected, made.keeps_superseded) = (false, false);
        }
        let superseded = made.keeps_superseded.then(|| row.clone());
        if made.corrected {
            self.world.correct_before_extract(slot, row, &mut made.notes);
            self.truth.corrected_keys += 1;
        }
        self.truth.distinct_keys += 1;
        self.truth.live.add(row);
        if made.duplicate {
            self.truth.duplicate_rows += 1;
            self.later.push_back((row.clone(), made.notes));
        }
        match superseded {
            // Either version may come first.
            Some(old) if slot.index.is_multiple_of(2) => {
                self.truth.superseded_rows += 1;
                self.put(slot.index, &old, first_notes)?;
                self.later.push_back((row.clone(), made.notes));
            }
            Some(old) => {
                self.truth.superseded_rows += 1;
                self.put(slot.index, row, made.notes)?;
                self.later.push_back((old, first_notes));
            }
            None => self.put(slot.index, row, made.notes)?,
        }
        let due = self.truth.rows.is_multiple_of(ROWS_BETWEEN_REPEATS);
        if due || self.later.len() > REPEATS_WAITING {
            self.repeat_one(slot.index)?;
        }
        Ok(())
    }

    fn repeat_one(&mut self, index: u64) -> Result<bool> {
        let Some((row, notes)) = self.later.pop_front() else {
            return Ok(false);
        };
        self.put(index, &row, notes)?;
        Ok(true)
    }

    fn put(&mut self, index: u64, row: &Row, notes: Notes) -> Result<()> {
        self.line.clear();
        row.encode(&mut self.line);
        // After an unclosed quote comes a record of one line without quotes, at which any reader
        // that looks for one can go on.
        if let Some((visit, flaw)) = self.broken.last().copied()
            && visit <= index
            && (flaw != Flaw::UnclosedQuote || !self.line.contains(&b'"'))
        {
            self.broken.pop();
            self.break_record(visit, flaw)?;
        }
        self.file.write(&self.line)?;
        self.truth.count(&notes);
        Ok(())
    }

    fn break_record(&mut self, visit: u64, flaw: Flaw) -> Result<()> {
        let (mut row, mut broken) = (Row::default(), Vec::new());
        let visit = Visit::new(self.world, visit);
        // A key that no row of the extract has, save in the encounter table.
        let nth = u32::try_from(KEYS_PER_VISIT - 1).unwrap_or(0);
        self.world.visit_row(&visit, self.table, nth, &mut row);
        malformed::encode(&row, self.table, flaw, &mut broken);
        self.truth.count_malformed(self.file.line(), flaw.reason());
        self.file.write(&broken)
    }

    /// Writes what still waits and gives what the file holds.
    pub(super) fn finish(mut self, written: &mut Written) -> Result<ExtractTruth> {
        while self.repeat_one(u64::MAX)? {}
        while let Some((visit, flaw)) = self.broken.pop() {
            // No record follows, and a quote that is open to the end would damage the file.
            let flaw = if flaw == Flaw::UnclosedQuote { Flaw::TooFewColumns } else { flaw };
            self.break_record(visit, flaw)?;
        }
        written.bytes += self.file.finish()?;
        self.truth.live.show();
        written.extract.push(TableCount {
            table: self.table.name().to_owned(),
            file: self.truth.file.clone(),
            rows: self.truth.rows,
            malformed: self.truth.malformed_records,
        });
        Ok(self.truth)
    }
}
