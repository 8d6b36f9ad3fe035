//! Records that nobody can change: who opened which table, and who asked the server for what, as objects
//! under S3 Object Lock in compliance mode.
//!
//! Source: 45 CFR 164.312(b), audit controls, and 164.316(b)(2)(i), six years;
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>.

mod access;
mod locked;
mod segments;

pub(crate) use access::RecordedTwice;
pub(crate) use locked::LockedBucket;
pub(crate) use segments::Segments;
