//! What type the values of one column have, so far.

use super::ColumnType;
use super::number::{parse_double, parse_long};
use super::time::{parse_date, parse_timestamp, parse_timestamptz};

/// The most digits of a number that becomes a `long` or a decimal.
const MAX_DIGITS: usize = 18;

/// The most fraction digits of a decimal that is chosen.
const MAX_SCALE: usize = 4;

/// The most digits of a whole number in a `double` column: longer ones are identifiers.
const MAX_WHOLE_DIGITS: usize = 15;

/// The longest value that is anything but a string.
const MAX_VALUE_BYTES: usize = 40;

const LONG: u8 = 1;
const DECIMAL: u8 = 1 << 1;
/// Prints as `f64` prints: `1`, `2.5`.
const SHORT_DOUBLE: u8 = 1 << 2;
/// Prints as `f64` prints with a point always: `1.0`, `2.5`.
const POINT_DOUBLE: u8 = 1 << 3;
const DATE: u8 = 1 << 4;
const TIMESTAMP: u8 = 1 << 5;
const TIMESTAMPTZ: u8 = 1 << 6;
const BOOLEAN: u8 = 1 << 7;

/// The form of a timestamp: what has to be kept beside the instant to write it as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    separator: u8,
    /// Length of the text before the zone.
    length: usize,
    /// The zone's text, `Z` or an offset.
    zone: [u8; 6],
}

/// What a column can be, given the values so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guess {
    candidates: u8,
    has_values: bool,
    /// Whether a number other than NaN was seen.
    has_number: bool,
    /// The fraction digits of the decimals so far.
    scale: Option<usize>,
    form: Option<Form>,
}

impl Guess {
    /// Anything is possible.
    pub(super) fn new() -> Self {
        let candidates = u8::MAX;
        Self { candidates, has_values: false, has_number: false, scale: None, form: None }
    }

    /// Takes a value into account. `escaped` says that it holds quotes.
    #[inline]
    pub(super) fn add(&mut self, text: &[u8], escaped: bool) {
        if self.candidates != 0 && !text.is_empty() {
            self.narrow(text, escaped);
        }
    }

    /// The type that fits all values.
    pub(super) fn column_type(&self) -> ColumnType {
        let can = |candidate| self.candidates & candidate != 0;
        match self.scale.map(i8::try_from) {
            _ if !self.has_values => ColumnType::String,
            _ if can(LONG) => ColumnType::Long,
            Some(Ok(scale)) if can(DECIMAL) => ColumnType::Decimal { precision: 18, scale },
            _ if can(SHORT_DOUBLE | POINT_DOUBLE) && self.has_number => ColumnType::Double,
            _ if can(DATE) => ColumnType::Date,
            _ if can(TIMESTAMP) => ColumnType::Timestamp,
            _ if can(TIMESTAMPTZ) => ColumnType::Timestamptz,
            _ if can(BOOLEAN) => ColumnType::Boolean,
            _ => ColumnType::String,
        }
    }

    fn narrow(&mut self, text: &[u8], escaped: bool) {
        self.has_values = true;
        if escaped || text.len() > MAX_VALUE_BYTES {
            self.candidates = 0;
            return;
        }
        let can = self.candidates;
        let still = |candidate: u8, fits: bool| if fits { candidate } else { 0 };
        let mut left = 0;
        if can & (LONG | DECIMAL | SHORT_DOUBLE | POINT_DOUBLE) != 0 {
            left |= self.numbers(text);
        }
        if can & DATE != 0 {
            left |= still(DATE, parse_date(text).is_some());
        }
        if can & (TIMESTAMP | TIMESTAMPTZ) != 0 {
            left |= self.timestamps(text);
        }
        if can & BOOLEAN != 0 {
            left |= still(BOOLEAN, matches!(text, b"true" | b"false"));
        }
        self.candidates &= left;
    }

    /// Which kinds of number the value is.
    fn numbers(&mut self, text: &[u8]) -> u8 {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let point = digits.iter().position(|&byte| byte == b'.');
        let (whole, fraction) = match point {
            Some(point) => (&digits[..point], &digits[point + 1..]),
            None => (digits, &digits[digits.len()..]),
        };
        let canonical_whole = match whole {
            [b'0'] => true,
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        let canonical = canonical_whole && fraction.iter().all(u8::is_ascii_digit);
        // A negative zero is a number that only a double can hold.
        let negative_zero =
            digits.len() < text.len() && !digits.iter().any(|b| (b'1'..=b'9').contains(b));
        let exact = canonical && !negative_zero && whole.len() + fraction.len() <= MAX_DIGITS;
        let can_double = self.candidates & (SHORT_DOUBLE | POINT_DOUBLE) != 0;
        let mut kinds = 0;
        if exact && point.is_none() && parse_long(text).is_some() {
            kinds |= LONG;
        }
        if exact
            && (1..=MAX_SCALE).contains(&fraction.len())
            && self.scale.is_none_or(|scale| scale == fraction.len())
        {
            kinds |= DECIMAL;
            self.scale = Some(fraction.len());
        }
        if can_double {
            kinds |= match fraction {
                // At most 15 digits of usual size print as they are; printing is slow.
                _ if !exact || whole.len() + fraction.len() > MAX_WHOLE_DIGITS => {
                    let whole_fits = point.is_some() || whole.len() <= MAX_WHOLE_DIGITS;
                    if whole_fits { self.doubles(text) } else { 0 }
                }
                _ if fraction.len() > MAX_SCALE => self.doubles(text),
                _ => {
                    self.has_number = true;
                    match fraction {
                        [] if point.is_none() => SHORT_DOUBLE,
                        [b'0'] => POINT_DOUBLE,
                        [.., b'1'..=b'9'] => SHORT_DOUBLE | POINT_DOUBLE,
                        _ => 0,
                    }
                }
            };
        }
        kinds
    }

    /// In which ways the value prints like the `f64` that it is.
    fn doubles(&mut self, text: &[u8]) -> u8 {
        let Some(value) = parse_double(text) else {
            return 0;
        };
        if value.is_infinite() {
            return 0;
        }
        self.has_number |= !value.is_nan();
        let mut kinds = 0;
        if self.candidates & SHORT_DOUBLE != 0 && value.to_string().as_bytes() == text {
            kinds |= SHORT_DOUBLE;
        }
        if self.candidates & POINT_DOUBLE != 0 && format!("{value:?}").as_bytes() == text {
            kinds |= POINT_DOUBLE;
        }
        kinds
    }

    /// Which kind of timestamp the value is, if it has the form of those before.
    fn timestamps(&mut self, text: &[u8]) -> u8 {
        let (kind, zone_length) = if parse_timestamp(text).is_some() {
            (TIMESTAMP, 0)
        } else if parse_timestamptz(text).is_some() {
            (TIMESTAMPTZ, if text.ends_with(b"Z") { 1 } else { 6 })
        } else {
            return 0;
        };
        let (local, suffix) = text.split_at(text.len() - zone_length);
        let mut zone = [0; 6];
        zone[..zone_length].copy_from_slice(suffix);
        let form = Form { separator: local[10], length: local.len(), zone };
        // Digits beyond microseconds would be lost, though they are 0.
        if local.len() > "0000-00-00T00:00:00.000000".len()
            || self.form.is_some_and(|old| old != form)
        {
            return 0;
        }
        self.form = Some(form);
        kind
    }
}
