//! `northstar serve`: one HTTP server that speaks what users of AWS speak already.
//!
//! | file | holds |
//! | --- | --- |
//! | `fault.rs` | errors as the services' models name them |

pub(crate) mod fault;
