//! Draws change sets to an extract, and what each partition must hold after them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{
    draw::{Draw, Row},
    expected::Expected,
    extract::{Extract, write_whole},
    plan::Plan,
    pools::{Pools, below},
    shape::Shape,
    terms::{TESTS, WORDS},
    text::{Calendar, header, put_row},
};
use crate::error::{BenchError, Result};

/// Raised when other changes are drawn for the same parameters.
const FORMAT: u32 = 1;

/// A later version arrives a day after the result that it corrects.
const LATER_MS: u64 = 86_400_000;

/// The letters of updates, inserts and deletes.
const KINDS: [u8; 3] = *b"UID";

/// What to change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangePlan {
    /// How changes lie in the table.
    pub(crate) shape: Shape,
    /// Changes of a round, if not the shape's own number.
    pub(crate) changes: Option<u64>,
    /// Rounds, of which no two change the same row.
    pub(crate) rounds: usize,
}

/// The changes of a round on disk.
#[derive(Clone, Debug)]
pub(crate) struct ChangeSet {
    /// The folder to load from: `changes/part-0001.csv`.
    pub(crate) folder: PathBuf,
    /// The file of changes: `op`, then the columns of the table.
    pub(crate) csv: PathBuf,
    /// Where the same changes as Parquet belong.
    pub(crate) parquet: PathBuf,
    /// The sums that the table must have after the round and all before it.
    pub(crate) expected: PathBuf,
}

/// Writes the changes of `change` to the extract of `plan`, a set for each round, or finds those that
/// were written before.
///
/// # Errors
/// An extract whose sums cannot be read, or a folder that cannot be written.
pub(crate) fn write_changes(
    plan: &Plan,
    change: &ChangePlan,
    extract: &Extract,
) -> Result<Vec<ChangeSet>> {
    let home = extract.folder.with_file_name(folder_name(change));
    let sets: Vec<ChangeSet> = (1..=change.rounds).map(|round| set(&home, round)).collect();
    let last = sets.last().ok_or_else(|| BenchError::new("there must be a round"))?;
    // Sums are written last, so their presence says that all is there.
    if last.expected.try_exists().map_err(|error| BenchError::at(&last.expected, &error))? {
        return Ok(sets);
    }
    let calendar = Calendar::new(plan.months)?;
    let before = Expected::read(&extract.expected, plan.facilities, &calendar)?;
    let mut expected = before.with_documents(plan.document_bytes > 0);
    let mut drawn = draw(plan, change, &calendar, &expected);
    for (round, set) in drawn.iter_mut().zip(&sets) {
        for (kind, before, after) in round.iter() {
            if *kind != b'I' {
                expected.take(before, &calendar);
            }
            if *kind != b'D' {
                expected.add(after, &calendar);
            }
        }
        let folder = set.folder.join("changes");
        fs::create_dir_all(&folder).map_err(|error| BenchError::at(&folder, &error))?;
        let mut text = format!("op,{}", header(plan.document_bytes)).into_bytes();
        for (kind, _, after) in round.drain(..) {
            text.extend([kind, b',']);
            put_row(&after, &calendar, plan.document_bytes, &mut text);
        }
        let csv_bytes = u64::try_from(text.len()).unwrap_or(0);
        write_whole(&set.csv, &text)?;
        let sums = serde_json::to_vec_pretty(&expected.to_json(&calendar, csv_bytes))?;
        write_whole(&set.expected, &sums)?;
    }
    Ok(sets)
}

fn folder_name(change: &ChangePlan) -> String {
    let count = change.changes.map_or_else(String::new, |changes| format!("-n{changes}"));
    format!("changes-v{FORMAT}-{}{count}-x{}", change.shape.name(), change.rounds)
}

fn set(home: &Path, round: usize) -> ChangeSet {
    let folder = home.join(format!("round-{round:02}"));
    ChangeSet {
        csv: folder.join("changes").join("part-0001.csv"),
        parquet: folder.join("changes.parquet"),
        expected: folder.join("expected.json"),
        folder,
    }
}

/// A change: its kind, the row as it was (for an insert, that after which it is made), and as it is now.
type Change = (u8, Row, Row);

/// The changes of each round, in no order of the table.
fn draw(
    plan: &Plan,
    change: &ChangePlan,
    calendar: &Calendar,
    before: &Expected,
) -> Vec<Vec<Change>> {
    let mut random = ChaCha8Rng::seed_from_u64(plan.seed ^ 0x00c4_a76e);
    let rounds = u64::try_from(change.rounds).unwrap_or(1);
    let mut pools = Pools::new(change.shape, before, change.changes, &mut random);
    let a_round = pools.wanted();
    pools.repeat(rounds);
    let mut left: Vec<[u64; 3]> = vec![change.shape.split(a_round); change.rounds];
    let mut all_left = pools.wanted();
    let mut sets: Vec<Vec<Change>> = vec![Vec::new(); change.rounds];
    // No row of the extract has such an id.
    let mut next_id = 1_000_000_001 + 4 * plan.rows;
    for row in Draw::new(plan, calendar.period_s()) {
        if !pools.picks(before.partition(&row, calendar), &mut random) {
            continue;
        }
        // Round and kind, each as likely as there are changes of it left.
        let mut place = below(&mut random, all_left);
        all_left -= 1;
        'chosen: for (round, kinds) in left.iter_mut().enumerate() {
            for (kind, count) in kinds.iter_mut().enumerate() {
                if place < *count {
                    *count -= 1;
                    let after = changed(&row, KINDS[kind], &mut next_id, &mut random);
                    sets[round].push((KINDS[kind], row.clone(), after));
                    break 'chosen;
                }
                place -= *count;
            }
        }
    }
    for set in &mut sets {
        for at in (1..set.len()).rev() {
            let other = below(&mut random, u64::try_from(at + 1).unwrap_or(1));
            set.swap(at, usize::try_from(other).unwrap_or(at));
        }
    }
    sets
}

/// The row as the change leaves it; a deleted one as it was.
fn changed(before: &Row, kind: u8, next_id: &mut u64, random: &mut ChaCha8Rng) -> Row {
    let mut after = before.clone();
    if kind == b'D' {
        return after;
    }
    let value = match TESTS[after.test].range {
        Some((low, high)) => {
            u64::from(low * 5) + below(random, u64::from(high * 15) - u64::from(low * 5))
        }
        None => below(random, u64::try_from(WORDS.len()).unwrap_or(1)),
    };
    after.value = u32::try_from(value).unwrap_or(0);
    if kind == b'U' {
        after.version += 1;
        after.state = 1;
        after.resulted_ms += LATER_MS;
    } else {
        after.result_id = *next_id;
        *next_id += 1;
        after.version = 1;
        after.state = 0;
    }
    after
}

#[cfg(test)]
#[path = "tests_changes.rs"]
mod tests;
