//! Integers, decimals, floating-point numbers and booleans from text: strict, and without detours.

/// Powers of ten that `f64` holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Integers up to this are exact in `f64`.
const MAX_EXACT: u64 = 1 << 53;

/// The number that up to 19 digits write; none are 0.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    let mut value = 0u64;
    let mut rest = text;
    while let Some((eight, tail)) = rest.split_first_chunk::<8>() {
        value = value.wrapping_mul(100_000_000).wrapping_add(eight_digits(*eight)?);
        rest = tail;
    }
    let mut stray = 0u8;
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        stray |= u8::from(digit > 9);
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (stray == 0 && text.len() <= 19).then_some(value)
}

/// The number that eight digits write: pairs are added up, then pairs of pairs.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const THREES: u64 = 0x3030_3030_3030_3030;
    let word = u64::from_le_bytes(text);
    let carried = word.wrapping_add(0x0606_0606_0606_0606);
    if word & HIGH != THREES || carried & HIGH != THREES {
        return None;
    }
    let word = word & !HIGH;
    let word = word.wrapping_mul(10).wrapping_add(word >> 8) & 0x00FF_00FF_00FF_00FF;
    let word = word.wrapping_mul(100).wrapping_add(word >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(word.wrapping_mul(10_000).wrapping_add(word >> 32) & 0xFFFF_FFFF)
}

/// Splits off a sign: whether it is a minus, and the rest.
#[inline]
fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Digits without their leading zeros.
#[inline]
fn significant(text: &[u8]) -> &[u8] {
    let zeros = text.iter().take_while(|&&byte| byte == b'0').count();
    &text[zeros..]
}

/// A 64-bit integer: an optional sign and digits.
#[inline]
pub(super) fn parse_long(text: &[u8]) -> Option<i64> {
    let (negative, written) = sign(text);
    if written.is_empty() {
        return None;
    }
    let written = if written.len() > 19 { significant(written) } else { written };
    let magnitude = digits(written)?;
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// A 32-bit integer.
#[inline]
pub(super) fn parse_int(text: &[u8]) -> Option<i32> {
    parse_long(text).and_then(|value| i32::try_from(value).ok())
}

/// A boolean in one of its spellings.
#[inline]
pub(super) fn parse_boolean(text: &[u8]) -> Option<bool> {
    const SPELLINGS: [(&[u8], bool); 8] = [
        (b"true", true),
        (b"false", false),
        (b"1", true),
        (b"0", false),
        (b"t", true),
        (b"f", false),
        (b"yes", true),
        (b"no", false),
    ];
    let found = SPELLINGS.iter().find(|(spelling, _)| text.eq_ignore_ascii_case(spelling));
    found.map(|(_, value)| *value)
}

/// Digits before and after a point, at least one in all.
#[inline]
fn at_point(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (whole, fraction) = match text.iter().position(|&byte| byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &text[text.len()..]),
    };
    (!whole.is_empty() || !fraction.is_empty()).then_some((whole, fraction))
}

/// An exact decimal, unscaled, of at most `precision` digits with `scale` of them after the point.
#[inline]
pub(super) fn parse_decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let (negative, text) = sign(text);
    let (whole, fraction) = at_point(text)?;
    let (fraction, beyond) = fraction.split_at(fraction.len().min(scale));
    if beyond.iter().any(|&byte| byte != b'0') {
        return None;
    }
    let missing = scale - fraction.len();
    let magnitude = if whole.len() + scale <= 18 {
        let whole = digits(whole)?.wrapping_mul(10u64.pow(fraction.len() as u32));
        let value = whole.wrapping_add(digits(fraction)?);
        u128::from(value.wrapping_mul(10u64.pow(missing as u32)))
    } else {
        wide(significant(whole), fraction, missing)?
    };
    if magnitude >= 10u128.pow(u32::from(precision)) {
        return None;
    }
    let value = i128::try_from(magnitude).ok()?;
    Some(if negative { -value } else { value })
}

/// A number of more than 18 digits, followed by `missing` zeros.
fn wide(whole: &[u8], fraction: &[u8], missing: usize) -> Option<u128> {
    // 39 digits are too many for any precision, and fewer cannot overflow.
    if whole.len() + fraction.len() + missing > 38 {
        return None;
    }
    let mut value = 0u128;
    for &byte in whole.iter().chain(fraction) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u128::from(byte - b'0');
    }
    Some(value * 10u128.pow(missing as u32))
}

