//! Commits what was written of a wave, exactly once.
//!
//! Which units are in the table is asked of its rows, by the hashes of their files, each time: after a
//! lost reply, and after a process that ended between its commit and its record of it. A unit that is
//! there is left out, and the snapshot that brings the others expects that the table's number has not
//! moved since, so that nothing can come in between (W2, W3).

use std::collections::{BTreeMap, HashSet};

use northstar_iceberg::commit::CommitRequest;
use northstar_iceberg::write::{DataFile, Described};
use northstar_iceberg::{LakeTable, TableName};
use sha2::{Digest, Sha256};

use super::BackfillJob;
use super::descriptor::Descriptor;
use super::report::{UnitOutcome, UnitReport, WaveReport};
use super::wave::Wave;
use crate::bronze::lineage::SEQ_SUMMARY;
use crate::bronze::load::next_seq;
use crate::bronze::loaded::loaded;
use crate::{Error, ErrorKind, Result};

/// How often the table is asked again what it has, because a commit of this wave turned out to be there.
const MOST_ROUNDS: u32 = 3;

/// What is to be committed of a wave, as the tables stand.
#[derive(Default)]
pub(super) struct Plan<'a> {
    taken: Vec<&'a Descriptor>,
    /// Those of `taken` whose rejects are not in quarantine yet.
    rejects: Vec<&'a Descriptor>,
    /// What becomes of each descriptor, in their order.
    outcomes: Vec<UnitOutcome>,
}

/// How many of the files that a unit names are in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    NotNamed,
    Nowhere,
    InPart,
    All,
}

impl Found {
    fn of<'a>(named: impl Iterator<Item = &'a str>, there: &HashSet<String>) -> Self {
        let (mut count, mut found) = (0_usize, 0_usize);
        for hash in named {
            count += 1;
            found += usize::from(there.contains(hash));
        }
        match found {
            0 if count == 0 => Self::NotNamed,
            0 => Self::Nowhere,
            _ if found == count => Self::All,
            _ => Self::InPart,
        }
    }
}

impl BackfillJob<'_> {
    /// Commits the units of a wave: first their rejects, then their rows, each as one snapshot. Units
    /// that are there already are left out, whoever committed them; of units with the same content the
    /// first is taken. A unit of which only a part is there is left for another wave.
    ///
    /// # Errors
    /// `InvalidInput` for no descriptor or those of several waves; `InvalidData` for a file that is not
    /// below the table's folder; `Conflict` if a table has moved since the wave was planned, when the
    /// units stay pending and the files are orphans; `CommitUnknown` if a reply was lost for good: the
    /// same again is safe after both.
    pub async fn commit(&self, descriptors: &[Descriptor]) -> Result<WaveReport> {
        let wave = wave_of(descriptors)?;
        let load = &self.load;
        let name = TableName::new(&load.namespace, &wave.table)?;
        for _ in 0..MOST_ROUNDS {
            let table = load.lake.open_table(&name, &load.access).await?;
            wave.check_uuid(&table)?;
            let plan = self.commit_plan(&table, descriptors).await?;
            let files =
                files_of(&table, plan.taken.iter().map(|one| (&one.rows, one.landed_rows())))?;
            if !files.is_empty() {
                wave.check(&table)?;
            }
            self.commit_rejects(wave, &plan).await?;
            let request = CommitRequest {
                commit_id: wave.id.clone(),
                run: load.run.clone(),
                summary: summary(wave.seq, &plan.taken),
                expect: Some(expected(&table)),
            };
            let settled = load.lake.append(&table, &files, &request).await?.settled()?;
            match settled {
                Some((snapshot_id, true)) => {
                    return Ok(report(descriptors, plan, Some(snapshot_id)));
                }
                // An earlier try of this wave is there: with which of the units, the table says.
                Some((_, false)) if !files.is_empty() => {}
                _ => return Ok(report(descriptors, plan, None)),
            }
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "an earlier try of this wave is in the table without some of its units; run the backfill \
             again, which plans them anew",
        )
        .with_context("table", &name))
    }

    /// What of the wave is not there yet.
    pub(super) async fn commit_plan<'a>(
        &self,
        table: &LakeTable,
        descriptors: &'a [Descriptor],
    ) -> Result<Plan<'a>> {
        let (lake, access) = (self.load.lake, &self.load.access);
        let rows_of = hashes(descriptors.iter().flat_map(Descriptor::rows_of));
        let mut landed = loaded(lake, table.name(), None, &rows_of, access).await?;
        let rejects_of = hashes(descriptors.iter().flat_map(Descriptor::rejects_of));
        let quarantine = self.load.quarantine_table().await?;
        let source_table = Some(table.name().table());
        let mut rejected =
            loaded(lake, quarantine.name(), source_table, &rejects_of, access).await?;
        let mut plan = Plan::default();
        for one in descriptors {
            let rows = Found::of(one.rows_of(), &landed);
            let rejects = Found::of(one.rejects_of(), &rejected);
            let outcome = match (rows, rejects) {
                (Found::NotNamed, Found::NotNamed) => UnitOutcome::Nothing,
                (Found::InPart, _) | (_, Found::InPart) => UnitOutcome::InPart,
                (Found::All, _) | (Found::NotNamed, Found::All) => UnitOutcome::AlreadyThere,
                (Found::Nowhere | Found::NotNamed, _) => UnitOutcome::Committed,
            };
            plan.outcomes.push(outcome);
            if outcome == UnitOutcome::Committed {
                plan.taken.push(one);
                landed.extend(one.rows_of().map(str::to_string));
                if rejects == Found::Nowhere {
                    plan.rejects.push(one);
                    rejected.extend(one.rejects_of().map(str::to_string));
                }
            }
        }
        Ok(plan)
    }

    /// Quarantine goes first: once rows are visible their files count as loaded, and nobody would read
    /// the rejects again.
    pub(super) async fn commit_rejects(&self, wave: &Wave, plan: &Plan<'_>) -> Result<()> {
        let quarantine = self.load.quarantine_table().await?;
        let files = files_of(
            &quarantine,
            plan.rejects.iter().map(|one| (&one.rejects, one.rejected_rows())),
        )?;
        if files.is_empty() {
            return Ok(());
        }
        if next_seq(&quarantine) != wave.quarantine_seq {
            return Err(Error::new(
                ErrorKind::Conflict,
                "another writer quarantined records after this wave was planned, so its number there is \
                 taken; nothing of it was committed: run the backfill again, which plans its units anew",
            )
            .with_context("table", quarantine.name())
            .with_context("planned", wave.quarantine_seq)
            .with_context("next", next_seq(&quarantine)));
        }
        let request = CommitRequest {
            commit_id: rejects_id(wave, &plan.rejects),
            run: self.load.run.clone(),
            summary: summary(wave.quarantine_seq, &plan.rejects),
            expect: Some(expected(&quarantine)),
        };
        self.load.lake.append(&quarantine, &files, &request).await?.settled().map(|_| ())
    }
}

