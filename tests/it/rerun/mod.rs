//! The rows of one facility and some days made again: what becomes of rows in the scope, what stays of
//! the others, and that no newer change is lost.

#![cfg(test)]

mod emr;
mod held;
mod model;
mod property;
mod race;
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use northstar_iceberg::merge::{ChangeReport, LakeSession};
use northstar_iceberg::{Lake, Result, TableName, storage};
use northstar_lakehouse::cdc::{
    MergeJob, ReconcileJob, Reconciliation, RerunJob, RerunPlan, ScopeRequest,
};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::sources::csv::CsvOptions;
use northstar_tests::changes::{rows, session_of};
use northstar_tests::lab::{Lab, run_context, tester};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// The header of change files.
pub(crate) const CHANGES: &str = "op,commit_lsn,command_id,seqval,id,facility_id,at,version,note";
/// The header of extracts.
pub(crate) const EXTRACT: &str = "id,facility_id,at,version,note";
/// A table's rows without the batch that brought them.
const COLUMNS: &str = "id, facility_id, at, version, note, _source_position, _is_deleted";

/// A table that changes are merged into, and all that it is made of.
pub(crate) struct Bench {
    pub(crate) lab: Lab,
    contract: String,
    pub(crate) table: TableName,
    /// `id` or another column of whole numbers.
    key: &'static str,
    pub(crate) bronze: Option<TableName>,
    pub(crate) changes: Vec<PathBuf>,
    columns: &'static str,
}

/// What a rerun did, and said before that it would do.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) plan: RerunPlan,
    pub(crate) changed: Option<ChangeReport>,
}

impl Bench {
    /// A small table `ns.t`, whose event date is of type `kind`, with further lines of its contract.
    pub(crate) async fn new(kind: &str, more: &str) -> Self {
        let contract = format!(
            "[t]\nkey = [\"id\"]\npartition = [\"facility_id\", \"month(at)\"]\n{more}\n[t.columns]\n\
             id = \"long\"\nfacility_id = \"int\"\nat = \"{kind}\"\nversion = \"int\"\n\
             note = {{ type = \"string\", phi = \"direct\" }}\n"
        );
        Self {
            lab: Lab::new().await,
            contract,
            table: "ns.t".parse().expect("a name"),
            key: "id",
            bronze: Some("bronze.t".parse().expect("a name")),
            changes: Vec::new(),
            columns: COLUMNS,
        }
    }

    /// Loads a batch into bronze.
    pub(crate) async fn load(&self, name: &str, records: &[String]) {
        let folder = self.lab.path(name);
        std::fs::create_dir(&folder).expect("a folder");
        let text = format!("{EXTRACT}\n{}\n", records.join("\n"));
        std::fs::write(folder.join("t.csv"), text).expect("a file");
        self.lab.load(&folder, &self.contract).await.expect("a load");
    }

    /// A change file.
    pub(crate) fn file(&self, name: &str, records: &[String]) -> PathBuf {
        let path = self.lab.path(name);
        let text = format!("{CHANGES}\n{}\n", records.join("\n"));
        std::fs::write(&path, text).expect("a file");
        path
    }

    pub(crate) fn session(&self) -> LakeSession {
        session_of(&self.lab.lake, &self.lab.path("scratch"))
    }

    fn merge_job<'a>(&self, lake: &'a Lake, session: &'a LakeSession) -> MergeJob<'a> {
        let contract: Contract = self.contract.parse().expect("a contract");
        MergeJob {
            lake,
            session,
            table: self.table.clone(),
            contract: contract.table(self.table.table()),
            run: run_context(),
            access: tester(),
            csv: CsvOptions::default(),
            scratch_folder: self.lab.path("scratch"),
        }
    }

    /// Inserts the newest rows of a batch of bronze, of keys that are not there.
    pub(crate) async fn seed(&self, seq: i64) {
        let session = self.session();
        let bronze = self.bronze.clone().expect("a bronze table");
        let job = self.merge_job(&self.lab.lake, &session);
        Box::pin(job.seed(&bronze, seq)).await.expect("a seed");
    }

    /// Merges a change file, which is among the sources from then on.
    pub(crate) async fn merge(&mut self, file: PathBuf) {
        self.merge_only(&self.lab.lake.clone(), std::slice::from_ref(&file)).await;
        self.changes.push(file);
    }

