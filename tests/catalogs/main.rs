//! The contract of a catalog over services that stand for AWS: one binary that does not link DataFusion.
//!
//! | file | holds |
//! | --- | --- |
//! | `../stand_in.rs` | servers, started by the tests on free ports of 127.0.0.1 |
//! | `glue.rs` | `glue://` over each of them, and where they depart from AWS |
//! | `rest.rs` | `rest://` over the catalog that Iceberg's own tests run against |

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests end loudly where they cannot go on"
)]

mod glue;
mod rest;
// Not from `northstar_tests`, which links DataFusion.
#[path = "../stand_in.rs"]
pub mod stand_in;
