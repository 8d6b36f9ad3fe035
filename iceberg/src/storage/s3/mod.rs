//! Amazon S3, and servers that speak its protocol.
//!
//! One client serves all of a process: data files, metadata and scans share its settings, its
//! credentials, its retries and its counters.
//!
//! | module | holds |
//! | --- | --- |
//! | `settings` | endpoint, region, encryption, credentials, patience |
//! | `credentials` | the SDK's credential chain, asked again before credentials expire |
//! | `bucket` | one bucket: reads, conditional writes, removal, with credentials renewed |
//! | `upload` | one new object, in parts if it is large |
//! | `http` | each request as it is sent: counted, its refusal understood |
//! | `counters` | requests by kind, bytes, and what they cost |
//! | `error` | what a failure is to its caller |

mod bucket;
mod counters;
mod credentials;
mod error;
mod http;
mod settings;
mod upload;

pub(crate) use bucket::{Bucket, whole_seconds_ms};
pub(crate) use counters::Counters;
pub use counters::S3Usage;
pub(crate) use error::{failed, kind_of, kind_of_text, unchanged};
pub use settings::{Encryption, S3Settings};
pub use upload::Upload;

use super::stores;
use crate::Result;

/// Sets how this process uses buckets. Called once, before the first table in a bucket is opened.
///
/// # Errors
/// `InvalidInput` for settings that make no sense or are not safe; see [`S3Settings`].
pub fn configure(settings: S3Settings) -> Result<()> {
    settings.check()?;
    stores::configure(settings);
    Ok(())
}

/// What this process has asked of S3 so far; `None` if nothing.
pub fn usage() -> Option<S3Usage> {
    let usage = stores::counters().usage();
    (usage != S3Usage::default()).then_some(usage)
}
