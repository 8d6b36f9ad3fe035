//! Waves: units of one table that are written, wherever, and committed together.

use northstar_iceberg::storage::landing::state;
use northstar_iceberg::{LakeTable, TableName};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::BackfillJob;
use super::descriptor::SourceReport;
use super::unit::{Filter, Unit, UnitName, list};
use crate::bronze::FileOutcome;
use crate::bronze::at_once::{LOOKS, each};
use crate::bronze::folder::FoundFile;
use crate::bronze::lineage::{BatchLineage, SourceFile};
use crate::bronze::load::{Pending, next_seq};
use crate::bronze::read::HashedFile;
use crate::{Error, ErrorKind, Result, Retry};

/// What all rows of a wave share. It is fixed before the first row is written, so that its units can be
/// written anywhere and in any order.
///
/// `_seq` is that of the table when the wave was planned, and the commit of the wave expects that the
/// table still has the one before: of waves with the same number one is committed, and numbers rise in
/// the order of commits (W3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wave {
    /// The table, without its namespace.
    pub table: String,
    /// The table's UUID: one that was dropped and made again is another.
    pub table_uuid: String,
    /// The `_batch_id` of its rows, and the id of its commit.
    pub id: String,
    /// The `_seq` of its rows.
    pub seq: i64,
    /// The `_seq` of its rows in quarantine, which counts for itself.
    pub quarantine_seq: i64,
    /// When it lands, in microseconds since 1970-01-01 UTC.
    pub arrived_at_us: i64,
}

impl Wave {
    /// Refuses a table that this wave can no longer be committed to.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) fn check(&self, table: &LakeTable) -> Result<()> {
        self.check_uuid(table)?;
        if next_seq(table) == self.seq {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "another writer loaded rows into the table after this wave was planned, so its number is \
             taken; nothing of it was committed: run the backfill again, which plans its units anew",
        )
        .with_context("table", table.name())
        .with_context("planned", self.seq)
        .with_context("next", next_seq(table)))
    }

    /// Refuses another table of the same name.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) fn check_uuid(&self, table: &LakeTable) -> Result<()> {
        if table.metadata().uuid().to_string() == self.table_uuid {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "the table was dropped and made again after this wave was planned; run the backfill again",
        )
        .with_context("table", table.name()))
    }

    pub(super) fn lineage(&self, source_system: &str) -> BatchLineage {
        BatchLineage {
            source_system: source_system.to_string(),
            source_table: self.table.clone(),
            batch_id: self.id.clone(),
            arrived_at_us: self.arrived_at_us,
            seq: self.seq,
        }
    }
}

/// What planning came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    /// A wave.
    Wave(Wave),
    /// There is no table, and none can be made: of all files of the table each is empty or refused.
    NoTable(Vec<SourceReport>),
}

impl BackfillJob<'_> {
    /// Plans a wave of these units, which are of one table; makes the table and the quarantine table if
    /// they are not there.
    ///
    /// A table is made for all files of it below the folder, not for those of the wave alone: its
    /// columns do not depend on which units come first.
    ///
    /// # Errors
    /// `InvalidInput` for no unit or units of several tables, or a contract that files cannot keep;
    /// those of the catalog and the storage.
    pub async fn plan(&self, units: &[UnitName]) -> Result<Planned> {
        let Some(first) = units.first() else {
            return Err(Error::new(ErrorKind::InvalidInput, "a wave has at least one unit"));
        };
        if let Some(other) = units.iter().find(|unit| unit.table() != first.table()) {
            let text = "the units of a wave are of one table; plan a wave for each table";
            return Err(Error::new(ErrorKind::InvalidInput, text)
                .with_context("unit", first)
                .with_context("unit", other));
        }
        let load = &self.load;
        load.lake.catalog.create_namespace(&load.namespace).await?;
        let table = match self.table(first.table()).await? {
            Ok(table) => table,
            Err(files) => return Ok(Planned::NoTable(files)),
        };
        let quarantine = load.quarantine_table().await?;
        let (seq, uuid) = (next_seq(&table), table.metadata().uuid());
        let mut names: Vec<String> = units.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        let what = format!("backfill {seq}\n{}", names.join("\n"));
        Ok(Planned::Wave(Wave {
            table: first.table().to_string(),
            table_uuid: uuid.to_string(),
            id: Uuid::new_v5(&uuid, what.as_bytes()).to_string(),
            seq,
            quarantine_seq: next_seq(&quarantine),
            arrived_at_us: load.lake.clock.now_ms() * 1_000,
        }))
    }

    /// The table, made if it is not there; or what is wrong with all of its files.
    async fn table(
        &self,
        table: &str,
    ) -> Result<std::result::Result<LakeTable, Vec<SourceReport>>> {
        let load = &self.load;
        let name = TableName::new(&load.namespace, table)?;
        match load.lake.open_table(&name, &load.access).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => return opened.map(Ok),
        }
        let filter = Filter { tables: vec![table.to_string()], ..Filter::default() };
        let from = self.from.clone();
        let listing = tokio::task::block_in_place(|| list(&from, &filter))?;
        let mut pending = Pending::new(load, name);
        tokio::task::block_in_place(|| look_at(&mut pending, &listing.units))?;
        // Files that cannot be read are refused here without a word: their units say why, if there are
        // others to make a table for.
        Ok(match pending.table().await? {
            Some(table) => Ok(table),
            None => Err(pending.done.into_iter().map(|one| SourceReport::new(one, None)).collect()),
        })
    }
}

/// Takes the files of units as far as a table can be made for them, for which their content is not
/// hashed. Of a file that cannot be looked at it is said why.
///
/// # Errors
/// What may pass, such as S3 that is busy: the columns of a table do not depend on what could be read.
fn look_at(pending: &mut Pending<'_>, units: &[Unit]) -> Result<()> {
    let files: Vec<&FoundFile> = units.iter().flat_map(|unit| &unit.files).collect();
    let states =
        each(&files, |file| &file.path, LOOKS, |file| state(&file.path, "look at the file"));
    for (found, state) in files.into_iter().zip(states) {
        let source = SourceFile { name: found.name.clone(), sha256: String::new() };
        match state {
            Ok(state) => pending.files.push(HashedFile { found: found.clone(), source, state }),
            Err(error) if error.retry() != Retry::Never => return Err(error),
            Err(error) => pending.set_aside(&found.name, FileOutcome::Refused(error)),
        }
    }
    Ok(())
}
