//! The part of a file that is in memory: read in blocks, grown only for a record that needs it.

use std::fmt;
use std::io::{self, Read};

use northstar_catalog::{Error, Result};

use super::RejectReason;

/// How far ahead bytes are checked to be UTF-8 without NUL. Small, so that a file full of bad bytes
/// is not checked many times over.
const CHECK_BYTES: usize = 32 << 10;

/// A window on a byte source. `data()[start()..]` is what is not consumed yet.
pub(super) struct Window {
    source: Box<dyn Read + Send>,
    file: String,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    block_bytes: usize,
    /// Bytes consumed that are no longer in memory.
    dropped_bytes: u64,
    /// Up to here all bytes are known to be UTF-8 without NUL.
    clean_to: usize,
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Window {
    /// A window at the start of `source`, with nothing read. `file` names it in errors.
    pub(super) fn new(source: Box<dyn Read + Send>, file: String, block_bytes: usize) -> Self {
        Self {
            source,
            file,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            at_end: false,
            block_bytes,
            dropped_bytes: 0,
            clean_to: 0,
        }
    }

    /// The file's name in errors.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// All bytes in memory, consumed ones included: positions in it hold until [`Window::more`].
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// Where the bytes begin that are not consumed.
    #[inline]
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Whether the last byte of the source is in memory.
    #[inline]
    pub(super) fn at_end(&self) -> bool {
        self.at_end
    }

    /// Consumes all bytes before `to`.
    #[inline]
    pub(super) fn consume(&mut self, to: usize) {
        self.start = to.min(self.end);
    }

    /// How many bytes of the source were consumed.
    pub(super) fn consumed_bytes(&self) -> u64 {
        self.dropped_bytes + self.start as u64
    }

    /// Reads more, if fewer than `max_bytes` are waiting and the source has not ended; positions
    /// then change, with `start()` becoming 0. False if nothing was tried.
    pub(super) fn more(&mut self, max_bytes: usize) -> Result<bool> {
        let waiting = self.end - self.start;
        if self.at_end || waiting >= max_bytes {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.dropped_bytes += self.start as u64;
        self.clean_to = self.clean_to.saturating_sub(self.start);
        (self.start, self.end) = (0, waiting);
        // After a long record the buffer goes back to a size that stays in the processor's cache.
        if self.buffer.len() > 2 * self.block_bytes && waiting * 2 <= self.block_bytes {
            self.buffer.truncate(self.block_bytes);
            self.buffer.shrink_to_fit();
        }
        if waiting == self.buffer.len() {
            let grown = (waiting * 2).max(self.block_bytes).min(max_bytes);
            self.buffer.reserve_exact(grown - waiting);
            self.buffer.resize(grown, 0);
        }
        while self.end < self.buffer.len() {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(read) => self.end = (self.end + read).min(self.buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io(error, "read", &self.file)),
            }
        }
        Ok(true)
    }

    /// What is wrong with the bytes of a record that ends at `end`, where records end: NUL or not
    /// UTF-8. Records are asked for in order.
    #[inline]
    pub(super) fn fault(&mut self, start: usize, end: usize) -> Option<RejectReason> {
        if end <= self.clean_to { None } else { self.check(start, end) }
    }

    fn check(&mut self, start: usize, end: usize) -> Option<RejectReason> {
        let data = &self.buffer[..self.end];
        let record = &data[start..end];
        let fault = if memchr::memchr(0, record).is_some() {
            Some(RejectReason::NulByte)
        } else if str::from_utf8(record).is_err() {
            Some(RejectReason::NotUtf8)
        } else {
            None
        };
        let ahead = &data[end..data.len().min(end + CHECK_BYTES)];
        let valid = match str::from_utf8(ahead) {
            Ok(_) => ahead.len(),
            Err(error) => error.valid_up_to(),
        };
        self.clean_to = end + memchr::memchr(0, &ahead[..valid]).unwrap_or(valid);
        fault
    }
}
