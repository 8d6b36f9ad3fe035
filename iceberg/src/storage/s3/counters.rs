//! Requests by kind, bytes, and about what they cost.
//!
//! Counted as they are sent, so that one that is sent again counts again, as it does on the bill.
//!
//! Source: <https://aws.amazon.com/s3/pricing/>

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Thousandths of a millionth of a dollar for a `PUT`, `COPY`, `POST` or `LIST`: $0.005 a thousand.
const WRITE_NANODOLLARS: u64 = 5_000;

/// The same for a `GET` or `HEAD`: $0.0004 a thousand.
const READ_NANODOLLARS: u64 = 400;

/// What a request is, as S3's bill tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Head,
    Put,
    Part,
    Upload,
    Copy,
    List,
    Delete,
}

impl Kind {
    /// The kind of a request from its method, its query and whether it copies.
    pub(super) fn of(method: &str, query: Option<&str>, copies: bool) -> Self {
        let query = query.unwrap_or_default();
        let has = |name: &str| {
            query.split('&').any(|pair| pair.split('=').next().is_some_and(|key| key == name))
        };
        match method {
            "HEAD" => Self::Head,
            "GET" if has("list-type") || has("uploads") => Self::List,
            "GET" => Self::Get,
            "PUT" if copies => Self::Copy,
            "PUT" if has("partNumber") => Self::Part,
            "PUT" => Self::Put,
            "POST" if has("delete") => Self::Delete,
            "POST" => Self::Upload,
            _ => Self::Delete,
        }
    }
}

/// Counts requests, from any thread.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: [AtomicU64; 8],
    failed: AtomicU64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
}

impl Counters {
    /// Counts a request that is sent.
    pub(super) fn sent(&self, kind: Kind, bytes: u64) {
        self.requests[kind as usize].fetch_add(1, Ordering::Relaxed);
        self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes that are read.
    pub(super) fn read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a request that got no answer, or was told to come back later.
    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn usage(&self) -> S3Usage {
        let of = |kind: Kind| self.requests[kind as usize].load(Ordering::Relaxed);
        S3Usage {
            get: of(Kind::Get),
            head: of(Kind::Head),
            put: of(Kind::Put),
            parts: of(Kind::Part),
            uploads: of(Kind::Upload),
            copy: of(Kind::Copy),
            list: of(Kind::List),
            delete: of(Kind::Delete),
            failed: self.failed.load(Ordering::Relaxed),
            bytes_read: self.bytes_read.load(Ordering::Relaxed),
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
        }
    }
}

/// What was asked of S3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct S3Usage {
    /// Reads of an object or a part of one.
    pub get: u64,
    /// Looks at an object.
    pub head: u64,
    /// Objects written with one request.
    pub put: u64,
    /// Parts of objects that were written.
    pub parts: u64,
    /// Uploads in parts that were begun or completed; each takes two.
    pub uploads: u64,
    /// Objects copied.
    pub copy: u64,
    /// Pages of listings.
    pub list: u64,
    /// Removals, of up to a thousand objects each, and uploads that were given up.
    pub delete: u64,
    /// Those among all of these that got no answer or were told to come back later.
    pub failed: u64,
    /// Bytes of objects that were read.
    pub bytes_read: u64,
    /// Bytes that were sent.
    pub bytes_written: u64,
}

impl S3Usage {
    /// What the requests cost at the list prices of S3 Standard in us-east-1, in thousandths of a
    /// millionth of a dollar. Storage, KMS and transfer out of the region are not in it; removals are
    /// free.
    pub fn cost_nanodollars(&self) -> u64 {
        let writes = self.put + self.parts + self.uploads + self.copy + self.list;
        let reads = self.get + self.head;
        writes * WRITE_NANODOLLARS + reads * READ_NANODOLLARS
    }
}

impl fmt::Display for S3Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.get, "GET"),
            (self.head, "HEAD"),
            (self.put, "PUT"),
            (self.parts, "parts"),
            (self.uploads, "POST"),
            (self.copy, "COPY"),
            (self.list, "LIST"),
            (self.delete, "DELETE"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        for (at, (count, name)) in counts.enumerate() {
            write!(f, "{}{count} {name}", if at == 0 { "" } else { ", " })?;
        }
        if self.failed > 0 {
            write!(f, " ({} without an answer that counts)", self.failed)?;
        }
        let microdollars = self.cost_nanodollars().div_ceil(1_000);
        write!(
            f,
            "; {} bytes read, {} written; about ${}.{:06} for requests",
            self.bytes_read,
            self.bytes_written,
            microdollars / 1_000_000,
            microdollars % 1_000_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_known_by_method_and_query() {
        for (method, query, copies, kind) in [
            ("GET", None, false, Kind::Get),
            ("GET", Some("list-type=2&prefix=delete"), false, Kind::List),
            ("HEAD", None, false, Kind::Head),
            ("PUT", None, false, Kind::Put),
            ("PUT", None, true, Kind::Copy),
            ("PUT", Some("partNumber=1&uploadId=x"), false, Kind::Part),
            ("POST", Some("uploads="), false, Kind::Upload),
            ("POST", Some("uploadId=delete"), false, Kind::Upload),
            ("POST", Some("delete"), false, Kind::Delete),
            ("DELETE", Some("uploadId=x"), false, Kind::Delete),
        ] {
            assert_eq!(Kind::of(method, query, copies), kind, "{method} {query:?}");
        }
    }

    #[test]
    fn what_a_job_cost_is_told_in_one_line() {
        let counters = Counters::default();
        for _ in 0..3 {
            counters.sent(Kind::Part, 10);
        }
        counters.sent(Kind::Get, 0);
        counters.sent(Kind::Delete, 0);
        counters.read(7);
        counters.failed();
        let usage = counters.usage();
        assert_eq!(usage.cost_nanodollars(), 15_400);
        assert_eq!(
            usage.to_string(),
            "1 GET, 3 parts, 1 DELETE (1 without an answer that counts); 7 bytes read, 30 written; \
             about $0.000016 for requests"
        );
    }
}
