//! The plan of a rerun, and its commit.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use northstar_iceberg::merge::{Aside, ChangeReport, Given, LakeSession, StatementCommit};
use northstar_iceberg::{LakeTable, TableName};

use super::statement::{Means, merge, strays};
use super::{RerunPlan, Scope, ScopeRequest};
use crate::cdc::job::{MergeJob, WATERMARK_SUMMARY};
use crate::cdc::rebuilt::{Restating, Sources, asked_name};
use crate::cdc::stage::Staged;
use crate::cdc::statement::{quoted, staged_name, table};
use crate::cdc::target::Target;
use crate::cdc::{asked, files};
use crate::contract::Deletes;
use crate::{Error, ErrorKind, Result};

/// Summary entries that say what was made again.
const FACILITY_SUMMARY: &str = "northstar.rerun.facility";
const DAYS_SUMMARY: &str = "northstar.rerun.days";

/// Columns of a bronze table of facilities that may hold a time zone.
const ZONE_COLUMNS: [&str; 4] = ["time_zone", "timezone", "zone", "tz"];

/// A rerun of one facility and some days of a table that changes are merged into.
#[derive(Debug)]
pub struct RerunJob<'a> {
    /// The table and what its change files are read with.
    pub merge: MergeJob<'a>,
    /// The bronze table that the first rows came from; `None` if there is none.
    pub bronze: Option<TableName>,
    /// What is made again.
    pub scope: ScopeRequest,
    /// The files are all there are: rows whose last change is in none of them are wrong, too.
    pub complete: bool,
}

/// A rerun whose sources are read and whose plan is made.
#[derive(Debug)]
pub struct Rerun<'a> {
    job: &'a RerunJob<'a>,
    session: LakeSession,
    table: LakeTable,
    target: Target,
    bronze: Option<LakeTable>,
    scope: Scope,
    staged: Staged,
    /// Keys that have a state in the scope.
    asked: Aside,
    batch_id: String,
    plan: RerunPlan,
}

impl RerunJob<'_> {
    /// Reads the change files, and finds out what would be done.
    ///
    /// # Errors
    /// `NotFound` for a table or file that is not there; `InvalidInput` for a scope that does not fit;
    /// `Unsupported` for a table of hard deletes or one that no merge made; those of reading.
    pub async fn plan(&self, paths: &[PathBuf]) -> Result<Rerun<'_>> {
        self.scope.check()?;
        let job = &self.merge;
        let in_table = |error: Error| error.with_context("table", &job.table);
        let files = tokio::task::block_in_place(|| files::open_any(paths))?;
        let table = job.lake.open_table(&job.table, &job.access).await?;
        let target = soft_target(&table, job)?;
        let bronze = opened_bronze(job, self.bronze.as_ref()).await?;
        let scope = Scope::of(&self.scope, &table, &target, async |facility: &str| {
            self.zone(facility).await
        });
        let scope = Box::pin(scope).await.map_err(in_table)?;
        let watermark = table.inherited_summary(WATERMARK_SUMMARY);
        let staged = job.stage(&target, watermark, &files)?;
        let last = staged.last_position.as_deref();
        let ends_early = !self.complete && watermark.is_some_and(|merged| last < Some(merged));
        let plan = RerunPlan {
            ends_early,
            files: u64::try_from(files.len()).unwrap_or(0),
            file_bytes: files.iter().map(files::ChangeFile::bytes).sum(),
            read_rows: staged.counts.read_rows,
            ..RerunPlan::default()
        };
        let asked = {
            let sources = Sources::checked(&target, bronze.as_ref())?;
            let sql = Restating { sources, scope: &scope }.asked();
            let given = [(staged_name()?, staged.rows.table())].into();
            let place = (job.scratch_folder.as_path(), job.lake.ids.uuid());
            Box::pin(asked::aside(job.session, &sql, given, place)).await.map_err(in_table)?
        };
        let mut rerun = Rerun {
            job: self,
            // The scope leaves files out where the table's layout can.
            session: job.session.clone().with_whole_table(true),
            batch_id: job.lake.ids.uuid().to_string(),
            table,
            target,
            bronze,
            scope,
            staged,
            asked,
            plan,
        };
        Box::pin(rerun.find()).await.map_err(in_table)?;
        Ok(rerun)
    }

    /// The time zone that the facilities' table has for one, given as a literal; `None` if there is no
    /// such table or it does not say.
    async fn zone(&self, facility: &str) -> Result<Option<String>> {
        let Some(bronze) = &self.bronze else { return Ok(None) };
        let name = TableName::new(bronze.namespace(), "facility")?;
        let (lake, access) = (self.merge.lake, &self.merge.access);
        let opened = match lake.open_table(&name, access).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let schema = opened.metadata().current_schema();
        let has = |column: &str| schema.field_by_name_case_insensitive(column).is_some();
        let Some(zone) = ZONE_COLUMNS.into_iter().find(|column| has(column)) else {
            return Ok(None);
        };
        let key = &self.scope.facility_column;
        if !has(key) {
            return Ok(None);
        }
        let sql = format!(
            "SELECT DISTINCT {zone} FROM {} WHERE {} = {facility} AND {zone} IS NOT NULL",
            table(&name),
            quoted(key)
        );
        let zones = asked::texts(self.merge.session, &sql, HashMap::new()).await?;
        match zones.as_slice() {
            [] => Ok(None),
            [zone] => Ok(Some(zone.clone())),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                "the facility has several time zones in its table; name the right one with --zone",
            )
            .with_context("table", &name)),
        }
    }
}

