//! Seven years of daily commits: how large the metadata file gets.

use northstar_tests::lab::Lab;
use northstar_tests::scale::daily::{Day, live};

use super::runtime;
use crate::{
    arguments::RetentionArguments,
    error::{BenchError, Result},
    numbers::{kib, word},
    printer::progress,
};

/// The most bytes of a metadata file.
const MOST_BYTES: u64 = 1 << 20;

/// Runs the case; false when the metadata file got larger than the target.
///
/// # Errors
/// A folder that cannot be made.
pub(crate) fn run(arguments: &RetentionArguments) -> Result<bool> {
    let home = arguments.scale.home()?;
    progress(&format!("{} days", arguments.days));
    let lived = runtime()?.block_on(async {
        let lab = Lab::below(&home).await;
        live(&lab, i64::from(arguments.days)).await
    });
    let largest = lived.iter().map(|day| day.metadata_bytes).max();
    let largest = largest.ok_or_else(|| BenchError::new("there are no days"))?;
    let mut lines = vec![
        "| day | metadata KiB | snapshots | manifests | files on disk |".to_string(),
        "| --- | --- | --- | --- | --- |".to_string(),
    ];
    let years = lived.iter().enumerate().skip(364).step_by(365);
    let last = lived.len() - 1;
    let shown = years.filter(|(at, _)| *at != last).chain(lived.iter().enumerate().skip(last));
    lines.extend(shown.map(line));
    lines.push(String::new());
    lines.push(format!(
        "The largest metadata file had {} KiB (at most 1,024: {}).",
        kib(largest),
        word(largest < MOST_BYTES)
    ));
    arguments.scale.show("retention", &lines)?;
    Ok(largest < MOST_BYTES)
}

fn line((at, day): (usize, &Day)) -> String {
    format!(
        "| {} | {} | {} | {} | {} |",
        at + 1,
        kib(day.metadata_bytes),
        day.snapshots,
        day.manifests,
        day.files
    )
}
