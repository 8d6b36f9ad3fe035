//! Local times as legacy systems keep them: a wall clock without a zone, and its gaps and folds.

use std::fmt::Write;

use chrono::{
    DateTime, Datelike, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike,
};
use chrono_tz::Tz;

use super::draws::Draws;

pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 24 * HOUR;

/// A wall-clock time: seconds since 1970-01-01 00:00:00 on the same wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Local(pub(super) i64);

impl Local {
    /// Midnight of `date`.
    pub(super) fn midnight(date: NaiveDate) -> Self {
        Self(NaiveDateTime::from(date).and_utc().timestamp())
    }

    pub(super) fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The same day at `hour`.
    pub(super) fn at_hour(self, hour: i64) -> Self {
        Self(self.0.div_euclid(DAY) * DAY + hour * HOUR)
    }

    fn naive(self) -> NaiveDateTime {
        DateTime::from_timestamp(self.0, 0).unwrap_or_default().naive_utc()
    }

    /// Appends `2024-03-10 02:30:00`.
    pub(super) fn push_to(self, out: &mut String) {
        self.push_date_to(out);
        let seconds = self.0.rem_euclid(DAY);
        out.push(' ');
        push_two(out, seconds / HOUR);
        out.push(':');
        push_two(out, seconds / 60 % 60);
        out.push(':');
        push_two(out, seconds % 60);
    }

    /// Appends `2024-03-10`.
    pub(super) fn push_date_to(self, out: &mut String) {
        let date = self.naive().date();
        push_two(out, i64::from(date.year() / 100));
        push_two(out, i64::from(date.year() % 100));
        out.push('-');
        push_two(out, i64::from(date.month()));
        out.push('-');
        push_two(out, i64::from(date.day()));
    }

    /// The time in a way that no timestamp column takes: a note someone typed.
    pub(super) fn typed(self, draws: &mut Draws) -> String {
        let time = self.naive();
        let mut out = String::new();
        let (year, month, day) = (time.year() % 100, time.month(), time.day());
        let (hour, minute) = (time.hour(), time.minute());
        let written = match draws.below(5) {
            0 => write!(out, "{month}/{day}/{year:02} {hour}:{minute:02}"),
            1 => write!(out, "{hour:02}{minute:02} hrs"),
            2 => write!(out, "UNKNOWN"),
            3 => write!(out, "{day:02}.{month:02}.{year:02}"),
            _ => write!(out, "ca. {hour} o'clock"),
        };
        // Writing to a string cannot fail.
        written.unwrap_or_default();
        out
    }
}

fn push_two(out: &mut String, value: i64) {
    for digit in [value / 10 % 10, value % 10] {
        out.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
    }
}

/// What is wrong with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadTime {
    Gap,
    Ambiguous,
    YearOne,
    Year1900,
    Future,
}

/// The gaps and folds of one zone over the years that the extract can name.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    /// Start and end on the wall clock, and which it is; ascending.
    shifts: Vec<(Local, Local, BadTime)>,
}

impl Calendar {
    /// The shifts of `zone` from `first` for `days` days.
    pub(super) fn new(zone: Tz, first: NaiveDate, days: u64) -> Self {
        let noon = Local::midnight(first).plus(DAY / 2);
        let mut shifts = Vec::new();
        let mut before = offset(zone, noon.plus(-DAY));
        for day in 0..i64::try_from(days).unwrap_or(0) {
            let at = noon.plus(day * DAY);
            let now = offset(zone, at);
            if now != before {
                shifts.extend(shift_before(zone, at));
            }
            before = now;
        }
        Self { shifts }
    }

    /// What is wrong with `time` here, if anything is.
    pub(super) fn judge(&self, time: Local) -> Option<BadTime> {
        let next = self.shifts.partition_point(|(start, ..)| *start <= time);
        let (_, end, kind) = *self.shifts.get(next.checked_sub(1)?)?;
        (time < end).then_some(kind)
    }

    /// A time that is wrong in one of five ways; a zone without gaps and folds has three.
    pub(super) fn bad(&self, draws: &mut Draws) -> (Local, BadTime) {
        let way = draws.below(5);
        let wanted = if way == 0 { BadTime::Gap } else { BadTime::Ambiguous };
        let fitting: Vec<_> = self.shifts.iter().filter(|shift| shift.2 == wanted).collect();
        match way {
            0 | 1 if !fitting.is_empty() => {
                let (start, end, kind) = **draws.pick(&fitting);
                let minutes = (end.0 - start.0) / 60;
                (start.plus(draws.between(0, minutes - 1) * 60), kind)
            }
            2 => (YEAR_ONE, BadTime::YearOne),
            3 => (FUTURE, BadTime::Future),
            _ => (YEAR_1900, BadTime::Year1900),
        }
    }
}

/// 0001-01-01 00:00:00, what some systems write for "no time".
pub(super) const YEAR_ONE: Local = Local(-62_135_596_800);
/// 1900-01-01 00:00:00, what SQL Server makes of an empty text.
pub(super) const YEAR_1900: Local = Local(-2_208_988_800);
/// 2099-12-31 00:00:00, what some systems write for "no end".
pub(super) const FUTURE: Local = Local(4_102_358_400);

fn offset(zone: Tz, local: Local) -> i32 {
    let found = zone.offset_from_local_datetime(&local.naive());
    found.earliest().map_or(0, |offset| offset.fix().local_minus_utc())
}

/// The shift in the 24 hours before `noon`, to the quarter of an hour.
fn shift_before(zone: Tz, noon: Local) -> Option<(Local, Local, BadTime)> {
    let kind_at = |step: i64| match zone.offset_from_local_datetime(&noon.plus(step).naive()) {
        LocalResult::None => Some(BadTime::Gap),
        LocalResult::Ambiguous(..) => Some(BadTime::Ambiguous),
        LocalResult::Single(_) => None,
    };
    let steps: Vec<i64> = (-96..0).map(|quarter| quarter * 900).collect();
    let first = steps.iter().copied().find(|step| kind_at(*step).is_some())?;
    let last = steps.iter().copied().rev().find(|step| kind_at(*step).is_some())?;
    Some((noon.plus(first), noon.plus(last + 900), kind_at(first)?))
}
