//! The records of a file in order, good and bad, without their values being parsed.

use memchr::memchr_iter;
use northstar_catalog::Result;

use super::split::{Extent, Fault, Field, Split, Splitter};
use super::window::Window;
use super::{CsvOptions, RejectReason};

/// A record must be seen with its line end and one byte more to know where it ends.
const LOOKAHEAD_BYTES: usize = 4;

/// What was read of a file so far. Once it is read to its end, `row_bytes + reject_bytes +
/// skipped_bytes` is its size.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CsvCounts {
    /// Records that became rows.
    pub rows: u64,
    /// Records that were refused.
    pub rejects: u64,
    /// Bytes of the rows' records, line ends included.
    pub row_bytes: u64,
    /// Bytes of the refused records, line ends included.
    pub reject_bytes: u64,
    /// Bytes of the byte order mark, the header and blank lines.
    pub skipped_bytes: u64,
}

impl CsvCounts {
    /// Records read: rows and rejects (W1).
    pub fn records(&self) -> u64 {
        self.rows + self.rejects
    }
}

/// A record's bytes in [`RecordStream::data`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The physical line on which it starts, from 1.
    pub(super) line: i64,
    pub(super) start: usize,
    /// Without the last line end.
    pub(super) end: usize,
    /// With the last line end.
    pub(super) next: usize,
}

/// What the file has next. Positions hold until the next event is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    End,
    /// A record of the right width: its fields are in [`RecordStream::fields`].
    Record(Span),
    Bad(Span, Fault),
}

/// Reads records one after another, recovering after broken ones.
#[derive(Debug)]
pub(super) struct RecordStream {
    pub(super) window: Window,
    splitter: Splitter,
    /// Tells whether a line is a record by itself.
    pub(super) line_splitter: Splitter,
    width: usize,
    pub(super) line: i64,
    pub(super) max_record_bytes: usize,
    pub(super) skipped_bytes: u64,
    pub(super) damaged: Option<i64>,
}

impl RecordStream {
    /// The records from where `window` stands, on physical line `line`, with `width` fields each.
    pub(super) fn new(window: Window, line: i64, width: usize, options: &CsvOptions) -> Self {
        Self {
            window,
            splitter: Splitter::new(options.delimiter, width),
            line_splitter: Splitter::new(options.delimiter, width),
            width,
            line,
            max_record_bytes: options.max_record_bytes,
            skipped_bytes: 0,
            damaged: None,
        }
    }

    /// The bytes that spans and fields point into.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        self.window.data()
    }

    /// The fields of the last record.
    #[inline]
    pub(super) fn fields(&self) -> &[Field] {
        self.splitter.fields()
    }

    /// The next record.
    ///
    /// # Errors
    /// Those of reading; `InvalidData` if a record is longer than the limit and nothing within the
    /// limit parses.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Event> {
        loop {
            let start = self.window.start();
            match self.splitter.split(self.window.data(), start, self.window.at_end()) {
                Split::End => return Ok(Event::End),
                Split::NeedMore => {
                    if !self.more()? {
                        return self.recover(self.too_long(), None);
                    }
                }
                Split::Broken { fault, seen_to } => {
                    let short = seen_to - start <= self.max_record_bytes;
                    let fault = if short { fault } else { self.too_long() };
                    return self.recover(fault, None);
                }
                Split::Record(extent) if extent.end == start && self.width != 1 => {
                    self.skipped_bytes += (extent.next - start) as u64;
                    self.take(start, start, extent.next, 1);
                }
                Split::Record(extent) => return self.record(start, extent),
            }
        }
    }

    /// Judges a record whose end is known.
    #[inline]
    fn record(&mut self, start: usize, extent: Extent) -> Result<Event> {
        if extent.end - start > self.max_record_bytes {
            return self.recover(self.too_long(), None);
        }
        if let Some(fault) = extent.fault.filter(|_| extent.inner_lines > 0) {
            return self.recover(fault, Some(extent.next));
        }
        let byte_fault = self.window.fault(start, extent.end);
        let span = self.take(start, extent.end, extent.next, extent.inner_lines + 1);
        Ok(match extent.fault.or(byte_fault.map(Fault::from)) {
            None => Event::Record(span),
            Some(fault) => Event::Bad(span, fault),
        })
    }

    /// Consumes a record that takes `lines` physical lines.
    #[inline]
    fn take(&mut self, start: usize, end: usize, next: usize, lines: usize) -> Span {
        let span = Span { line: self.line, start, end, next };
        self.line += lines as i64;
        self.window.consume(next);
        span
    }

    /// Consumes bad text up to `next`, which starts a line or ends the data.
    pub(super) fn take_bad(&mut self, next: usize, fault: Fault) -> Event {
        let start = self.window.start();
        let text = &self.window.data()[start..next];
        let lines = memchr_iter(b'\n', text).count();
        let kept = text.strip_suffix(b"\n").unwrap_or(text);
        let kept = kept.strip_suffix(b"\r").unwrap_or(kept);
        let end = start + kept.len();
        Event::Bad(self.take(start, end, next, lines), fault)
    }

    /// Reads more of the file; false if the record under way is at its limit.
    pub(super) fn more(&mut self) -> Result<bool> {
        let more = self.window.more(self.max_record_bytes + LOOKAHEAD_BYTES)?;
        self.splitter.reset();
        Ok(more)
    }

    fn too_long(&self) -> Fault {
        RejectReason::TooLong { max_record_bytes: self.max_record_bytes }.into()
    }
}
