//! What the test binaries share: a lake in a temporary folder, with a clock, ids and an access
//! sink that tests control.

pub mod csv_files;
pub mod lab;
