//! What work on EMR Serverless takes: units, workers, hours and dollars, by arithmetic from a calibration.
//!
//! Nothing here looks at the clock, the network or a file. A plan says what it takes for granted; each of
//! that is an argument.
//!
//! | module | holds |
//! | --- | --- |
//! | `calibration` | how fast a machine was, as `northstar calibrate` wrote it |
//! | `worker` | a worker: its size, its speed, its price |
//! | `backfill` | the whole of a source, in units beside each other |
//! | `daily` | the changes of a day, a table at a time |

pub(crate) mod backfill;
pub(crate) mod calibration;
pub(crate) mod daily;
pub(crate) mod worker;

#[cfg(test)]
mod tests;

/// A count as a number to reckon with.
#[expect(
    clippy::cast_precision_loss,
    reason = "rows and bytes stay within 2^60, and plans are rough"
)]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// Whole units that hold so much, at least one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn whole(amount: f64) -> u64 {
    // What is whole but for rounding is whole.
    (amount - 1e-9).ceil().clamp(1.0, 1e15) as u64
}

/// Whole units that fit into so much.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn fitting(amount: f64) -> u64 {
    (amount + 1e-9).floor().clamp(0.0, 1e15) as u64
}
