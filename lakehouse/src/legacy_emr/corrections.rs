//! Late corrections: the next version of a row.

use super::codes::DIAGNOSES;
use super::draws::{Draws, Purpose};
use super::names::{LAST, SPECIALTIES, STREETS};
use super::people::provider_id;
use super::row::{Row, decimal_text};
use super::tables::Table;
use super::times::{DAY, Local};
use super::truth::Notes;
use super::world::{SETTLED_DAYS, Slot, World};

impl World<'_> {
    /// Turns a row into the correction of it that was made before the extract.
    pub(super) fn correct_before_extract(&self, slot: Slot, row: &mut Row, notes: &mut Notes) {
        let day = if slot.table <= Table::Patient { self.first() } else { self.day_of(slot.index) };
        let wait = i64::try_from(slot.index % 20).unwrap_or(0) + SETTLED_DAYS;
        let last = self.day_one().plus(-DAY);
        self.correct(slot.table, row, notes, day.plus(wait * DAY).min(last).at_hour(9));
    }

    /// Turns a row into its next version, changed at `at`.
    pub(super) fn correct(&self, table: Table, row: &mut Row, notes: &mut Notes, at: Local) {
        let at_column = |name: &str| table.position(name).unwrap_or(0);
        let version = row.number(at_column("version")) + 1;
        let index = row.number(0).unsigned_abs() * 4_096
            + (table as u64) * 256
            + version.unsigned_abs() % 256;
        let mut draws = self.draws(Purpose::Correction, index);
        let mut set = |name: &str, value: &str| row.set(at_column(name), value);
        match table {
            Table::Facility => return,
            Table::Provider => set("specialty", draws.word(&SPECIALTIES)),
            Table::Patient => {
                set("address", &format!("{} {}", draws.between(1, 2_999), draws.word(&STREETS)));
                if draws.chance(200_000) {
                    set("last_name", draws.word(&LAST));
                }
            }
            Table::Encounter => {
                set("status", draws.word(&["amended", "finished", "AMENDED"]));
                set("provider_id", &provider_id(draws.below_u64(self.providers())).to_string());
            }
            Table::Diagnosis => {
                let (code, _, name) = *draws.pick(&DIAGNOSES);
                set("code", code);
                set("code_system", "ICD-10-CM");
                set("description", name);
                notes.clear_codes();
            }
            Table::Procedure => set("quantity", &draws.between(1, 9).to_string()),
            Table::Medication => {
                set("status", "discontinued");
                set("instructions", "Stopped by prescriber, see note");
            }
            Table::LabResult => correct_result(table, row, &mut draws),
            Table::Charge if draws.chance(150_000) => {
                set("voided", "true");
                set("amount", "0.00");
            }
            Table::Charge => set("amount", &decimal_text(draws.between(100, 90_000), 2)),
        }
        row.set(at_column("version"), &version.to_string());
        let mut time = String::new();
        at.push_to(&mut time);
        row.set(at_column("updated_at"), &time);
    }
}

/// A corrected result: status C, another number, and a remark that names the old one.
fn correct_result(table: Table, row: &mut Row, draws: &mut Draws) {
    let at = |name: &str| table.position(name).unwrap_or(0);
    let old = row.get(at("value")).to_owned();
    let number = row.get(at("value_numeric")).to_owned();
    if number.is_empty() {
        row.set(at("value"), "Not detected");
    } else {
        let decimals = number.split_once('.').map_or(0, |(_, after)| after.len());
        let digits: String = number.chars().filter(|c| *c != '.').collect();
        let scaled: i64 = digits.parse().unwrap_or(0);
        let changed = scaled * draws.between(85, 115) / 100 + 1;
        let text = decimal_text(changed, u32::try_from(decimals).unwrap_or(0));
        row.set(at("value"), &text);
        row.set(at("value_numeric"), &text);
    }
    row.set(at("status"), "C");
    row.set(at("comment"), &format!("CORRECTED, previously reported as \"{old}\""));
}
