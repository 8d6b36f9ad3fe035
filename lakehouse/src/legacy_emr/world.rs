//! Any row by its key: as of the end of day 0, or as first written where it is newer.

use chrono::NaiveDate;
use northstar_catalog::{Error, ErrorKind, Result};

use super::clinical::{self, Visit};
use super::config::{Defects, LegacyEmr};
use super::draws::{Draws, Purpose};
use super::names::CITIES;
use super::people::{self, PROVIDERS_PER_FACILITY, city_of};
use super::results;
use super::row::Row;
use super::tables::Table;
use super::times::{Calendar, DAY, Local};
use super::truth::{Note, Notes};

/// A row was last changed in its normal course before this many days have passed.
pub(super) const SETTLED_DAYS: i64 = 4;

/// Which row: the position of its visit, patient, provider or facility, and its number in a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub(super) table: Table,
    pub(super) index: u64,
    pub(super) nth: u32,
}

/// What is known of a row besides its fields.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Made {
    pub(super) notes: Notes,
    /// The live row is a correction of this one.
    pub(super) corrected: bool,
    /// The extract holds the row as it was before the correction too.
    pub(super) keeps_superseded: bool,
    /// The extract holds the row twice.
    pub(super) duplicate: bool,
}

impl Made {
    /// The fate of a row: the first draws of its stream.
    pub(super) fn draw(draws: &mut Draws, defects: &Defects) -> Self {
        let corrected = draws.chance(defects.corrected_per_million);
        let keeps_superseded = corrected && draws.chance(500_000);
        let duplicate = draws.chance(defects.duplicates_per_million);
        Self { notes: Notes::default(), corrected, keeps_superseded, duplicate }
    }
}

/// Makes rows; holds nothing that grows with the size.
pub(super) struct World<'a> {
    emr: &'a LegacyEmr,
    first: Local,
    days: u64,
    visits: u64,
    calendars: Vec<Calendar>,
}

impl<'a> World<'a> {
    pub(super) fn new(emr: &'a LegacyEmr) -> Result<Self> {
        let cities = usize::try_from(emr.facilities).unwrap_or(usize::MAX).min(CITIES.len());
        let mut calendars = Vec::with_capacity(cities);
        for (_, _, zone, ..) in &CITIES[..cities] {
            let zone = zone.parse().map_err(|_| {
                Error::new(ErrorKind::Internal, format!("the time zone {zone} is not known"))
            })?;
            calendars.push(Calendar::new(zone, emr.first_month, emr.days()));
        }
        let first = Local::midnight(emr.first_month);
        Ok(Self { emr, first, days: emr.days(), visits: emr.visits(), calendars })
    }

    pub(super) fn emr(&self) -> &'a LegacyEmr {
        self.emr
    }

    pub(super) fn defects(&self) -> &'a Defects {
        &self.emr.defects
    }

    /// Midnight of the first day of history.
    pub(super) fn first(&self) -> Local {
        self.first
    }

    /// Midnight of day 1, the day after the extract.
    pub(super) fn day_one(&self) -> Local {
        self.first.plus(i64::try_from(self.days).unwrap_or(0) * DAY)
    }

    /// The day on which a visit takes place. Visits are numbered in the order of their days.
    pub(super) fn day_of(&self, visit: u64) -> Local {
        let day = if visit < self.visits {
            u128::from(visit) * u128::from(self.days) / u128::from(self.visits)
        } else {
            u128::from(self.days + (visit - self.visits) / self.emr.visits_per_day())
        };
        self.first.plus(i64::try_from(day).unwrap_or(0) * DAY)
    }

    /// Days from a visit's day to the last one of the extract; 0 for later visits.
    pub(super) fn days_left(&self, visit: u64) -> i64 {
        ((self.day_one().0 - self.day_of(visit).0) / DAY - 1).max(0)
    }

    pub(super) fn providers(&self) -> u64 {
        u64::from(self.emr.facilities) * u64::from(PROVIDERS_PER_FACILITY)
    }

    pub(super) fn draws(&self, purpose: Purpose, index: u64) -> Draws {
        Draws::new(self.emr.seed, purpose, index)
    }

    fn calendar(&self, facility: u32) -> &Calendar {
        &self.calendars[city_of(facility)]
    }

    /// Adds a time of a visit, now and then a bad one, and notes what is wrong with it.
    pub(super) fn push_time(
        &self,
        visit: &Visit,
        time: Option<Local>,
        draws: &mut Draws,
        made: &mut Made,
        row: &mut Row,
    ) {
        let calendar = self.calendar(visit.facility);
        let bad = draws.chance(self.defects().bad_times_per_million);
        let Some(time) = time else { return row.null() };
        if bad {
            let (time, kind) = calendar.bad(draws);
            made.notes.add(kind.into());
            return row.time(time);
        }
        if let Some(kind) = calendar.judge(time) {
            made.notes.add(kind.into());
        }
        row.time(time);
    }

    /// Adds a time to a column that is declared as text, now and then as someone typed it.
    pub(super) fn push_typed_time(
        &self,
        time: Local,
        draws: &mut Draws,
        made: &mut Made,
        row: &mut Row,
    ) {
        if draws.chance(self.defects().bad_times_per_million) {
            made.notes.add(Note::TypedTime);
            row.text(&time.typed(draws));
        } else if draws.chance(700_000) {
            row.time(time);
        } else {
            row.null();
        }
    }

    /// Fills `row` with a visit's row as it was first written.
    pub(super) fn visit_row(&self, visit: &Visit, table: Table, nth: u32, row: &mut Row) -> Made {
        row.clear();
        match table {
            Table::Encounter => clinical::encounter(self, visit, row),
            Table::Diagnosis => clinical::diagnosis(self, visit, nth, row),
            Table::Procedure => clinical::procedure(self, visit, nth, row),
            Table::Medication => clinical::medication(self, visit, nth, row),
            Table::LabResult => results::lab_result(self, visit, nth, row),
            Table::Charge => results::charge(self, visit, nth, row),
            Table::Facility | Table::Provider | Table::Patient => Made::default(),
        }
    }

    /// Fills `row` with a facility's, provider's or patient's row as it was first written.
    pub(super) fn person_row(&self, table: Table, index: u64, row: &mut Row) -> Made {
        row.clear();
        match table {
            Table::Facility => {
                people::facility(self, index, row);
                Made::default()
            }
            Table::Provider => people::provider(self, index, row),
            _ => people::patient(self, index, row),
        }
    }

    /// The row as of the end of day 0, or as it was first written where it is newer.
    pub(super) fn current(&self, slot: Slot) -> Row {
        let mut row = Row::default();
        let made = if slot.table <= Table::Patient {
            self.person_row(slot.table, slot.index, &mut row)
        } else {
            self.visit_row(&Visit::new(self, slot.index), slot.table, slot.nth, &mut row)
        };
        if made.corrected && self.is_settled(slot) {
            self.correct_before_extract(slot, &mut row, &mut Notes::default());
        }
        row
    }

    /// Whether a row is old enough to have been corrected before the extract.
    pub(super) fn is_settled(&self, slot: Slot) -> bool {
        match slot.table {
            Table::Facility => false,
            Table::Provider => true,
            Table::Patient => slot.index < u64::from(self.emr.patients),
            _ => self.days_left(slot.index) >= SETTLED_DAYS,
        }
    }

    /// A day after the extract as a date.
    pub(super) fn date(&self, day: u64) -> Option<NaiveDate> {
        self.emr.day_one().checked_add_days(chrono::Days::new(day)).and_then(|date| date.pred_opt())
    }
}
