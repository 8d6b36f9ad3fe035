//! Where reading goes on after a record whose quoting is broken.

use memchr::memchr;
use northstar_catalog::{Error, ErrorKind, Result};

use super::split::{Fault, Split, Splitter};
use super::stream::{Event, RecordStream};

impl RecordStream {
    /// Takes the text from here to the next line that parses by itself as one bad record.
    ///
    /// `known_next` is where a record ends whose quotes are closed, but whose width is wrong: only
    /// lines within it are candidates, as what follows it is a record of its own anyway. Otherwise
    /// the text ends with the file if no line parses, and the file is reported as damaged.
    ///
    /// # Errors
    /// Those of reading; `InvalidData` if no line within the longest record parses.
    pub(super) fn recover(&mut self, fault: Fault, known_next: Option<usize>) -> Result<Event> {
        // The next line to try, counted from the record's start: the first one is the record's own.
        let mut candidate = 0;
        loop {
            let start = self.window.start();
            let text = &self.window.data()[start..known_next.unwrap_or(self.window.data().len())];
            let line_end = memchr(b'\n', &text[candidate..]).map(|found| candidate + found);
            let ends_here = known_next.is_some() || self.window.at_end();
            if line_end.is_none() && !ends_here {
                if !self.more()? {
                    return Err(self.nothing_parses());
                }
                continue;
            }
            let end = line_end.unwrap_or(text.len());
            if end > self.max_record_bytes {
                return Err(self.nothing_parses());
            }
            let line = &text[candidate..end];
            let exists = candidate > 0 && (line_end.is_some() || !line.is_empty());
            if exists && is_record(&mut self.line_splitter, line) {
                return Ok(self.take_bad(start + candidate, fault));
            }
            if line_end.is_none() {
                if known_next.is_none() {
                    self.damaged = self.damaged.or(Some(self.line));
                }
                return Ok(self.take_bad(start + text.len(), fault));
            }
            candidate = end + 1;
        }
    }

    fn nothing_parses(&self) -> Error {
        let message = format!(
            "no record ends within {} bytes, and no line in them parses; a quote may not be \
             closed: repair the file or raise max_record_bytes",
            self.max_record_bytes
        );
        Error::new(ErrorKind::InvalidData, message)
            .with_context("file", self.window.file())
            .with_context("line", self.line)
    }
}

/// Whether a line, without its line feed, is a whole record of the right width.
fn is_record(splitter: &mut Splitter, line: &[u8]) -> bool {
    splitter.reset();
    match splitter.split(line, 0, true) {
        Split::Record(extent) => extent.fault.is_none(),
        // A blank line is a record in a table of one column alone.
        Split::End => splitter.width() == 1,
        Split::NeedMore | Split::Broken { .. } => false,
    }
}
