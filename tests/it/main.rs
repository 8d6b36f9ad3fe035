//! The integration tests: whole operations, through the libraries and through the program.

mod bad_input;
mod cli;
mod commits;
mod loads;
mod remote_scan;
mod slt;
mod time_travel;
mod writes;
