//! One record at a time: where its fields are, and whether its quoting and width are right.

use memchr::{memchr, memchr_iter};

use super::RejectReason;
use super::scan::Scanner;

/// How a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// As it is.
    Plain,
    /// Between quotes, which are not part of the field's range.
    Quoted,
    /// Between quotes, with `""` for each quote inside.
    Escaped,
}

/// A field as a range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) kind: Kind,
}

/// What is wrong with a record, and in which column of the file (from 0), where one is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: RejectReason,
    pub(super) column: Option<usize>,
}

impl From<RejectReason> for Fault {
    fn from(reason: RejectReason) -> Self {
        Self { reason, column: None }
    }
}

/// A record whose end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where its bytes end, without the line end.
    pub(super) end: usize,
    /// Where the next record starts.
    pub(super) next: usize,
    /// Line feeds within its quoted fields.
    pub(super) inner_lines: usize,
    /// What is wrong with its quoting or width.
    pub(super) fault: Option<Fault>,
}

/// What stands at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    /// Nothing: the data has ended.
    End,
    /// A record that goes on after the data.
    NeedMore,
    /// A record.
    Record(Extent),
    /// A record that is known to be bad and runs over several lines or to the end of the data; where
    /// it ends cannot be trusted. `seen_to` is how far it was read.
    Broken { fault: Fault, seen_to: usize },
}

/// Splits records; keeps the fields of the last one.
#[derive(Debug)]
pub(super) struct Splitter {
    scanner: Scanner,
    delimiter: u8,
    width: usize,
    fields: Vec<Field>,
    /// Fields of the record, those beyond the width included.
    count: usize,
    /// Where the scanner stands, if the data is still the same.
    position: Option<usize>,
}

/// The end of a quoted field.
enum Closing {
    NeedMore,
    Unclosed,
    /// The position of the closing quote.
    At(usize, Kind),
}

/// What follows a closing quote.
enum After {
    NeedMore,
    Delimiter,
    /// The record ends; the next one starts here.
    LineEnd(usize),
    Text,
}

impl Splitter {
    /// A splitter of records that should have `width` fields.
    pub(super) fn new(delimiter: u8, width: usize) -> Self {
        let scanner = Scanner::new(delimiter);
        Self { scanner, delimiter, width, fields: Vec::new(), count: 0, position: None }
    }

    /// Tells that the data has changed.
    pub(super) fn reset(&mut self) {
        self.position = None;
    }

    /// The fields of the last record; at most one more than the width.
    #[inline]
    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The number of fields that a record should have.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    #[inline]
    fn push(&mut self, start: usize, end: usize, kind: Kind) {
        self.count += 1;
        if self.fields.len() <= self.width {
            self.fields.push(Field { start, end, kind });
        }
    }

    /// Splits the record that starts at `start`. `at_end` says that nothing follows the data.
    pub(super) fn split(&mut self, data: &[u8], start: usize, at_end: bool) -> Split {
        if start >= data.len() {
            return if at_end { Split::End } else { Split::NeedMore };
        }
        if self.position != Some(start) {
            self.scanner.move_to(data, start);
        }
        self.position = None;
        self.fields.clear();
        self.count = 0;
        let mut extent = Extent { end: start, next: start, inner_lines: 0, fault: None };
        let mut field = start;
        loop {
            let Some(at) = self.scanner.next(data) else {
                if !at_end {
                    return Split::NeedMore;
                }
                (extent.end, extent.next) = (data.len(), data.len());
                return self.end_plain(data, start, field, extent);
            };
            match data[at] {
                b'\n' => {
                    (extent.end, extent.next) = (at, at + 1);
                    return self.end_plain(data, start, field, extent);
                }
                b'"' if at == field => match self.quoted(data, at, at_end, &mut extent) {
                    Ok(next) => field = next,
                    Err(split) => return split,
                },
                b'"' => {}
                _ => {
                    self.push(field, at, Kind::Plain);
                    field = at + 1;
                }
            }
        }
    }

