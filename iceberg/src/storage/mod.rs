//! What is under a warehouse, a folder or a bucket: locations, durable writes, reads, removal.
//!
//! Local files are read and written as they are. What starts with `s3://` goes through the client of
//! its bucket, which the program sets up once ([`s3::configure`]). Callers that are not async, such
//! as encoders on their own threads, wait for a runtime that is there for requests alone.
//!
//! | module | holds |
//! | --- | --- |
//! | `place` | what a location is: a path, or an object in a bucket |
//! | `files` | looking at files, bringing them to disk, removing them |
//! | `output`, `input` | a file that is written, and one that is read, outside async code |
//! | `listing` | all files below a place |
//! | [`landing`] | files that others wrote: what loads and merges read |
//! | `file_io` | metadata and manifests, as Apache's `iceberg` reads and writes them |
//! | `stores` | the buckets of this process, and the runtime for their requests |
//! | `registry` | the buckets as DataFusion finds them |
//! | [`s3`] | the client: settings, credentials, uploads, counters, errors |

mod file_io;
mod files;
mod input;
pub mod landing;
mod listing;
mod output;
mod place;
mod registry;
pub mod s3;
mod stores;

#[cfg(test)]
mod tests;

pub use file_io::file_io;
pub(crate) use file_io::{of_bucket, stored};
pub use files::{About, about, discard, make_durable, make_folder, renew};
pub(crate) use files::{about_all, remove, remove_objects};
pub(crate) use input::{Input, open};
pub(crate) use listing::{Identity, Listed, identity, list};
pub(crate) use output::Output;
pub use output::{create, flush};
pub(crate) use place::{Object, Place};
pub use place::{local_path, location};
pub use registry::StoreRegistry;
