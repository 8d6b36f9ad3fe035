//! A backfill in one process: unit by unit, wave by wave.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::descriptor::{Descriptor, SourceReport};
use super::report::{BackfillReport, UnitOutcome, UnitReport, WaveReport};
use super::unit::{Unit, UnitName};
use super::wave::{Planned, Wave};
use crate::bronze::LoadJob;
use crate::{ErrorKind, Result};

/// How often a wave is planned anew because another writer changed a table meanwhile.
const MOST_PLANS: u32 = 5;

/// A backfill of one folder into one namespace.
#[derive(Debug)]
pub struct BackfillJob<'a> {
    /// Where tables are, what is said of them, and how files are read and written.
    pub load: LoadJob<'a>,
    /// The folder of the units.
    pub from: PathBuf,
    /// So many units are committed together; at least one.
    pub commit_units: usize,
    /// A wave takes no further unit after so many milliseconds.
    pub wave_ms: i64,
}

impl BackfillJob<'_> {
    /// Loads units: each table's in waves, in the order given. What is there already is left out, so
    /// the same again makes no snapshot (W2), and after a crash the same again does what is left (W4).
    ///
    /// # Errors
    /// Those that concern more than a unit; what was committed before stays. `Conflict` if other
    /// writers of a table keep coming first.
    pub async fn run(&self, units: &[Unit]) -> Result<BackfillReport> {
        let mut report = BackfillReport::default();
        let mut rest: VecDeque<&Unit> = units.iter().collect();
        while let Some(first) = rest.front() {
            let table = first.name.table().to_string();
            let (of_table, others) = rest.into_iter().partition(|unit| unit.name.table() == table);
            rest = others;
            self.run_table(&table, of_table, &mut report).await?;
        }
        Ok(report)
    }

    async fn run_table(
        &self,
        table: &str,
        mut queue: VecDeque<&Unit>,
        report: &mut BackfillReport,
    ) -> Result<()> {
        let mut conflicts = 0;
        while !queue.is_empty() {
            let names: Vec<UnitName> =
                queue.iter().take(self.commit_units.max(1)).map(|unit| unit.name.clone()).collect();
            let wave = match self.plan(&names).await? {
                Planned::Wave(wave) => wave,
                Planned::NoTable(files) => {
                    report.waves.push(without_table(&queue, &files));
                    return Ok(());
                }
            };
            let done = match self.run_wave(&wave, &queue, names.len()).await {
                Ok(done) => done,
                Err(error) if error.kind() == ErrorKind::Conflict && conflicts + 1 < MOST_PLANS => {
                    tracing::warn!(%error, "a wave is planned anew");
                    conflicts += 1;
                    continue;
                }
                Err(error) => return Err(error.with_context("table", table)),
            };
            conflicts = 0;
            let moved = done.snapshot_id.is_some();
            for unit in &done.units {
                let Some(taken) = queue.pop_front() else { break };
                // What came with another unit is loaded by now, so that the next wave takes the rest.
                if unit.outcome == UnitOutcome::InPart && moved {
                    queue.push_back(taken);
                }
            }
            tracing::info!(
                units = done.units.len(),
                left = queue.len(),
                table,
                "committed the wave"
            );
            report.waves.push(done);
        }
        Ok(())
    }

    async fn run_wave(
        &self,
        wave: &Wave,
        queue: &VecDeque<&Unit>,
        most: usize,
    ) -> Result<WaveReport> {
        let begun_ms = self.load.lake.clock.now_ms();
        let mut written: Vec<Descriptor> = Vec::with_capacity(most);
        for unit in queue.iter().take(most) {
            written.push(self.write(wave, unit).await?);
            if self.load.lake.clock.now_ms() - begun_ms >= self.wave_ms {
                break;
            }
        }
        self.commit(&written).await
    }
}

/// What is said of units whose table cannot be made: each with what is wrong with its files.
fn without_table(units: &VecDeque<&Unit>, files: &[SourceReport]) -> WaveReport {
    let units = units.iter().map(|unit| {
        let is_of = |file: &&SourceReport| unit.files.iter().any(|own| own.name == file.name);
        UnitReport {
            unit: unit.name.clone(),
            outcome: UnitOutcome::Nothing,
            files: files.iter().filter(is_of).cloned().collect(),
        }
    });
    WaveReport { units: units.collect(), snapshot_id: None }
}
