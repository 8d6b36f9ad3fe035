//! What happens in the three days after the extract, as SQL Server change data capture tells it.
//!
//! Source: Microsoft's reference of the change tables,
//! <https://learn.microsoft.com/sql/relational-databases/system-tables/>

use std::collections::BTreeMap;
use std::path::Path;

use northstar_catalog::Result;

use super::change_log::{Change, ChangeLog, LATE_ROWS};
use super::clinical::Visit;
use super::draws::{Draws, Purpose};
use super::extract::Written;
use super::row::Row;
use super::tables::{Table, VISIT_TABLES};
use super::times::{HOUR, Local};
use super::truth::{ChangeTruth, ExtractTruth, Notes};
use super::world::{Slot, World};

const DAYS: u64 = 3;
/// Tries to find a live row for a change before the change is left out.
const TRIES: u32 = 64;
/// Rows changed lately, of which some are changed again.
const RECENT_ROWS: usize = 64;
/// Numbers within a visit of the lab results that come late.
const ADDED: u32 = LATE_ROWS;
const WITHDRAWN: u32 = LATE_ROWS + 1;

/// The days after the extract.
struct Days<'a> {
    world: &'a World<'a>,
    log: ChangeLog<'a>,
    recent: Vec<Slot>,
    day: u64,
    now: Local,
}

/// Writes the change files of all days and gives their truth.
pub(super) fn write(
    world: &World<'_>,
    out: &Path,
    extract: &BTreeMap<&'static str, ExtractTruth>,
    progress: &mut dyn FnMut(&str, u64),
    written: &mut Written,
) -> Result<BTreeMap<String, BTreeMap<&'static str, ChangeTruth>>> {
    let log = ChangeLog::new(world, extract);
    let mut days = Days { world, log, recent: Vec::new(), day: 0, now: world.day_one() };
    let mut truth = BTreeMap::new();
    for day in 1..=DAYS {
        days.day = day;
        days.log.begin(day, out)?;
        days.run(extract)?;
        let done = days.log.end(written)?;
        progress("changes", done.values().map(|change| change.rows).sum());
        truth.insert(format!("day_{day}"), done);
    }
    Ok(truth)
}

/// What happens on a day, one transaction each.
#[derive(Debug, Clone, Copy)]
enum Event {
    NewVisit,
    NewPatient,
    Correct(Table),
    Delete(Table),
    DeleteVisit,
    AddResult,
    WithdrawResult,
}

