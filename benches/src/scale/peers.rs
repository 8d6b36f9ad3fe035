//! The peers of the cases of scale: scripts that measure themselves once they have started, so that
//! imports do not count.

use std::ffi::OsString;

use serde::Deserialize;

use crate::{arguments::ScaleArguments, child::Python, error::Result};

/// What a query cost a peer, and what it gave.
#[derive(Debug, Deserialize)]
pub(super) struct Scanned {
    /// CPU seconds of one query, the mean.
    pub(super) cpu_s: f64,
    /// Number of rows, sum of `id`, sum of `n`.
    pub(super) answer: [i64; 3],
}

/// What commits cost a peer.
#[derive(Debug, Deserialize)]
pub(super) struct Committed {
    /// Median seconds of commits 2 to 21.
    pub(super) first_s: f64,
    /// Median seconds of the last 20.
    pub(super) last_s: f64,
    /// Median CPU seconds of commits 2 to 21.
    pub(super) first_cpu_s: f64,
    /// Median CPU seconds of the last 20.
    pub(super) last_cpu_s: f64,
}

/// Runs a script and reads the one JSON object that it prints.
///
/// # Errors
/// The script's last words.
pub(super) fn ask<T: for<'a> Deserialize<'a>>(
    arguments: &ScaleArguments,
    script: &str,
    rest: &[&str],
) -> Result<T> {
    let python = Python { interpreter: &arguments.python, scripts: &arguments.scripts };
    let mut words = python.script(script);
    words.extend(rest.iter().map(OsString::from));
    Ok(serde_json::from_slice(&python.output(&words)?)?)
}
