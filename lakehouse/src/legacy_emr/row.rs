//! One row being built: its fields as text, ready to be written as CSV.

use std::fmt::{self, Write};
use std::ops::Range;

use super::times::Local;

/// A row's fields, one after another in one buffer; an empty field is a null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    text: String,
    ends: Vec<usize>,
}

impl Row {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Adds a null.
    pub(super) fn null(&mut self) {
        self.ends.push(self.text.len());
    }

    /// Adds a text, or a null where it is empty.
    pub(super) fn text(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push(self.text.len());
    }

    /// Adds a whole number.
    pub(super) fn int(&mut self, value: i64) {
        self.put(format_args!("{value}"));
    }

    /// Adds `scaled / 10^decimals`.
    pub(super) fn decimal(&mut self, scaled: i64, decimals: u32) {
        // Writing to a string cannot fail.
        push_decimal(&mut self.text, scaled, decimals).unwrap_or_default();
        self.ends.push(self.text.len());
    }

    /// Adds a time as `2024-03-10 02:30:00`.
    pub(super) fn time(&mut self, value: Local) {
        value.push_to(&mut self.text);
        self.ends.push(self.text.len());
    }

    /// Adds a date as `2024-03-10`.
    pub(super) fn date(&mut self, value: Local) {
        value.push_date_to(&mut self.text);
        self.ends.push(self.text.len());
    }

    /// Adds formatted text.
    pub(super) fn put(&mut self, value: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        self.text.write_fmt(value).unwrap_or_default();
        self.ends.push(self.text.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start..self.ends[index]
    }

    /// The text of field `index`.
    pub(super) fn get(&self, index: usize) -> &str {
        &self.text[self.range(index)]
    }

    /// Field `index` as a whole number, 0 where it is none.
    pub(super) fn number(&self, index: usize) -> i64 {
        self.get(index).parse().unwrap_or(0)
    }

    /// Replaces field `index`.
    pub(super) fn set(&mut self, index: usize, value: &str) {
        let range = self.range(index);
        let (old, new) = (range.len(), value.len());
        self.text.replace_range(range, value);
        for end in &mut self.ends[index..] {
            *end = *end + new - old;
        }
    }

    /// Appends the row as one CSV record with its line end.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for index in 0..self.len() {
            if index > 0 {
                out.push(b',');
            }
            push_field(out, self.get(index));
        }
        out.push(b'\n');
    }

    /// A hash of the fields: 64-bit FNV-1a over each field's bytes followed by 0x1F.
    ///
    /// Source: <http://www.isthe.com/chongo/tech/comp/fnv/>
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        for index in 0..self.len() {
            self.get(index).bytes().for_each(&mut eat);
            eat(0x1f);
        }
        hash
    }
}

/// Appends `scaled / 10^decimals`.
fn push_decimal(out: &mut String, scaled: i64, decimals: u32) -> fmt::Result {
    if decimals == 0 {
        return write!(out, "{scaled}");
    }
    let unit = 10_u64.pow(decimals);
    let (sign, size) = (if scaled < 0 { "-" } else { "" }, scaled.unsigned_abs());
    write!(out, "{sign}{}.{:0width$}", size / unit, size % unit, width = decimals as usize)
}

/// The text of `scaled / 10^decimals`.
pub(super) fn decimal_text(scaled: i64, decimals: u32) -> String {
    let mut out = String::new();
    push_decimal(&mut out, scaled, decimals).unwrap_or_default();
    out
}

/// Appends one CSV field, quoted where RFC 4180 asks for it.
fn push_field(out: &mut Vec<u8>, field: &str) {
    if !field.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(field.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in field.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}