/// The wave that all descriptors are of.
fn wave_of(descriptors: &[Descriptor]) -> Result<&Wave> {
    let Some(first) = descriptors.first() else {
        return Err(Error::new(ErrorKind::InvalidInput, "there is no descriptor to commit"));
    };
    for one in descriptors {
        if one.wave != first.wave {
            let text = "the descriptors are of several waves; commit each wave by itself";
            return Err(Error::new(ErrorKind::InvalidInput, text)
                .with_context("unit", &first.unit)
                .with_context("unit", &one.unit));
        }
        if one.unit.table() != first.wave.table {
            let text = "the descriptor's unit is not of the table of its wave";
            return Err(Error::new(ErrorKind::InvalidInput, text).with_context("unit", &one.unit));
        }
    }
    Ok(&first.wave)
}

/// The files that descriptors tell of, each named once, with as many rows as were counted (W1).
fn files_of<'a>(
    table: &LakeTable,
    described: impl Iterator<Item = (&'a Described, u64)>,
) -> Result<Vec<DataFile>> {
    let mut files = Vec::new();
    for (one, counted) in described {
        let described = if one.is_empty() { Vec::new() } else { one.files(table)? };
        if described.iter().map(DataFile::record_count).sum::<u64>() != counted {
            let text = "a descriptor tells of files with other rows than it counts; write it again";
            return Err(
                Error::new(ErrorKind::InvalidData, text).with_context("table", table.name())
            );
        }
        files.extend(described);
    }
    let mut seen = HashSet::new();
    if let Some(twice) = files.iter().find(|file| !seen.insert(file.file_path())) {
        return Err(Error::new(ErrorKind::InvalidData, "two descriptors name one file")
            .with_context("file", twice.file_path()));
    }
    Ok(files)
}

fn expected(table: &LakeTable) -> (String, Option<String>) {
    (SEQ_SUMMARY.to_string(), table.inherited_summary(SEQ_SUMMARY).map(str::to_string))
}

fn summary(seq: i64, units: &[&Descriptor]) -> BTreeMap<String, String> {
    let files: usize = units.iter().map(|one| one.files.len()).sum();
    [
        (SEQ_SUMMARY.to_string(), seq.to_string()),
        ("northstar.source-files".to_string(), files.to_string()),
    ]
    .into()
}

/// The same rejects of the same wave are the same commit; others of it are not.
fn rejects_id(wave: &Wave, rejects: &[&Descriptor]) -> String {
    let of = hashes(rejects.iter().flat_map(|one| one.rejects_of()));
    let digest = Sha256::digest(of.join("\n").as_bytes());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-q-{short}", wave.id)
}

fn hashes<'a>(of: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut all: Vec<String> = of.map(str::to_string).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn report(descriptors: &[Descriptor], plan: Plan<'_>, snapshot_id: Option<i64>) -> WaveReport {
    let units = descriptors.iter().zip(plan.outcomes).map(|(one, outcome)| UnitReport {
        unit: one.unit.clone(),
        outcome,
        files: one.files.clone(),
    });
    WaveReport { units: units.collect(), snapshot_id }
}