    /// Merges files that are not among the sources.
    pub(crate) async fn merge_only(&self, lake: &Lake, files: &[PathBuf]) {
        let session = session_of(lake, &self.lab.path("other"));
        Box::pin(self.merge_job(lake, &session).run(files)).await.expect("a merge");
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.session().execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The plan of a rerun.
    pub(crate) async fn plan(&self, scope: &ScopeRequest) -> Result<RerunPlan> {
        let session = self.session();
        let job = self.job(&self.lab.lake, &session, scope);
        let planned = Box::pin(job.plan(&self.changes)).await?;
        Ok(planned.plan().clone())
    }

    pub(crate) fn job<'a>(
        &self,
        lake: &'a Lake,
        session: &'a LakeSession,
        scope: &ScopeRequest,
    ) -> RerunJob<'a> {
        RerunJob {
            merge: self.merge_job(lake, session),
            bronze: self.bronze.clone(),
            scope: scope.clone(),
            complete: false,
        }
    }

    pub(crate) async fn rerun(&self, scope: &ScopeRequest) -> Made {
        self.rerun_on(&self.lab.lake, scope).await
    }

    pub(crate) async fn rerun_on(&self, lake: &Lake, scope: &ScopeRequest) -> Made {
        let session = session_of(lake, &self.lab.path("scratch"));
        let job = self.job(lake, &session, scope);
        let planned = Box::pin(job.plan(&self.changes)).await.expect("a plan");
        let changed = Box::pin(planned.apply()).await.expect("a rerun");
        Made { plan: planned.plan().clone(), changed }
    }

    pub(crate) async fn reconcile(&self, extract: Option<&Path>) -> Reconciliation {
        let session = self.session();
        let job = ReconcileJob {
            merge: self.merge_job(&self.lab.lake, &session),
            bronze: self.bronze.clone(),
            facility_column: "facility_id".to_string(),
            time_column: None,
            extract: extract.map(Path::to_path_buf),
        };
        Box::pin(job.run(&self.changes)).await.expect("a reconciliation")
    }

    /// The rows without their batches, as text, sorted.
    pub(crate) async fn rows(&self) -> Vec<String> {
        self.rows_of(&self.table.to_string()).await
    }

    pub(crate) async fn rows_of(&self, table: &str) -> Vec<String> {
        rows(&self.session(), &format!("SELECT {} FROM {table}", self.columns)).await
    }

    pub(crate) async fn snapshots(&self) -> usize {
        let table = self.lab.lake.open_table(&self.table, &tester()).await.expect("a table");
        table.ancestors().count()
    }

    /// The table's data files: by path the size, and the keys that stand in it, deleted or not.
    pub(crate) async fn files(&self) -> BTreeMap<String, (u64, BTreeSet<i64>)> {
        let (namespace, table) = (self.table.namespace(), self.table.table());
        let sql =
            format!("SELECT file_path, file_size_in_bytes FROM {namespace}.\"{table}$data_files\"");
        let mut files = BTreeMap::new();
        for row in rows(&self.session(), &sql).await {
            let (path, bytes) = row.rsplit_once('|').expect("two columns");
            let local = storage::local_path(path).expect("a local file");
            files.insert(path.to_string(), (bytes.parse().expect("bytes"), self.keys_in(&local)));
        }
        files
    }

    fn keys_in(&self, path: &Path) -> BTreeSet<i64> {
        let file = std::fs::File::open(path).expect("a data file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let columns = ProjectionMask::columns(reader.parquet_schema(), [self.key]);
        let reader = reader.with_projection(columns).build().expect("a reader");
        let mut keys = BTreeSet::new();
        for batch in reader {
            let batch = batch.expect("rows");
            keys.extend(batch.column(0).as_primitive::<Int64Type>().iter().flatten());
        }
        keys
    }
}

/// One facility from a day to before another.
pub(crate) fn scope(facility: &str, from: &str, to: &str) -> ScopeRequest {
    ScopeRequest {
        facility: facility.to_string(),
        facility_column: "facility_id".to_string(),
        time_column: None,
        from: from.parse().expect("a day"),
        to: to.parse().expect("a day"),
        zone: None,
    }
}

/// Records as they are written into files.
pub(crate) fn records(records: &[&str]) -> Vec<String> {
    records.iter().map(|record| (*record).to_string()).collect()
}
