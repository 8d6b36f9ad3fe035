//! An object from front to back, asked for in blocks ahead of its reader.

use std::collections::VecDeque;
use std::ops::Range;

use prost::bytes::{Buf, Bytes};

use super::super::place::Object;
use super::super::stores::Answer;
use super::super::{s3, stores};
use super::FileState;
use crate::{Error, ErrorKind, Result};

/// The first block: enough for a header, which is all that some readers want.
const FIRST_BYTES: u64 = 256 << 10;

/// All others. Each is a request, so that each has the time of a request, however long the object is.
const BLOCK_BYTES: u64 = 4 << 20;

/// So many blocks are under way at once: one alone leaves the reader waiting for S3.
const AHEAD: usize = 3;

/// An object that is read from front to back.
#[derive(Debug)]
pub struct Blocks {
    object: Object,
    /// What was opened; another is not read.
    tag: Option<String>,
    size_bytes: u64,
    /// What is not asked for yet begins here.
    asked_to: u64,
    under_way: VecDeque<(u64, Answer<Result<Bytes>>)>,
    block: Bytes,
}

impl Blocks {
    pub(super) fn new(object: Object, state: &FileState) -> Self {
        Self {
            object,
            tag: state.tag().map(str::to_string),
            size_bytes: state.bytes(),
            asked_to: 0,
            under_way: VecDeque::new(),
            block: Bytes::new(),
        }
    }

    pub(super) fn read(&mut self, to: &mut [u8]) -> Result<usize> {
        if self.block.is_empty() {
            self.next_block()?;
        }
        let count = self.block.len().min(to.len());
        self.block.copy_to_slice(&mut to[..count]);
        Ok(count)
    }

    /// The next block; it stays empty at the end.
    fn next_block(&mut self) -> Result<()> {
        // The first is waited for alone.
        let most = if self.asked_to == 0 { 1 } else { AHEAD };
        while self.under_way.len() < most && self.asked_to < self.size_bytes {
            let length = if self.asked_to == 0 { FIRST_BYTES } else { BLOCK_BYTES };
            let end = (self.asked_to + length).min(self.size_bytes);
            self.under_way.push_back((end - self.asked_to, self.ask(self.asked_to..end)?));
            self.asked_to = end;
        }
        let Some((length, answer)) = self.under_way.pop_front() else { return Ok(()) };
        self.block = answer.wait()??;
        if u64::try_from(self.block.len()) != Ok(length) {
            let message = "S3 gave another length than was asked for; run this again";
            return Err(Error::new(ErrorKind::Unavailable, message)
                .with_context("path", self.object.location()));
        }
        Ok(())
    }

    fn ask(&self, range: Range<u64>) -> Result<Answer<Result<Bytes>>> {
        let (object, tag) = (self.object.clone(), self.tag.clone());
        stores::begin(async move {
            let bucket = stores::bucket(&object.bucket)?;
            let read = bucket.read_range(&object.key, range, tag).await;
            read.map_err(|error| s3::unchanged(error, &object))
        })
    }
}
