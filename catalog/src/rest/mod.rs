//! A catalog behind the Iceberg REST protocol: `rests://HOST/PATH`, for reading.
//!
//! | file | holds |
//! | --- | --- |
//! | `place.rs` | [`RestPlace`]: which catalog, and the form of its URL |
//! | `secret.rs` | [`SecretPlace`]: where a token is kept |
//! | `catalog.rs` | [`RestCatalog`]: each call of [`crate::Catalog`] as calls of the protocol |
//! | `calls.rs` | calls with a token, tried again where that is safe; lists read to their end |
//! | `failure.rs` | what a failed call means, and whether it may have taken effect |
//!
//! Tables are listed, found, registered, renamed and dropped. A commit is refused: the protocol has no
//! swap of a pointer. A client sends requirements and changes, and the server writes a metadata file of
//! its own and answers with its place, whereas [`crate::Catalog::swap`] publishes a file that is
//! written already, and reads that file's place again to learn what became of a lost reply.

mod calls;
mod catalog;
mod failure;
mod place;
mod secret;

#[cfg(test)]
mod tests;

pub use catalog::RestCatalog;
pub use place::{Login, RestPlace};
pub use secret::SecretPlace;