impl Days<'_> {
    fn run(&mut self, extract: &BTreeMap<&'static str, ExtractTruth>) -> Result<()> {
        let emr = self.world.emr();
        let keys = |table: Table| extract.get(table.name()).map_or(0, |truth| truth.distinct_keys);
        let new_patients = (u64::from(emr.patients) / 1_000).max(1);
        let mut events = vec![
            (Event::NewVisit, emr.visits_per_day()),
            (Event::NewPatient, new_patients),
            (Event::Correct(Table::Patient), (keys(Table::Patient) / 500).max(2)),
            (Event::DeleteVisit, (emr.visits() / 5_000).max(1)),
            (Event::AddResult, (emr.visits() / 5_000).max(2)),
            (Event::WithdrawResult, (emr.visits() / 5_000).max(2)),
        ];
        for table in VISIT_TABLES {
            events.push((Event::Correct(table), (keys(table) * 3 / 1_000).max(3)));
            if table != Table::Encounter {
                events.push((Event::Delete(table), (keys(table) / 2_000).max(2)));
            }
        }
        let all: u64 = events.iter().map(|(_, count)| count).sum();
        let mut draws = self.world.draws(Purpose::ChangeDay, self.day);
        let mut visit = self.log.visits_before();
        let mut patient = u64::from(emr.patients) + (self.day - 1) * new_patients;
        let begin = self
            .world
            .day_one()
            .plus(24 * HOUR * i64::try_from(self.day - 1).unwrap_or(0))
            .at_hour(6);
        for number in 0..all {
            let seconds = u128::from(number) * 16 * 3_600 / u128::from(all);
            self.now = begin.plus(i64::try_from(seconds).unwrap_or(0));
            let mut place = draws.below_u64(all - number);
            let Some((event, left)) = events.iter_mut().find(|(_, left)| {
                let here = place < *left;
                place = place.saturating_sub(*left);
                here
            }) else {
                continue;
            };
            *left -= 1;
            match *event {
                Event::NewVisit => {
                    self.new_visit(visit)?;
                    visit += 1;
                }
                Event::NewPatient => {
                    self.insert(Slot { table: Table::Patient, index: patient, nth: 0 })?;
                    patient += 1;
                }
                Event::Correct(table) => self.correct(table, &mut draws)?,
                Event::Delete(table) => self.delete(table, &mut draws)?,
                Event::DeleteVisit => self.delete_visit(&mut draws)?,
                Event::AddResult => self.late_result(ADDED, &mut draws)?,
                Event::WithdrawResult => self.late_result(WITHDRAWN, &mut draws)?,
            }
        }
        Ok(())
    }

    /// A live row of an earlier day.
    fn pick(&mut self, table: Table, draws: &mut Draws) -> Option<(Slot, Row)> {
        if draws.chance(100_000) {
            let again: Vec<Slot> =
                self.recent.iter().copied().filter(|slot| slot.table == table).collect();
            if !again.is_empty() {
                let slot = *draws.pick(&again);
                return self.log.now_at(slot).map(|row| (slot, row));
            }
        }
        for _ in 0..TRIES {
            let slot = if table == Table::Patient {
                let index = draws.below_u64(u64::from(self.world.emr().patients));
                Slot { table, index, nth: 0 }
            } else {
                let index = draws.below_u64(self.log.visits_before());
                let rows = Visit::new(self.world, index).rows_of(table);
                if rows == 0 {
                    continue;
                }
                Slot { table, index, nth: draws.below(rows) }
            };
            if let Some(row) = self.log.now_at(slot) {
                if self.recent.len() >= RECENT_ROWS {
                    self.recent.remove(0);
                }
                self.recent.push(slot);
                return Some((slot, row));
            }
        }
        None
    }

    fn next_version(&self, table: Table, row: &Row) -> Row {
        let mut next = row.clone();
        self.world.correct(table, &mut next, &mut Notes::default(), self.now);
        next
    }

    fn insert(&mut self, slot: Slot) -> Result<()> {
        let row = self.world.current(slot);
        self.log.commit(vec![Change { slot, before: None, after: Some(row) }])
    }

    /// A visit with all its rows, in one transaction.
    fn new_visit(&mut self, index: u64) -> Result<()> {
        let visit = Visit::new(self.world, index);
        let mut changes = Vec::new();
        for table in VISIT_TABLES {
            for nth in 0..visit.rows_of(table) {
                let slot = Slot { table, index, nth };
                let after = Some(self.world.current(slot));
                changes.push(Change { slot, before: None, after });
            }
        }
        self.log.commit(changes)
    }

    /// A late correction: mostly one update; some twice in one transaction, some as delete and
    /// insert, as an update of a key column is captured.
    fn correct(&mut self, table: Table, draws: &mut Draws) -> Result<()> {
        let Some((slot, row)) = self.pick(table, draws) else {
            return Ok(());
        };
        let next = self.next_version(table, &row);
        let way = draws.below(100);
        let changes = if way < 4 {
            let last = self.next_version(table, &next);
            vec![
                Change { slot, before: Some(row), after: Some(next.clone()) },
                Change { slot, before: Some(next), after: Some(last) },
            ]
        } else if way < 8 {
            vec![
                Change { slot, before: Some(row), after: None },
                Change { slot, before: None, after: Some(next) },
            ]
        } else {
            vec![Change { slot, before: Some(row), after: Some(next) }]
        };
        self.log.commit(changes)
    }

    fn delete(&mut self, table: Table, draws: &mut Draws) -> Result<()> {
        let Some((slot, row)) = self.pick(table, draws) else {
            return Ok(());
        };
        self.log.commit(vec![Change { slot, before: Some(row), after: None }])
    }

    /// A visit entered in error goes with everything in it: its rows first, itself last.
    fn delete_visit(&mut self, draws: &mut Draws) -> Result<()> {
        let Some((slot, row)) = self.pick(Table::Encounter, draws) else {
            return Ok(());
        };
        let visit = Visit::new(self.world, slot.index);
        let mut changes = Vec::new();
        for table in &VISIT_TABLES[1..] {
            let added = (*table == Table::LabResult).then_some([ADDED, WITHDRAWN]);
            for nth in (0..visit.rows_of(*table)).chain(added.into_iter().flatten()) {
                let slot = Slot { table: *table, index: slot.index, nth };
                if let Some(row) = self.log.now_at(slot) {
                    changes.push(Change { slot, before: Some(row), after: None });
                }
            }
        }
        changes.push(Change { slot, before: Some(row), after: None });
        self.log.commit(changes)
    }

    /// A result for a visit of an earlier day: inserted, then updated, and one that is withdrawn is
    /// then deleted; in one transaction or in one each.
    fn late_result(&mut self, nth: u32, draws: &mut Draws) -> Result<()> {
        let Some((visit, _)) = self.pick(Table::Encounter, draws) else {
            return Ok(());
        };
        let slot = Slot { table: Table::LabResult, index: visit.index, nth };
        if self.log.has_changed(slot) {
            return Ok(());
        }
        let first = self.world.current(slot);
        let second = self.next_version(slot.table, &first);
        let mut changes = vec![
            Change { slot, before: None, after: Some(first.clone()) },
            Change { slot, before: Some(first), after: Some(second.clone()) },
        ];
        if nth == WITHDRAWN {
            changes.push(Change { slot, before: Some(second), after: None });
        }
        if draws.chance(500_000) {
            return self.log.commit(changes);
        }
        changes.into_iter().try_for_each(|change| self.log.commit(vec![change]))
    }
}
