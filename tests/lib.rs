//! What the test binaries share: a lake in a temporary folder, with a clock, ids and an access
//! sink that tests control.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what tests share fails the test that uses it"
)]

pub mod changes;
pub mod csv_files;
pub mod lab;
pub mod layouts;
pub mod scale;
pub mod stand_in;