    /// Ends a record with a field that is not quoted.
    #[inline]
    fn end_plain(&mut self, data: &[u8], start: usize, field: usize, mut extent: Extent) -> Split {
        if extent.end > start && data[extent.end - 1] == b'\r' {
            extent.end -= 1;
        }
        // A carriage return may be all there is of the last field, never more than that.
        self.push(field, extent.end.max(field), Kind::Plain);
        self.end(extent)
    }

    /// Ends a record whose fields are complete.
    #[inline]
    fn end(&mut self, mut extent: Extent) -> Split {
        self.position = Some(extent.next);
        if self.count != self.width && extent.fault.is_none() {
            extent.fault = Some(self.wrong_count());
        }
        Split::Record(extent)
    }

    fn wrong_count(&self) -> Fault {
        RejectReason::WrongColumnCount { expected: self.width, found: self.count }.into()
    }

    /// Reads the quoted field that opens at `open`. `Ok` is where the field starts that the scanner
    /// is in then; `Err` is the record's outcome.
    fn quoted(
        &mut self,
        data: &[u8],
        open: usize,
        at_end: bool,
        extent: &mut Extent,
    ) -> Result<usize, Split> {
        let column = Some(self.count);
        let (close, kind) = match closing(data, open, at_end) {
            Closing::NeedMore => return Err(Split::NeedMore),
            Closing::Unclosed => {
                let fault = Fault { reason: RejectReason::UnclosedQuote, column };
                return Err(Split::Broken { fault, seen_to: data.len() });
            }
            Closing::At(close, kind) => (close, kind),
        };
        extent.inner_lines += memchr_iter(b'\n', &data[open..close]).count();
        let after = after(data, close, self.delimiter, at_end);
        match after {
            After::NeedMore => return Err(Split::NeedMore),
            After::Delimiter | After::LineEnd(_) => self.push(open + 1, close, kind),
            After::Text if extent.fault.is_none() => {
                extent.fault = Some(Fault { reason: RejectReason::TextAfterQuote, column });
            }
            After::Text => {}
        }
        // A record that is bad and has left its line would only swallow more of its successors.
        if extent.inner_lines > 0 {
            let overfull = (self.count > self.width).then(|| self.wrong_count());
            if let Some(fault) = extent.fault.or(overfull) {
                return Err(Split::Broken { fault, seen_to: close });
            }
        }
        match after {
            After::LineEnd(next) => {
                (extent.end, extent.next) = (close + 1, next);
                self.scanner.skip_to(data, next);
                Err(self.end(*extent))
            }
            After::Delimiter => {
                self.scanner.skip_to(data, close + 2);
                Ok(close + 2)
            }
            // The rest of a bad field is read like an unquoted one.
            After::Text | After::NeedMore => {
                self.scanner.skip_to(data, close + 1);
                Ok(open)
            }
        }
    }
}

/// The closing quote of the field that opens at `open`.
#[inline]
fn closing(data: &[u8], open: usize, at_end: bool) -> Closing {
    let mut kind = Kind::Quoted;
    let mut from = open + 1;
    loop {
        let Some(found) = memchr(b'"', &data[from..]) else {
            return if at_end { Closing::Unclosed } else { Closing::NeedMore };
        };
        let close = from + found;
        if data.get(close + 1) != Some(&b'"') {
            return Closing::At(close, kind);
        }
        kind = Kind::Escaped;
        from = close + 2;
    }
}

/// What follows the closing quote at `close`.
#[inline]
fn after(data: &[u8], close: usize, delimiter: u8, at_end: bool) -> After {
    match data.get(close + 1..).unwrap_or_default() {
        [byte, ..] if *byte == delimiter => After::Delimiter,
        [b'\n', ..] => After::LineEnd(close + 2),
        [b'\r', b'\n', ..] => After::LineEnd(close + 3),
        [] | [b'\r'] if at_end => After::LineEnd(data.len()),
        [] | [b'\r'] => After::NeedMore,
        _ => After::Text,
    }
}
