//! Visits, and what was found, done and prescribed in them.

use super::codes::{DIAGNOSES, DRUGS, INSTRUCTIONS, PROCEDURES};
use super::draws::{Draws, Purpose};
use super::names::{DEPARTMENTS, REASONS};
use super::people::{PROVIDERS_PER_FACILITY, facility_id, patient_id, provider_id};
use super::row::Row;
use super::tables::Table;
use super::times::{DAY, HOUR, Local};
use super::truth::Note;
use super::world::{Made, World};

/// Keys of a visit's rows: `encounter_id * KEYS_PER_VISIT + n`.
pub(super) const KEYS_PER_VISIT: u64 = 32;

/// A visit: what all its rows share.
pub(super) struct Visit {
    pub(super) index: u64,
    pub(super) patient: u64,
    /// Position of the facility, from 0.
    pub(super) facility: u32,
    pub(super) provider: u64,
    pub(super) start: Local,
    minutes: i64,
    kind: &'static str,
    /// Rows by table, in the order of `tables::VISIT_TABLES`.
    counts: [u32; 6],
}

impl Visit {
    pub(super) fn new(world: &World<'_>, index: u64) -> Self {
        let mut draws = world.draws(Purpose::Visit, index);
        let emr = world.emr();
        let patient = draws.below_u64(u64::from(emr.patients));
        let home = u32::try_from(patient % u64::from(emr.facilities)).unwrap_or(0);
        let facility = if draws.chance(900_000) { home } else { draws.below(emr.facilities) };
        let provider =
            u64::from(facility * PROVIDERS_PER_FACILITY + draws.below(PROVIDERS_PER_FACILITY));
        let start = world.day_of(index).plus(7 * HOUR + draws.between(0, 11 * 60) * 60);
        let kind = draws.word(&[
            "office",
            "office",
            "office",
            "urgent",
            "telehealth",
            "OFFICE VISIT",
            "lab only",
        ]);
        let labs = if draws.chance(350_000) { 0 } else { 1 + draws.below(17) };
        let diagnoses = if draws.chance(150_000) { 0 } else { 1 + draws.below(3) };
        let procedures = if draws.chance(550_000) { 0 } else { 1 + draws.below(2) };
        let medications = if draws.chance(600_000) { 0 } else { 1 + draws.below(3) };
        let charges = if draws.chance(100_000) { 0 } else { 1 + draws.below(2) };
        let minutes = draws.near_middle(5, 95);
        let counts = [1, diagnoses, procedures, medications, labs, charges];
        Self { index, patient, facility, provider, start, minutes, kind, counts }
    }

    /// How many rows the visit has in `table`.
    pub(super) fn rows_of(&self, table: Table) -> u32 {
        let first = Table::Encounter as usize;
        (table as usize).checked_sub(first).and_then(|at| self.counts.get(at)).copied().unwrap_or(0)
    }

    pub(super) fn encounter_id(&self) -> i64 {
        i64::try_from(1_000_000 + self.index).unwrap_or(i64::MAX)
    }

    /// The key of the visit's row number `nth` in a table other than `encounter`.
    pub(super) fn row_id(&self, nth: u32) -> i64 {
        let id = (1_000_000 + self.index) * KEYS_PER_VISIT + u64::from(nth);
        i64::try_from(id).unwrap_or(i64::MAX)
    }

    /// The stream of draws of row `nth` in `table`.
    pub(super) fn draws(&self, world: &World<'_>, purpose: Purpose, nth: u32) -> Draws {
        world.draws(purpose, self.index * KEYS_PER_VISIT + u64::from(nth))
    }

    /// Key, encounter, patient and facility, as most tables begin.
    pub(super) fn begin(&self, nth: u32, row: &mut Row) {
        row.int(self.row_id(nth));
        row.int(self.encounter_id());
        row.int(patient_id(self.patient));
        row.int(facility_id(self.facility));
    }
}

pub(super) fn encounter(world: &World<'_>, visit: &Visit, row: &mut Row) -> Made {
    let mut draws = visit.draws(world, Purpose::Encounter, 0);
    let mut made = Made::draw(&mut draws, world.defects());
    let end = visit.start.plus(visit.minutes * 60);
    row.int(visit.encounter_id());
    row.int(facility_id(visit.facility));
    row.int(patient_id(visit.patient));
    row.int(provider_id(visit.provider));
    row.text(visit.kind);
    row.text(draws.word(&["finished", "finished", "finished", "FIN", "no-show"]));
    world.push_time(visit, Some(visit.start), &mut draws, &mut made, row);
    let ended = draws.chance(960_000).then_some(end);
    world.push_time(visit, ended, &mut draws, &mut made, row);
    world.push_typed_time(visit.start.plus(-600), &mut draws, &mut made, row);
    row.text(draws.word(&REASONS));
    row.text(draws.word(&DEPARTMENTS));
    if draws.chance(80_000) {
        row.int(provider_id(draws.below_u64(world.providers())));
    } else {
        row.null();
    }
    row.int(1);
    row.time(end);
    made
}

