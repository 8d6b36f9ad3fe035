//! Facilities, providers and patients, and the patients who are registered twice.

use super::draws::{Draws, Purpose};
use super::names::{
    CITIES, City, FEMALE, LANGUAGES, LAST, MALE, MIDDLE, NICKNAMES, SPECIALTIES, STREETS,
};
use super::row::Row;
use super::times::{DAY, HOUR, Local, YEAR_1900};
use super::truth::Note;
use super::world::{Made, World};

pub(super) const PROVIDERS_PER_FACILITY: u32 = 12;

pub(super) fn facility_id(index: u32) -> i64 {
    i64::from(index) + 1
}

pub(super) fn provider_id(index: u64) -> i64 {
    5_001 + i64::try_from(index).unwrap_or(0)
}

pub(super) fn patient_id(index: u64) -> i64 {
    100_001 + i64::try_from(index).unwrap_or(0)
}

/// The city of a facility: its zone is `CITIES[..].2`.
pub(super) fn city_of(facility: u32) -> usize {
    facility as usize % CITIES.len()
}

pub(super) fn facility(world: &World<'_>, index: u64, row: &mut Row) {
    let mut draws = world.draws(Purpose::Facility, index);
    let number = u32::try_from(index).unwrap_or(0);
    let (city, state, zone, ..) = CITIES[city_of(number)];
    row.int(facility_id(number));
    match draws.below(4) {
        0 => row.put(format_args!("The \"Old Mill\" Clinic, {city}")),
        1 => row.put(format_args!("{city} Family Health #{}", number + 1)),
        2 => row.put(format_args!("NorthStar {city}, {state}")),
        _ => row.put(format_args!("Clínica {city} {}", number + 1)),
    }
    row.text(city);
    row.text(state);
    row.text(zone);
    row.date(Local(0).plus(draws.between(3_650, 16_000) * DAY));
}

pub(super) fn provider(world: &World<'_>, index: u64, row: &mut Row) -> Made {
    let mut draws = world.draws(Purpose::Provider, index);
    let made = Made::draw(&mut draws, world.defects());
    let facility = u32::try_from(index / u64::from(PROVIDERS_PER_FACILITY)).unwrap_or(0);
    row.int(provider_id(index));
    row.int(facility_id(facility));
    // Real NPIs begin with 1 or 2.
    row.put(format_args!("9{:09}", draws.below(1_000_000_000)));
    let given = if draws.chance(500_000) { draws.word(&FEMALE) } else { draws.word(&MALE) };
    row.text(given);
    row.text(draws.word(&LAST));
    row.text(draws.word(&SPECIALTIES));
    row.text(if draws.chance(930_000) { "true" } else { "false" });
    row.int(1);
    row.time(world.first().plus(-draws.between(1, 2_000) * DAY).at_hour(9));
    made
}

/// The earlier patient who is the same person as `index`, if there is one.
pub(super) fn same_person(world: &World<'_>, index: u64) -> Option<u64> {
    let second = |index: u64| {
        let mut draws = world.draws(Purpose::Duplicate, index);
        let twice = draws.chance(world.defects().duplicate_people_per_million);
        (index > 0 && twice).then(|| draws.below_u64(index))
    };
    let mut other = second(index)?;
    // The first registration of a person is never itself a second one.
    while second(other).is_some() {
        other -= 1;
    }
    Some(other)
}

struct Person {
    first: &'static str,
    middle: &'static str,
    last: &'static str,
    sex: &'static str,
    born: Local,
    ssn: Option<(u32, u32, u32)>,
    house: i64,
    street: &'static str,
    phone: u32,
}

fn person(draws: &mut Draws, world: &World<'_>) -> Person {
    let female = draws.chance(520_000);
    Person {
        first: if female { draws.word(&FEMALE) } else { draws.word(&MALE) },
        middle: if draws.chance(400_000) { draws.word(&MIDDLE) } else { "" },
        last: draws.word(&LAST),
        sex: if female { "F" } else { "M" },
        born: world.first().plus(-draws.between(30, 34_000) * DAY),
        // 9xx with a group below 50 is neither a social security number nor a taxpayer number.
        ssn: draws.chance(850_000).then_some((
            900 + draws.below(100),
            1 + draws.below(49),
            draws.below(10_000),
        )),
        house: draws.between(1, 2_999),
        street: draws.word(&STREETS),
        phone: draws.below(100),
    }
}

pub(super) fn patient(world: &World<'_>, index: u64, row: &mut Row) -> Made {
    let mut draws = world.draws(Purpose::Patient, index);
    let mut made = Made::draw(&mut draws, world.defects());
    let mut who = person(&mut draws, world);
    if let Some(other) = same_person(world, index) {
        let mut theirs = world.draws(Purpose::Patient, other);
        // Leaves the other's stream where its person begins.
        Made::draw(&mut theirs, world.defects());
        who = registered_again(person(&mut theirs, world), &mut draws);
    }
    let home = index % u64::from(world.emr().facilities);
    let city = CITIES[city_of(u32::try_from(home).unwrap_or(0))];
    row.int(patient_id(index));
    row.put(format_args!("MRN{:08}", 700_000 + index));
    row.text(who.first);
    row.text(who.middle);
    row.text(who.last);
    if draws.chance(world.defects().bad_times_per_million) {
        row.date(YEAR_1900);
        made.notes.add(Note::Year1900);
    } else {
        row.date(who.born);
    }
    row.text(match draws.below(40) {
        0 => "",
        1 => "U",
        2 => {
            if who.sex == "F" {
                "female"
            } else {
                "male"
            }
        }
        _ => who.sex,
    });
    push_contact(&who, index, city, &mut draws, row);
    row.text(if draws.chance(700_000) { draws.word(&LANGUAGES) } else { "" });
    row.int(facility_id(u32::try_from(home).unwrap_or(0)));
    row.int(1);
    row.time(world.first().plus(-draws.between(1, 900) * DAY).at_hour(8).plus(HOUR / 2));
    made
}

/// Adds number, address and ways to reach the person.
fn push_contact(who: &Person, index: u64, city: City, draws: &mut Draws, row: &mut Row) {
    match (who.ssn, draws.below(100)) {
        (_, 0) => row.text("999-99-9999"),
        (Some((area, group, serial)), _) => {
            row.put(format_args!("{area}-{group:02}-{serial:04}"));
        }
        (None, _) => row.null(),
    }
    if draws.chance(200_000) {
        row.put(format_args!("{} {}, Apt {}", who.house, who.street, draws.between(1, 40)));
    } else {
        row.put(format_args!("{} {}", who.house, who.street));
    }
    row.text(city.0);
    row.text(city.1);
    row.put(format_args!("{}{:02}", city.4, draws.below(100)));
    match draws.below(10) {
        0 => row.null(),
        1 => row.put(format_args!("{}55501{:02}", city.3, who.phone)),
        _ => row.put(format_args!("({}) 555-01{:02}", city.3, who.phone)),
    }
    if draws.chance(550_000) {
        row.put(format_args!("patient{index}@example.org"));
    } else {
        row.null();
    }
}

/// The same person at another desk: a short name, a swapped birth date, no number.
fn registered_again(mut who: Person, draws: &mut Draws) -> Person {
    if let Some((_, short)) = NICKNAMES.iter().find(|(name, _)| *name == who.first) {
        who.first = short;
    }
    who.middle = "";
    match draws.below(4) {
        0 => who.ssn = None,
        1 => who.born = who.born.plus(DAY),
        2 => who.phone = draws.below(100),
        _ => who.street = draws.word(&STREETS),
    }
    who
}
