//! Dates and timestamps from text, to days and microseconds since 1970-01-01.

const DAY_SECONDS: i64 = 86_400;
const SECOND_MICROS: i64 = 1_000_000;

/// The days of the months in a year that is not a leap year.
const MONTH_DAYS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// The days of a year before each month.
const DAYS_BEFORE: [u16; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Days from 0001-01-01 to 1970-01-01.
const EPOCH_DAY: i32 = 719_162;

/// Microseconds since the epoch of the first and the last instant of the years 0001 to 9999.
const INSTANTS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The number that two digits write.
#[inline]
fn two(text: [u8; 2]) -> Option<u8> {
    let (tens, ones) = (text[0].wrapping_sub(b'0'), text[1].wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| tens * 10 + ones)
}

/// `YYYY-MM-DD`: days since the epoch.
#[inline]
pub(super) fn parse_date(text: &[u8]) -> Option<i32> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = *text else {
        return None;
    };
    let year = u16::from(two([y0, y1])?) * 100 + u16::from(two([y2, y3])?);
    let month = usize::from(two([m0, m1])?);
    let day = two([d0, d1])?;
    let month_index = month.wrapping_sub(1);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = *MONTH_DAYS.get(month_index)? + u8::from(leap && month == 2);
    if year == 0 || day == 0 || day > longest {
        return None;
    }
    let before = i32::from(year) - 1;
    let days = before * 365 + before / 4 - before / 100 + before / 400;
    let in_year = i32::from(DAYS_BEFORE[month_index]) + i32::from(leap && month > 2);
    Some(days + in_year + i32::from(day) - 1 - EPOCH_DAY)
}

/// `YYYY-MM-DD[ T]HH:MM[:SS[.fffffffff]]`: microseconds since the epoch.
#[inline]
pub(super) fn parse_timestamp(text: &[u8]) -> Option<i64> {
    match local(text)? {
        (micros, []) => Some(micros),
        _ => None,
    }
}

/// A timestamp with `Z`, `+hh:mm` or `-hh:mm` at its end: microseconds since the epoch, in UTC.
#[inline]
pub(super) fn parse_timestamptz(text: &[u8]) -> Option<i64> {
    let (micros, zone) = local(text)?;
    let east = match *zone {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let (hours, minutes) = (two([h0, h1])?, two([m0, m1])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            if sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let instant = micros - east * SECOND_MICROS;
    INSTANTS.contains(&instant).then_some(instant)
}

/// The microseconds of a date and time, and what stands after them.
#[inline]
fn local(text: &[u8]) -> Option<(i64, &[u8])> {
    let (date, clock) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    let [b'T' | b' ', h0, h1, b':', m0, m1, rest @ ..] = clock else {
        return None;
    };
    let (hour, minute) = (two([*h0, *h1])?, two([*m0, *m1])?);
    let (second, micros, rest) = match rest {
        [b':', s0, s1, b'.', rest @ ..] => {
            let (micros, rest) = fraction(rest)?;
            (two([*s0, *s1])?, micros, rest)
        }
        [b':', s0, s1, rest @ ..] => (two([*s0, *s1])?, 0, rest),
        rest => (0, 0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    let seconds = i64::from(days) * DAY_SECONDS + of_day;
    Some((seconds * SECOND_MICROS + micros, rest))
}

/// The microseconds of one to nine fraction digits, and what stands after them. Digits beyond
/// microseconds must be 0: nothing is cut off silently.
#[inline]
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    if !(1..=9).contains(&count) || digits.iter().skip(6).any(|&byte| byte != b'0') {
        return None;
    }
    let digit = |place: usize| digits.get(place).map_or(0, |byte| i64::from(byte - b'0'));
    Some(((0..6).fold(0, |micros, place| micros * 10 + digit(place)), rest))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};

    use super::*;

    #[test]
    fn every_day_of_the_calendar_equals_that_of_chrono() {
        let mut day = NaiveDate::from_ymd_opt(1, 1, 1).unwrap();
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        let end = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap();
        while day < end {
            let expected = i32::try_from((day - epoch).num_days()).unwrap();
            let text = day.format("%Y-%m-%d").to_string();
            assert_eq!(parse_date(text.as_bytes()), Some(expected), "{text}");
            day = day.succ_opt().unwrap();
        }
        assert_eq!(parse_date(b"9999-12-31"), Some(2_932_896));
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for bad in [
            "2023-02-29",
            "1900-02-29",
            "2024-04-31",
            "2024-00-10",
            "2024-13-01",
            "2024-01-00",
            "0000-01-01",
            "24-01-01",
            "2024-1-1",
            "2024/01/01",
            "2024-01-01 ",
            "20240101",
            "+024-01-01",
            "",
        ] {
            assert_eq!(parse_date(bad.as_bytes()), None, "{bad}");
        }
        assert!(parse_date(b"2000-02-29").is_some() && parse_date(b"2024-02-29").is_some());
    }

    #[test]
    fn timestamps_equal_those_of_chrono() {
        for text in [
            "2023-10-10T04:17:47",
            "1969-12-31T23:59:59.999999",
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59.5",
        ] {
            let expected: NaiveDateTime = text.parse().unwrap();
            let micros = expected.and_utc().timestamp_micros();
            assert_eq!(parse_timestamp(text.as_bytes()), Some(micros), "{text}");
            assert_eq!(parse_timestamp(text.replace('T', " ").as_bytes()), Some(micros));
            assert_eq!(parse_timestamptz(text.as_bytes()), None, "a zone is needed");
            assert_eq!(parse_timestamptz(format!("{text}Z").as_bytes()), Some(micros));
            assert_eq!(parse_timestamp(format!("{text}Z").as_bytes()), None, "no zone is taken");
        }
        for text in ["2023-10-10T04:17:47+05:30", "2023-01-01T00:30:00-08:00"] {
            let micros = DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros();
            assert_eq!(parse_timestamptz(text.as_bytes()), Some(micros), "{text}");
        }
    }

    #[test]
    fn a_time_is_whole_or_refused() {
        let noon = parse_timestamp(b"2024-01-01T12:00:00").unwrap();
        assert_eq!(parse_timestamp(b"2024-01-01 12:00"), Some(noon));
        assert_eq!(parse_timestamp(b"2024-01-01 12:00:00.000001000"), Some(noon + 1));
        for bad in [
            "2024-01-01",
            "2024-01-01T",
            "2024-01-01T24:00",
            "2024-01-01T12:60",
            "2024-01-01T12:00:60",
            "2024-01-01T12:00:00.",
            "2024-01-01T12:00:00.0000001",
            "2024-01-01T12:00:00.0000000000",
            "2024-01-01T1:00",
            "2024-01-01t12:00",
            "2024-01-01T12:00:0",
            "2024-01-01T12",
            "2024-01-01T12:00:00 ",
        ] {
            assert_eq!(parse_timestamp(bad.as_bytes()), None, "{bad}");
        }
        for bad in [
            "2024-01-01T12:00z",
            "2024-01-01T12:00+0530",
            "2024-01-01T12:00+05",
            "2024-01-01T12:00+24:00",
            "2024-01-01T12:00+05:60",
            "2024-01-01T12:00 Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse_timestamptz(bad.as_bytes()), None, "{bad}");
        }
    }
}
