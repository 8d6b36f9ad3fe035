//! Lab results, which are half of all rows, and charges.

use super::clinical::{Visit, push_procedure_code};
use super::codes::{LAB_TESTS, LabTest, TEXT_VALUES};
use super::draws::{Draws, Purpose};
use super::names::{COMMENTS, LABS, PAYERS};
use super::people::provider_id;
use super::row::{Row, decimal_text};
use super::times::{DAY, HOUR};
use super::truth::Note;
use super::world::{Made, World};

/// The lab tests of one order follow each other in the list of tests.
const TESTS_PER_ORDER: u32 = 8;

pub(super) fn lab_result(world: &World<'_>, visit: &Visit, nth: u32, row: &mut Row) -> Made {
    let mut draws = visit.draws(world, Purpose::LabResult, nth);
    let mut made = Made::draw(&mut draws, world.defects());
    visit.begin(nth, row);
    let order = u64::from(nth / TESTS_PER_ORDER) + visit.index * 4;
    row.put(format_args!("ORD-{order:09}"));
    row.int(provider_id(visit.provider));
    let start = usize::try_from(visit.index % 7).unwrap_or(0) * 3;
    let test = &LAB_TESTS[(start + nth as usize) % LAB_TESTS.len()];
    let drifted = draws.chance(world.defects().drifted_codes_per_million);
    let drift = if drifted { draws.below(4) } else { 4 };
    match drift {
        0 => {
            made.notes.add(Note::LocalCode);
            row.null();
        }
        1 => {
            made.notes.add(Note::NoSeparator);
            row.text(&test.loinc.replace('-', ""));
        }
        _ => row.text(test.loinc),
    }
    row.text(test.local);
    row.text(test.name);
    push_value(test, drift, &mut draws, &mut made, row);
    row.text(draws.word(&["F", "F", "F", "F", "F", "F", "F", "P", "final"]));
    let collected = visit.start.plus(draws.between(5, 45) * 60);
    let hours = draws.near_middle(1, 30);
    let done = collected.plus(hours * HOUR + draws.between(0, 59) * 60);
    // What is not done before the extract ends has no result time yet.
    let in_time = world.days_left(visit.index) > 1 || done < visit.start.at_hour(24);
    let resulted = (draws.chance(985_000) && in_time).then_some(done);
    world.push_time(visit, Some(collected), &mut draws, &mut made, row);
    world.push_typed_time(collected.plus(HOUR / 2), &mut draws, &mut made, row);
    world.push_time(visit, resulted, &mut draws, &mut made, row);
    row.text(draws.word(&LABS));
    row.text(if draws.chance(40_000) { draws.word(&COMMENTS) } else { "" });
    row.int(1);
    // Machines sign off at the end of the day, which is never in a gap or fold.
    row.time(resulted.unwrap_or(collected).at_hour(24).plus(-60));
    made
}

/// Adds value, numeric value, units, reference range and abnormal flag.
fn push_value(test: &LabTest, drift: u32, draws: &mut Draws, made: &mut Made, row: &mut Row) {
    let decimals = test.decimals;
    let normal = draws.chance(780_000);
    let (low, high) = if normal { test.normal } else { test.seen };
    let value = draws.near_middle(low, high);
    let range = test.normal;
    if draws.chance(15_000) {
        row.text(draws.word(&TEXT_VALUES));
        row.null();
        row.text(test.units);
    } else {
        match (drift, test.other_unit) {
            (2, Some((unit, factor))) => {
                made.notes.add(Note::OtherUnit);
                let converted = value * 10 * factor / 10_000;
                row.decimal(converted, decimals + 1);
                row.decimal(converted, decimals + 1);
                row.text(unit);
            }
            (2 | 3, _) => {
                made.notes.add(Note::UnitSpelling);
                row.decimal(value, decimals);
                row.decimal(value, decimals);
                row.text(test.units_misspelled);
            }
            _ => {
                row.decimal(value, decimals);
                row.decimal(value, decimals);
                row.text(test.units);
            }
        }
    }
    if draws.chance(60_000) {
        row.null();
    } else {
        let (low, high) = (decimal_text(range.0, decimals), decimal_text(range.1, decimals));
        row.put(format_args!("{low}-{high}"));
    }
    row.text(if value < range.0 {
        "L"
    } else if value > range.1 {
        "H"
    } else {
        ""
    });
}

pub(super) fn charge(world: &World<'_>, visit: &Visit, nth: u32, row: &mut Row) -> Made {
    let mut draws = visit.draws(world, Purpose::Charge, nth);
    let mut made = Made::draw(&mut draws, world.defects());
    visit.begin(nth, row);
    let cents = push_procedure_code(world, &mut draws, &mut made, row);
    let quantity = draws.between(1, 4);
    row.int(quantity);
    row.decimal(cents * quantity, 2);
    row.text(if draws.chance(940_000) { draws.word(&PAYERS) } else { "" });
    let days = draws.between(0, 3).min(world.days_left(visit.index));
    let posted = visit.start.plus(days * DAY).at_hour(18).plus(draws.between(0, 90) * 60);
    world.push_time(visit, Some(posted), &mut draws, &mut made, row);
    row.text("false");
    row.int(1);
    row.time(posted);
    made
}
