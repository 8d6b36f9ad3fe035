//! Change files merged into a table: what each batch leaves, and what is refused.

mod bad;
mod convergence;
mod formats;
mod merging;
mod model;

use std::path::{Path, PathBuf};

use northstar_iceberg::{Lake, Result};
use northstar_lakehouse::cdc::{MergeJob, MergeReport, WATERMARK_SUMMARY};
use northstar_lakehouse::contract::Contract;
use northstar_lakehouse::sources::csv::CsvOptions;
use northstar_tests::changes::{rows, session_of};
use northstar_tests::lab::{Lab, run_context, tester};

/// The header of change files for `(id, version, note)`.
pub(crate) const HEADER: &str = "op,commit_lsn,command_id,seqval,id,version,note";
/// What the table holds beside its batch ids.
const COLUMNS: &str = "id, version, note, _source_position";

/// A contract for tables of any name.
pub(crate) fn contract(table: &str, more: &str) -> String {
    format!(
        "[{table}]\nkey = [\"id\"]\n{more}\n[{table}.columns]\nid = \"long\"\nversion = \"int\"\n\
         note = {{ type = \"string\", phi = \"direct\" }}\n"
    )
}

/// Merges files into `ns.TABLE`.
pub(crate) async fn merge(
    lake: &Lake,
    folder: &Path,
    table: &str,
    contract: &str,
    files: &[PathBuf],
) -> Result<MergeReport> {
    let session = session_of(lake, &folder.join("scratch"));
    let job = MergeJob {
        lake,
        session: &session,
        table: format!("ns.{table}").parse()?,
        contract: contract.parse::<Contract>()?.table(table),
        run: run_context(),
        access: tester(),
        csv: CsvOptions::default(),
        scratch_folder: folder.join("scratch"),
    };
    Box::pin(job.run(files)).await
}

/// A lab with change files, all for one table.
pub(crate) struct Bench {
    pub(crate) lab: Lab,
    table: String,
    contract: String,
}

impl Bench {
    /// `more` are further lines of the table's contract.
    pub(crate) async fn new(more: &str) -> Self {
        Self { lab: Lab::new().await, table: "t".to_string(), contract: contract("t", more) }
    }

    /// A change file with these records.
    pub(crate) fn file(&self, name: &str, records: &[&str]) -> PathBuf {
        let lines: Vec<&str> = [HEADER].into_iter().chain(records.iter().copied()).collect();
        self.raw(name, &format!("{}\n", lines.join("\n")))
    }

    /// A file with this content.
    pub(crate) fn raw(&self, name: &str, content: &str) -> PathBuf {
        let path = self.lab.path(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    pub(crate) async fn try_merge(&self, files: &[PathBuf]) -> Result<MergeReport> {
        merge(&self.lab.lake, self.lab.folder.path(), &self.table, &self.contract, files).await
    }

    pub(crate) async fn merge(&self, files: &[PathBuf]) -> MergeReport {
        self.try_merge(files).await.expect("a merge")
    }

    /// Merges one file with these records.
    pub(crate) async fn change(&self, name: &str, records: &[&str]) -> MergeReport {
        self.merge(&[self.file(name, records)]).await
    }

    /// The rows with what else is asked for, as `id|version|note|position…`.
    pub(crate) async fn rows(&self, more: &str) -> Vec<String> {
        let session = session_of(&self.lab.lake, &self.lab.path("scratch"));
        rows(&session, &format!("SELECT {COLUMNS}{more} FROM ns.{}", self.table)).await
    }

    pub(crate) async fn snapshots(&self) -> usize {
        let name = format!("ns.{}", self.table).parse().expect("a name");
        let table = self.lab.lake.open_table(&name, &tester()).await.expect("a table");
        table.ancestors().count()
    }

    pub(crate) async fn watermark(&self) -> Option<String> {
        let name = format!("ns.{}", self.table).parse().expect("a name");
        let table = self.lab.lake.open_table(&name, &tester()).await.expect("a table");
        table.inherited_summary(WATERMARK_SUMMARY).map(str::to_string)
    }
}
