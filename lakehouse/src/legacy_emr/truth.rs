//! The truth file: what was written, counted while it was written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::row::Row;
use super::tables::Table;
use super::times::BadTime;

/// What is odd about a cell, counted per table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    Gap,
    Ambiguous,
    YearOne,
    Year1900,
    Future,
    TypedTime,
    OldSystem,
    LowerCase,
    NoSeparator,
    LocalCode,
    UnitSpelling,
    OtherUnit,
}

const NOTES: [(Note, &str); 12] = [
    (Note::Gap, "daylight_saving_gap"),
    (Note::Ambiguous, "daylight_saving_fold"),
    (Note::YearOne, "year_1"),
    (Note::Year1900, "year_1900"),
    (Note::Future, "year_2099"),
    (Note::TypedTime, "typed_text"),
    (Note::OldSystem, "older_code_system"),
    (Note::LowerCase, "lower_case"),
    (Note::NoSeparator, "separator_missing"),
    (Note::LocalCode, "local_code"),
    (Note::UnitSpelling, "unit_misspelled"),
    (Note::OtherUnit, "other_unit"),
];

impl Note {
    /// Whether it is about a time; else it is about a code or a unit.
    fn is_time(self) -> bool {
        (self as usize) < Self::OldSystem as usize
    }
}

impl From<BadTime> for Note {
    fn from(bad: BadTime) -> Self {
        match bad {
            BadTime::Gap => Self::Gap,
            BadTime::Ambiguous => Self::Ambiguous,
            BadTime::YearOne => Self::YearOne,
            BadTime::Year1900 => Self::Year1900,
            BadTime::Future => Self::Future,
        }
    }
}

/// The odd cells of one row, by [`Note`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Notes([u8; NOTES.len()]);

impl Notes {
    pub(super) fn add(&mut self, note: Note) {
        self.0[note as usize] = self.0[note as usize].saturating_add(1);
    }

    /// Forgets the notes about codes and units, once the row has other ones.
    pub(super) fn clear_codes(&mut self) {
        self.0[Note::OldSystem as usize..].fill(0);
    }
}

/// Sums over the live rows of a table, the same in whatever order rows come.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub(super) struct Live {
    /// Keys that have a row.
    pub(super) keys: u64,
    /// Sum of the key column, modulo 2^64.
    pub(super) key_sum: u64,
    /// Sum of the `version` column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_sum: Option<u64>,
    /// Sum of the `amount` column in cents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amount_cents: Option<u64>,
    /// Sum modulo 2^64 of the rows' FNV-1a hashes (each field's bytes as in the file, unquoted, and
    /// 0x1F after each), as 16 hex digits.
    pub(super) fingerprint: String,
    #[serde(skip)]
    hash: u64,
    #[serde(skip)]
    version_at: Option<usize>,
    #[serde(skip)]
    amount_at: Option<usize>,
}

impl Live {
    pub(super) fn new(table: Table) -> Self {
        let (version_at, amount_at) = (table.position("version"), table.position("amount"));
        let mut live = Self {
            version_sum: version_at.map(|_| 0),
            amount_cents: amount_at.map(|_| 0),
            version_at,
            amount_at,
            ..Self::default()
        };
        live.show();
        live
    }

    /// Brings `fingerprint` up to date; the sums are kept as numbers while rows come and go.
    pub(super) fn show(&mut self) {
        self.fingerprint = format!("{:016x}", self.hash);
    }

    pub(super) fn add(&mut self, row: &Row) {
        self.change(row, u64::wrapping_add);
    }

    pub(super) fn remove(&mut self, row: &Row) {
        self.change(row, u64::wrapping_sub);
    }

    fn change(&mut self, row: &Row, by: fn(u64, u64) -> u64) {
        self.keys = by(self.keys, 1);
        self.key_sum = by(self.key_sum, row.number(0).unsigned_abs());
        self.hash = by(self.hash, row.fingerprint());
        if let (Some(sum), Some(at)) = (&mut self.version_sum, self.version_at) {
            *sum = by(*sum, row.number(at).unsigned_abs());
        }
        if let (Some(sum), Some(at)) = (&mut self.amount_cents, self.amount_at) {
            *sum = by(*sum, cents(row.get(at)));
        }
    }
}

