//! Writes rows as CSV text.
//!
//! Numbers are written by hand: the formatting machinery of the standard library would cost more
//! than the draw itself.

use chrono::{Datelike, Days, Months, NaiveDate};

use super::{
    document::put_document,
    draw::{DAY_S, Row},
    terms::{REMARKS, STATES, TESTS, WORDS},
};
use crate::error::{BenchError, Result};

/// The header line of narrow rows, without its end.
const HEADER: &str = "result_id,patient_id,encounter_id,order_id,facility_id,provider_id,\
loinc_code,test_name,value_numeric,value_text,units,reference_low,reference_high,abnormal_flag,\
status,specimen,collected_at,resulted_at,version,comment";

/// The header line.
pub(super) fn header(document_bytes: u32) -> String {
    let document = if document_bytes > 0 { ",document" } else { "" };
    format!("{HEADER}{document}\n")
}

/// The days of the period and a week after it, as text and by month.
pub(super) struct Calendar {
    days: Vec<String>,
    month_of_day: Vec<usize>,
    month_names: Vec<String>,
    period_days: usize,
}

impl Calendar {
    /// The calendar of `months` months from January 2024 on.
    ///
    /// # Errors
    /// A period that the calendar cannot hold.
    pub(super) fn new(months: u32) -> Result<Self> {
        let outside = || BenchError::new("the period does not fit the calendar");
        let start = NaiveDate::from_ymd_opt(2024, 1, 1).ok_or_else(outside)?;
        let end = start.checked_add_months(Months::new(months)).ok_or_else(outside)?;
        let last = end.checked_add_days(Days::new(7)).ok_or_else(outside)?;
        let mut calendar =
            Self { days: vec![], month_of_day: vec![], month_names: vec![], period_days: 0 };
        for day in start.iter_days().take_while(|day| *day < last) {
            if day.day() == 1 {
                calendar.month_names.push(day.format("%Y-%m").to_string());
            }
            calendar.days.push(day.format("%Y-%m-%d ").to_string());
            calendar.month_of_day.push(calendar.month_names.len() - 1);
            calendar.period_days += usize::from(day < end);
        }
        Ok(calendar)
    }

    /// Length of the period in seconds.
    pub(super) fn period_s(&self) -> u64 {
        u64::try_from(self.period_days).unwrap_or(0) * DAY_S
    }

    /// The month, from 0, of a day since the start.
    pub(super) fn month(&self, day: u64) -> usize {
        self.month_of_day[usize::try_from(day).unwrap_or(0)]
    }

    /// Months of the period.
    pub(super) fn months(&self) -> usize {
        self.month(u64::try_from(self.period_days).unwrap_or(1) - 1) + 1
    }

    /// A month as `2024-03`.
    pub(super) fn month_name(&self, month: usize) -> String {
        self.month_names[month].clone()
    }

    fn put(&self, seconds: u64, out: &mut Vec<u8>) {
        let day = usize::try_from(seconds / DAY_S).unwrap_or(0);
        out.extend_from_slice(self.days[day].as_bytes());
        let second = seconds % DAY_S;
        put_padded(second / 3_600, 2, out);
        out.push(b':');
        put_padded(second / 60 % 60, 2, out);
        out.push(b':');
        put_padded(second % 60, 2, out);
    }
}

/// Appends one CSV line, with a document of so many bytes.
pub(super) fn put_row(row: &Row, calendar: &Calendar, document_bytes: u32, out: &mut Vec<u8>) {
    let test = &TESTS[row.test];
    for id in [row.result_id, row.patient_id, row.encounter_id, row.order_id] {
        put_number(id, out);
        out.push(b',');
    }
    out.extend_from_slice(b"FAC-");
    put_padded(u64::from(row.facility) + 1, 2, out);
    out.push(b',');
    put_number(row.provider_id.into(), out);
    for text in [test.loinc, test.name] {
        out.push(b',');
        put_text(text, out);
    }
    out.push(b',');
    put_result(row, out);
    for text in [STATES[row.state], test.specimen] {
        out.push(b',');
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b',');
    calendar.put(row.collected_s, out);
    out.push(b',');
    calendar.put(row.resulted_ms / 1_000, out);
    out.push(b'.');
    put_padded(row.resulted_ms % 1_000, 3, out);
    out.push(b',');
    put_number(row.version.into(), out);
    out.push(b',');
    if let Some((remark, number)) = row.remark {
        put_remark(REMARKS[remark], number, out);
    }
    if document_bytes > 0 {
        out.push(b',');
        let bytes = usize::try_from(document_bytes).unwrap_or(0);
        put_document(row.result_id, row.version, bytes, out);
    }
    out.push(b'\n');
}

/// Value, words, unit, range and flag: what differs between measured and worded tests.
fn put_result(row: &Row, out: &mut Vec<u8>) {
    let test = &TESTS[row.test];
    let Some((low, high)) = test.range else {
        let word = WORDS[usize::try_from(row.value).unwrap_or(0)];
        out.push(b',');
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b",,,,");
        return;
    };
    put_number(u64::from(row.value) / 1_000, out);
    out.push(b'.');
    put_padded(u64::from(row.value) % 1_000, 3, out);
    out.extend_from_slice(b",,");
    out.extend_from_slice(test.units.as_bytes());
    for limit in [low, high] {
        out.push(b',');
        put_number(u64::from(limit) / 100, out);
        out.push(b'.');
        put_padded(u64::from(limit) % 100, 2, out);
    }
    out.push(b',');
    if row.value < low * 10 {
        out.push(b'L');
    } else if row.value > high * 10 {
        out.push(b'H');
    }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    let quoted = text.contains(',');
    if quoted {
        out.push(b'"');
    }
    out.extend_from_slice(text.as_bytes());
    if quoted {
        out.push(b'"');
    }
}

fn put_remark(remark: &str, number: u32, out: &mut Vec<u8>) {
    let quoted = remark.contains([',', '"']);
    if quoted {
        out.push(b'"');
    }
    for byte in remark.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.extend_from_slice(b" #");
    put_number(number.into(), out);
    if quoted {
        out.push(b'"');
    }
}

fn put_number(number: u64, out: &mut Vec<u8>) {
    put_padded(number, 1, out);
}

/// Writes `number` with at least `width` digits, of at most 20.
fn put_padded(number: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    let mut left = number;
    while left > 0 {
        start -= 1;
        digits[start] = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