/// The bronze table of that name, which must be there.
pub(in crate::cdc) async fn opened_bronze(
    job: &MergeJob<'_>,
    name: Option<&TableName>,
) -> Result<Option<LakeTable>> {
    let Some(name) = name else { return Ok(None) };
    match job.lake.open_table(name, &job.access).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::new(
            ErrorKind::NotFound,
            "there is no such bronze table; name its namespace with --bronze, or say --no-bronze if the \
             table was made of change files alone",
        )
        .with_context("bronze", name)),
        opened => opened.map(Some),
    }
}

/// The table, if deleted rows stay in it.
pub(in crate::cdc) fn soft_target(table: &LakeTable, job: &MergeJob<'_>) -> Result<Target> {
    let target = Target::of_table(table, &job.contract)?;
    if target.deletes == Deletes::Soft {
        return Ok(target);
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "deleted rows do not stay in this table (deletes = \"hard\"), so its rows cannot be made again \
         one by one; merge all changes into a new table instead",
    )
    .with_context("table", table.name()))
}

impl Rerun<'_> {
    /// What would be done.
    pub fn plan(&self) -> &RerunPlan {
        &self.plan
    }

    fn sql(&self) -> Result<String> {
        let sources = Sources::checked(&self.target, self.bronze.as_ref())?;
        let restating = Restating { sources, scope: &self.scope };
        let means = Means { complete: self.job.complete, doubled: self.plan.doubled > 0 };
        Ok(merge(&restating, means, &self.batch_id))
    }

    /// The tables that the statement reads beside those of the lake.
    fn given(&self) -> Result<HashMap<TableName, Given>> {
        Ok([(staged_name()?, self.staged.rows.table()), (asked_name()?, self.asked.table())].into())
    }

    async fn find(&mut self) -> Result<()> {
        self.explain().await?;
        let [strays, keyless] = self.strays().await?;
        let strays = if self.job.complete { 0 } else { strays };
        let plan = &mut self.plan;
        // Each key has one row that is taken, or is held back.
        let taken = plan.inserted + plan.updated + plan.removed + plan.unchanged;
        let wanted = plan.keys + keyless;
        plan.doubled = (taken + strays).saturating_sub(wanted);
        plan.held_back = wanted.saturating_sub(taken).max(strays);
        if self.plan.doubled == 0 {
            return Ok(());
        }
        if self.plan.held_back > 0 {
            return Err(Error::new(
                ErrorKind::InvalidData,
                "the table has keys of the scope more than once, and rows whose last change is in none \
                 of the files; name all change files, or say --complete",
            )
            .with_context("rows too many", self.plan.doubled)
            .with_context("rows held back", self.plan.held_back));
        }
        let keys = self.plan.keys;
        self.explain().await?;
        self.plan.keys = keys;
        Ok(())
    }

    async fn explain(&mut self) -> Result<()> {
        let sql = self.sql()?;
        let explained = Box::pin(self.session.explain(&sql, self.given()?, None)).await?;
        self.plan.add(&explained);
        Ok(())
    }

    async fn strays(&self) -> Result<[u64; 2]> {
        let sql = strays(&self.target, &self.scope, self.bronze.is_some());
        asked::numbers(&self.session, &sql, self.given()?).await
    }

    /// Does what the plan says, in one commit, on the table as it is by then; nothing if there was
    /// nothing to be done.
    ///
    /// # Errors
    /// As [`LakeSession::change`].
    pub async fn apply(&self) -> Result<Option<ChangeReport>> {
        if !self.plan.changes() {
            return Ok(None);
        }
        let scope = &self.job.scope;
        let commit = StatementCommit {
            id: Some(self.batch_id.clone()),
            summary: BTreeMap::from([
                (FACILITY_SUMMARY.to_string(), scope.facility.clone()),
                (DAYS_SUMMARY.to_string(), format!("{}/{}", scope.from, scope.to)),
            ]),
            expect: self.expected(),
            ..StatementCommit::default()
        };
        let sql = self.sql()?;
        let changed = Box::pin(self.session.change(&sql, self.given()?, commit)).await;
        changed.map(Some).map_err(|error| error.with_context("table", &self.job.merge.table))
    }

    /// Where keys are written anew, newer changes than the files have cannot be told from others.
    fn expected(&self) -> Option<(String, Option<String>)> {
        let watermark = || self.table.inherited_summary(WATERMARK_SUMMARY).map(str::to_string);
        (self.plan.doubled > 0).then(|| (WATERMARK_SUMMARY.to_string(), watermark()))
    }
}
