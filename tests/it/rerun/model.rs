//! Random sources and damages, and what a rerun should make of them, by way of simple maps.

use std::collections::{BTreeMap, BTreeSet};

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

/// A row, or a state of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) facility: Option<usize>,
    pub(super) day: Option<usize>,
    pub(super) version: Option<usize>,
    pub(super) note: String,
    pub(super) position: Option<String>,
    pub(super) deleted: bool,
}

impl State {
    pub(super) fn draw(draws: &mut Draws, note: String) -> Self {
        let facility = (draws.below(12) > 0).then(|| 1 + draws.below(2));
        let day = (draws.below(12) > 0).then(|| 1 + draws.below(10));
        let version = (draws.below(5) > 0).then(|| draws.below(4));
        Self { facility, day, version, note, position: None, deleted: false }
    }

    /// The columns behind the key as files have them.
    pub(super) fn record(&self) -> String {
        let text = |number: Option<usize>| number.map(|one| one.to_string()).unwrap_or_default();
        let at = self.day.map(|day| format!("2024-05-{day:02} 12:00:00")).unwrap_or_default();
        format!("{},{at},{},{}", text(self.facility), text(self.version), self.note)
    }

    /// The row as the table shows it.
    pub(super) fn shown(&self, id: &str) -> String {
        let null = || "NULL".to_string();
        let text = |number: Option<usize>| number.map_or_else(null, |one| one.to_string());
        let at = self.day.map_or_else(null, |day| format!("2024-05-{day:02}T12:00:00"));
        let position = self.position.clone().unwrap_or_else(null);
        format!(
            "{id}|{}|{at}|{}|{}|{position}|{}",
            text(self.facility),
            text(self.version),
            self.note,
            self.deleted
        )
    }

    fn is_newer(&self, other: &Self) -> bool {
        (self.version, &self.position) > (other.version, &other.position)
    }
}

/// One facility and days, the first of them and the one after the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    pub(super) facility: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Days {
    fn holds(self, facility: Option<usize>, day: Option<usize>) -> bool {
        facility == Some(self.facility)
            && day.is_some_and(|day| (self.from..self.to).contains(&day))
    }

    fn holds_shown(self, row: &str) -> bool {
        let cells: Vec<&str> = row.split('|').collect();
        let day = cells[2].get(8..10).and_then(|day| day.parse().ok());
        self.holds(cells[1].parse().ok(), day)
    }
}

/// All states that there were, reduced to the newest of each key. States come in the order in which of
/// two equal ones the later wins.
pub(super) fn newest(states: &[(i64, State)]) -> BTreeMap<i64, State> {
    let mut newest: BTreeMap<i64, State> = BTreeMap::new();
    for (id, state) in states {
        match newest.get(id) {
            Some(there) if there.is_newer(state) => {}
            _ => {
                newest.insert(*id, state.clone());
            }
        }
    }
    newest
}

/// The rows after a rerun of a table with the rows `damaged`.
pub(super) fn after(damaged: &[String], newest: &BTreeMap<i64, State>, days: Days) -> Vec<String> {
    let id = |row: &str| row.split('|').next().unwrap_or_default().to_string();
    let mut keys: BTreeSet<String> =
        damaged.iter().filter(|row| days.holds_shown(row)).map(|row| id(row)).collect();
    let moved = newest.iter().filter(|(_, state)| days.holds(state.facility, state.day));
    keys.extend(moved.map(|(id, _)| id.to_string()));
    // Rows without a key are of no key, and of them those of the scope alone go.
    keys.remove("NULL");
    let stays = |row: &&String| match id(row).as_str() {
        "NULL" => !days.holds_shown(row),
        id => !keys.contains(id),
    };
    let mut rows: Vec<String> = damaged.iter().filter(stays).cloned().collect();
    let made = newest.iter().filter(|(id, _)| keys.contains(&id.to_string()));
    rows.extend(made.map(|(id, state)| state.shown(&id.to_string())));
    rows.sort_unstable();
    rows
}
