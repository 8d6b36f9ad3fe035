//! Who calls: AWS Signature Version 4, bearer tokens, or nobody on loopback.
//!
//! | file | holds |
//! | --- | --- |
//! | `keys.rs` | the keys that callers sign with, from a file that refers to their secrets |
//! | `policy.rs` | what a request must show, by how the server was started |
//! | `signature.rs` | what a signed request says of itself |
//! | `verify.rs` | whether it says the truth: the signature is made again and compared |
//! | `bearer.rs` | tokens for clients that do not sign, given for a key and its secret |
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

mod bearer;
mod keys;
mod policy;
mod signature;
mod verify;

pub(crate) use keys::Keys;
pub(crate) use policy::{Asked, Caller, Policy};