pub(super) fn diagnosis(world: &World<'_>, visit: &Visit, nth: u32, row: &mut Row) -> Made {
    let mut draws = visit.draws(world, Purpose::Diagnosis, nth);
    let mut made = Made::draw(&mut draws, world.defects());
    visit.begin(nth, row);
    let (code, old, name) = *draws.pick(&DIAGNOSES);
    let drifted = draws.chance(world.defects().drifted_codes_per_million);
    match if drifted { draws.below(3) } else { 3 } {
        0 => {
            made.notes.add(Note::OldSystem);
            row.text(old);
            row.text(if draws.chance(500_000) { "ICD-9-CM" } else { "" });
        }
        1 => {
            made.notes.add(Note::LowerCase);
            row.text(&code.to_ascii_lowercase());
            row.text("ICD-10-CM");
        }
        2 if code.contains('.') => {
            made.notes.add(Note::NoSeparator);
            row.text(&code.replace('.', ""));
            row.text("ICD10");
        }
        _ => {
            row.text(code);
            row.text("ICD-10-CM");
        }
    }
    row.text(name);
    row.int(i64::from(nth) + 1);
    row.text(if draws.chance(900_000) {
        ""
    } else {
        draws.word(&["2019", "childhood", "about 3 weeks, on and off", "03/2021", "unknown"])
    });
    let at = visit.start.plus(draws.between(1, 40) * 60);
    world.push_time(visit, Some(at), &mut draws, &mut made, row);
    row.int(1);
    row.time(at);
    made
}

pub(super) fn procedure(world: &World<'_>, visit: &Visit, nth: u32, row: &mut Row) -> Made {
    let mut draws = visit.draws(world, Purpose::Procedure, nth);
    let mut made = Made::draw(&mut draws, world.defects());
    visit.begin(nth, row);
    row.int(provider_id(visit.provider));
    push_procedure_code(world, &mut draws, &mut made, row);
    row.text(if draws.chance(70_000) { draws.word(&["25", "59", "LT", "RT"]) } else { "" });
    row.int(draws.between(1, 3));
    let at = visit.start.plus(draws.between(5, 60) * 60);
    world.push_time(visit, Some(at), &mut draws, &mut made, row);
    row.int(1);
    row.time(at);
    made
}

/// Adds a code and its system, and gives the price in cents.
pub(super) fn push_procedure_code(
    world: &World<'_>,
    draws: &mut Draws,
    made: &mut Made,
    row: &mut Row,
) -> i64 {
    let (code, cents) = *draws.pick(&PROCEDURES);
    let drifted = draws.chance(world.defects().drifted_codes_per_million);
    if !drifted {
        row.text(code);
        row.text("HCPCS");
    } else if draws.chance(500_000) {
        made.notes.add(Note::LowerCase);
        row.text(&code.to_ascii_lowercase());
        row.text("HCPCS");
    } else {
        made.notes.add(Note::LocalCode);
        row.put(format_args!("NSL-{}", &code[1..]));
        row.text("LOCAL");
    }
    cents
}

pub(super) fn medication(world: &World<'_>, visit: &Visit, nth: u32, row: &mut Row) -> Made {
    let mut draws = visit.draws(world, Purpose::Medication, nth);
    let mut made = Made::draw(&mut draws, world.defects());
    visit.begin(nth, row);
    let (product, drug, dose, route) = *draws.pick(&DRUGS);
    if draws.chance(world.defects().drifted_codes_per_million) {
        made.notes.add(Note::NoSeparator);
        row.put(format_args!("99999{product}30"));
    } else {
        row.put(format_args!("99999-{product}-30"));
    }
    row.text(drug);
    row.text(dose);
    row.text(if draws.chance(120_000) { "PO" } else { route });
    row.text(draws.word(&INSTRUCTIONS));
    if draws.chance(800_000) {
        row.int(draws.between(0, 11));
    } else {
        row.null();
    }
    world.push_time(visit, Some(visit.start), &mut draws, &mut made, row);
    let stopped = draws.chance(250_000).then_some(visit.start.plus(draws.between(3, 40) * DAY));
    world.push_time(visit, stopped, &mut draws, &mut made, row);
    row.text(if stopped.is_some() {
        "stopped"
    } else {
        draws.word(&["active", "active", "Active"])
    });
    row.int(1);
    row.time(visit.start.plus(HOUR));
    made
}
