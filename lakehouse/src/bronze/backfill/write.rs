//! Writes the files of a unit, without committing anything.

use northstar_iceberg::write::{DataFile, Described};
use northstar_iceberg::{LakeTable, TableName};

use super::BackfillJob;
use super::descriptor::{Descriptor, SourceReport};
use super::unit::Unit;
use super::wave::Wave;
use crate::bronze::define;
use crate::bronze::lineage::Lineage;
use crate::bronze::load::{Pending, file_is_at_fault, file_report};
use crate::bronze::read::ReadBatch;
use crate::bronze::report::FileReport;
use crate::{Error, ErrorKind, Result};

impl BackfillJob<'_> {
    /// Writes the rows and the rejects of a unit as data files that nobody refers to yet. A file that
    /// cannot be loaded is refused and does not hold up the others of its unit.
    ///
    /// Written again, such as by a task that was thought lost, a unit has other files; those that no
    /// commit takes are orphans.
    ///
    /// # Errors
    /// `Conflict` if the table has moved since the wave was planned; those that concern more than the
    /// unit: a full disk, a damaged table.
    pub async fn write(&self, wave: &Wave, unit: &Unit) -> Result<Descriptor> {
        let load = &self.load;
        let name = TableName::new(&load.namespace, &wave.table)?;
        if unit.name.table() != wave.table {
            let text = "the unit is not of the table of its wave";
            return Err(Error::new(ErrorKind::InvalidInput, text).with_context("unit", &unit.name));
        }
        let table = load.lake.open_table(&name, &load.access).await?;
        wave.check(&table)?;
        let quarantine = load.quarantine_table().await?;
        let mut pending = Pending::new(load, name);
        pending.hash(unit.files.clone()).await?;
        pending.skip_loaded().await?;
        let columns = define::source_columns(&table)?;
        let quarantined = pending.quarantined(&quarantine).await?;
        let (batch, counts) = loop {
            if pending.files.is_empty() {
                break (None, Vec::new());
            }
            let files = pending.files.iter().map(|file| file.source.clone()).collect();
            let lineage = Lineage::new(wave.lineage(&load.options.source_system), files);
            let target = (&quarantine, wave.quarantine_seq);
            match pending.read(&table, target, &columns, &lineage, &quarantined)? {
                Ok(ReadBatch { rows, rejects, counts }) => break (Some((rows, rejects)), counts),
                Err((Some(index), error)) if file_is_at_fault(&error) => {
                    let name = pending.files[index].found.name.clone();
                    pending.refuse(&name, error);
                }
                Err((_, error)) => return Err(error.with_context("unit", &unit.name)),
            }
        };
        let (mut rows, mut rejects) = (Described::default(), Described::default());
        if let Some((written_rows, written_rejects)) = batch {
            let written_rejects = written_rejects.unwrap_or_default();
            let described = describe(&table, &written_rows.files)
                .and_then(|rows| Ok((rows, describe(&quarantine, &written_rejects.files)?)));
            match described {
                Ok(both) => (rows, rejects) = both,
                Err(error) => {
                    written_rows.discard();
                    written_rejects.discard();
                    return Err(error);
                }
            }
        }
        let mut rejected_sha256 = Vec::new();
        let mut files: Vec<SourceReport> =
            std::mem::take(&mut pending.done).into_iter().map(without_hash).collect();
        for (file, counts) in std::mem::take(&mut pending.files).into_iter().zip(counts) {
            let sha256 = file.source.sha256;
            if counts.rejects > 0 && !quarantined.contains(&sha256) {
                rejected_sha256.push(sha256.clone());
            }
            files.push(SourceReport::new(file_report(file.found.name, counts), Some(sha256)));
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let (unit, wave) = (unit.name.clone(), wave.clone());
        Ok(Descriptor { unit, wave, files, rows, rejects, rejected_sha256 })
    }
}

fn describe(table: &LakeTable, files: &[DataFile]) -> Result<Described> {
    if files.is_empty() { Ok(Described::default()) } else { Described::of(table, files) }
}

fn without_hash(report: FileReport) -> SourceReport {
    SourceReport::new(report, None)
}