/// A 64-bit floating-point number: digits with an optional point and exponent, `NaN`, `Infinity` or
/// `-Infinity`. A number too large for the type is none.
#[inline]
pub(super) fn parse_double(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = sign(text);
    let (whole, fraction) = at_point(unsigned)?;
    if whole.len() + fraction.len() <= 19
        && fraction.len() < EXACT_POWERS.len()
        && let (Some(high), Some(low)) = (digits(whole), digits(fraction))
    {
        // Both numbers are exact, so their quotient is the nearest `f64`.
        let mantissa = high * 10u64.pow(fraction.len() as u32) + low;
        if mantissa <= MAX_EXACT {
            let value = mantissa as f64 / EXACT_POWERS[fraction.len()];
            return Some(if negative { -value } else { value });
        }
    }
    slow_double(text, unsigned)
}

/// Any number by the standard library, once its syntax is known to be ours.
fn slow_double(text: &[u8], unsigned: &[u8]) -> Option<f64> {
    match text {
        b"NaN" => return Some(f64::NAN),
        b"Infinity" => return Some(f64::INFINITY),
        b"-Infinity" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    if !unsigned.first().is_some_and(|&byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let value: f64 = str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_strict_and_keep_their_limits() {
        for value in [0, 1, -1, 12_345_678, -123_456_789_012, i64::MAX, i64::MIN] {
            assert_eq!(parse_long(value.to_string().as_bytes()), Some(value));
        }
        assert_eq!(parse_long(b"+7"), Some(7));
        assert_eq!(parse_long(b"0000000000000000000000042"), Some(42));
        for bad in [
            "",
            "-",
            "+",
            "1 2",
            "1.0",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "1234567a",
            "a1234567",
            "12345678/",
            ":2345678",
            "\u{661}",
        ] {
            assert_eq!(parse_long(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse_int(b"2147483647"), Some(i32::MAX));
        assert_eq!(parse_int(b"2147483648"), None);
    }

    #[test]
    fn decimals_are_exact_or_refused() {
        let cases: [(&str, u8, i8, Option<i128>); 19] = [
            ("12.34", 12, 2, Some(1234)),
            ("-12.3", 12, 2, Some(-1230)),
            ("+5", 12, 2, Some(500)),
            (".5", 12, 2, Some(50)),
            ("5.", 12, 2, Some(500)),
            ("1.2300", 12, 2, Some(123)),
            ("1.234", 12, 2, None),
            ("9999999999.99", 12, 2, Some(999_999_999_999)),
            ("10000000000.00", 12, 2, None),
            (".", 12, 2, None),
            ("", 12, 2, None),
            ("1e3", 12, 2, None),
            ("1,5", 12, 2, None),
            ("0000000000000000000000000000000000000000001.5", 12, 2, Some(150)),
            ("99999999999999999999999999999999999999", 38, 0, Some(10i128.pow(38) - 1)),
            ("100000000000000000000000000000000000000", 38, 0, None),
            ("0.12345678901234567890", 38, 20, Some(12_345_678_901_234_567_890)),
            ("1.2.3", 12, 2, None),
            ("1234567890123456789012x", 38, 0, None),
        ];
        for (text, precision, scale, expected) in cases {
            assert_eq!(parse_decimal(text.as_bytes(), precision, scale), expected, "{text}");
        }
    }

    #[test]
    fn doubles_equal_those_of_the_standard_library() {
        for text in [
            "0",
            "-0",
            "1.5",
            "42.36877442769006",
            "1e5",
            "1E-3",
            "-2.5e+10",
            "0.1",
            ".25",
            "3.",
            "9007199254740993",
            "123456789012345678901234567890",
            "1e308",
            "5e-324",
            "0.000000000000000000000000001",
            "1234567890.123456789",
        ] {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(parse_double(text.as_bytes()).map(f64::to_bits), Some(expected.to_bits()));
        }
        assert!(parse_double(b"NaN").unwrap().is_nan());
        assert_eq!(parse_double(b"-Infinity"), Some(f64::NEG_INFINITY));
        for bad in [
            "", ".", "-", "inf", "nan", "infinity", "1e999", "1e", "e5", "1..2", "0x1", "1 ",
            "+NaN", "--1",
        ] {
            assert_eq!(parse_double(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn booleans_have_their_spellings_in_any_case() {
        for text in ["true", "TRUE", "t", "1", "Yes"] {
            assert_eq!(parse_boolean(text.as_bytes()), Some(true));
        }
        for text in ["False", "F", "0", "no"] {
            assert_eq!(parse_boolean(text.as_bytes()), Some(false));
        }
        assert_eq!(parse_boolean(b"y"), None);
        assert_eq!(parse_boolean(b"2"), None);
    }
}
