//! The contract of a catalog over services that stand for AWS: one binary that does not link DataFusion.
//!
//! | file | holds |
//! | --- | --- |
//! | `server.rs` | servers, started by the tests on free ports of 127.0.0.1 |
//! | `glue.rs` | `glue://` over each of them, and where they depart from AWS |

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests end loudly where they cannot go on"
)]

mod glue;
mod server;