/// `12.34` as 1234; amounts have two decimals and no sign.
fn cents(amount: &str) -> u64 {
    let digits = amount.bytes().filter(u8::is_ascii_digit);
    digits.fold(0, |sum: u64, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

/// Where a malformed record stands.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MalformedAt {
    /// Physical line of the file, from 1; the header is line 1.
    pub(super) line: u64,
    pub(super) reason: &'static str,
}

/// What one file of the extract holds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ExtractTruth {
    pub(super) file: String,
    /// Well-formed records, header not counted.
    pub(super) rows: u64,
    pub(super) distinct_keys: u64,
    /// Rows that repeat another one byte for byte.
    pub(super) duplicate_rows: u64,
    /// Rows of which the file holds a newer version too.
    pub(super) superseded_rows: u64,
    /// Keys whose live row is a correction.
    pub(super) corrected_keys: u64,
    /// Cells by kind, over all rows, repeated ones included; `updated_at` is never bad.
    pub(super) bad_times: BTreeMap<&'static str, u64>,
    /// Cells by kind, over all rows, repeated ones included.
    pub(super) drifted_codes: BTreeMap<&'static str, u64>,
    pub(super) malformed_records: u64,
    pub(super) malformed: BTreeMap<&'static str, u64>,
    pub(super) malformed_at: Vec<MalformedAt>,
    /// The live rows: of each key the one with the highest version.
    pub(super) live: Live,
}

impl ExtractTruth {
    pub(super) fn new(table: Table, file: String) -> Self {
        Self {
            file,
            rows: 0,
            distinct_keys: 0,
            duplicate_rows: 0,
            superseded_rows: 0,
            corrected_keys: 0,
            bad_times: BTreeMap::new(),
            drifted_codes: BTreeMap::new(),
            malformed_records: 0,
            malformed: BTreeMap::new(),
            malformed_at: Vec::new(),
            live: Live::new(table),
        }
    }

    /// Counts a written row.
    pub(super) fn count(&mut self, notes: &Notes) {
        self.rows += 1;
        for (note, name) in NOTES {
            let cells = u64::from(notes.0[note as usize]);
            if cells > 0 {
                let map =
                    if note.is_time() { &mut self.bad_times } else { &mut self.drifted_codes };
                *map.entry(name).or_default() += cells;
            }
        }
    }

    /// Counts a written record that no reader can take.
    pub(super) fn count_malformed(&mut self, line: u64, reason: &'static str) {
        self.malformed_records += 1;
        *self.malformed.entry(reason).or_default() += 1;
        self.malformed_at.push(MalformedAt { line, reason });
    }
}

/// What one change file holds, and the table's live rows after that day.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ChangeTruth {
    pub(super) file: String,
    /// Change rows in the file, those that come twice included.
    pub(super) rows: u64,
    /// Of these: change rows that repeat an earlier one.
    pub(super) replayed: u64,
    pub(super) inserts: u64,
    pub(super) updates: u64,
    pub(super) deletes: u64,
    /// Updates of rows, and new rows of visits, that are older than the day.
    pub(super) late_corrections: u64,
    pub(super) live: Live,
}

/// One file of the nightly export.
#[derive(Debug, Clone, Serialize)]
pub(super) struct DailyTruth {
    pub(super) file: String,
    pub(super) rows: u64,
}

/// The whole truth file.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Truth {
    pub(super) seed: u64,
    pub(super) facilities: u32,
    pub(super) patients: u32,
    pub(super) months: u32,
    pub(super) first_month: String,
    /// The day whose end the extract stands for; day 1 is the next one.
    pub(super) day_0: String,
    pub(super) visits: u64,
    /// Patient rows of the extract that are a person registered before.
    pub(super) duplicate_people: u64,
    pub(super) extract: BTreeMap<&'static str, ExtractTruth>,
    pub(super) daily: BTreeMap<String, BTreeMap<&'static str, DailyTruth>>,
    pub(super) changes: BTreeMap<String, BTreeMap<&'static str, ChangeTruth>>,
}
