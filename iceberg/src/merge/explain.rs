//! What a statement would do: its source is evaluated and its rows are found, and nothing is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::catalog::TableProvider;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};
use iceberg::spec::MAIN_BRANCH;

use super::cardinality;
use super::costs::FileCosts;
use super::counts::{ChangedRows, Found};
use super::narrow::TargetScan;
use super::planning::Planning;
use super::report::ChangeReport;
use super::run::{self, provider};
use super::session::LakeSession;
use super::statement::{RowStatement, invalid, unsupported};
use super::ways::{Size, Way};
use crate::inspect::Description;
use crate::scan::{FileReads, ScannedFile};
use crate::sql::{Parsed, from_datafusion};
use crate::table::RowLevelMode;
use crate::table::schema::field_id;
use crate::{Result, TableName};

/// What a position takes in a file of deletes, about.
const BYTES_PER_POSITION: u64 = 2;
/// How much of a bound is shown.
const BOUND_CHARS: usize = 24;

/// What a statement would do to the table as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Counts of rows and files; nothing was written.
    pub report: ChangeReport,
    /// The table.
    pub table: TableName,
    /// The files that could not be ruled out before any was opened: those with most rows to change
    /// first.
    pub files: Vec<ExplainedFile>,
    /// What the new rows would take, about.
    pub insert_bytes: u64,
}

/// A file that a statement would look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedFile {
    /// Where it is.
    pub path: String,
    /// Its partition as JSON, `{}` if there is none; what is tagged as PHI is masked.
    pub partition: String,
    /// Why it could not be ruled out; bounds of what is tagged as PHI are masked.
    pub reason: String,
    /// Rows that are not deleted.
    pub rows: u64,
    /// Rows that would change or go.
    pub touched_rows: u64,
    /// What would become of the file; `None` for one without such a row.
    pub way: Option<Way>,
    /// Bytes that would be read to write it anew, at most.
    pub read_bytes: u64,
    /// Bytes that would be written in its place or beside it, about.
    pub write_bytes: u64,
}

impl LakeSession {
    /// What one `MERGE`, `UPDATE` or `DELETE` would do: its source is evaluated and its rows are found,
    /// as by [`LakeSession::change`], and then it ends. Nothing is written but what is put aside
    /// meanwhile.
    ///
    /// # Errors
    /// `InvalidInput` for another statement; `Unsupported` for `INSERT … REPLACE WHERE`; else as
    /// [`LakeSession::change`] up to there.
    pub async fn explain(
        &self,
        sql: &str,
        given: HashMap<TableName, Arc<dyn TableProvider>>,
        branch: Option<&str>,
    ) -> Result<Explanation> {
        let parsed = self.sql.parse(sql)?;
        Box::pin(explain(self, parsed, given, branch.unwrap_or(MAIN_BRANCH))).await
    }
}

async fn explain(
    session: &LakeSession,
    parsed: Parsed,
    given: HashMap<TableName, Arc<dyn TableProvider>>,
    branch: &str,
) -> Result<Explanation> {
    let Some(statement) = RowStatement::read(&parsed.statement)? else {
        return Err(invalid(
            "MERGE, UPDATE and DELETE are explained; for the plan of a query, run EXPLAIN SELECT …"
                .to_string(),
        ));
    };
    if statement.replacement.is_some() {
        let instead = "the DELETE of its condition, explained";
        return Err(unsupported("an explanation", "INSERT … REPLACE WHERE", instead));
    }
    let (mut run, base) = run::begin(session, parsed, given, branch).await?;
    let mut report = ChangeReport::new(run.statement.verb);
    run.keep_source(&mut report).await?;

    let reads = Arc::new(FileReads::default());
    let table = provider(&base, branch)?.with_reads(Arc::clone(&reads));
    let target = run.target(&table);
    let mut planning = run.planning.lock().await;
    planning.set_target(&run.name, table.clone())?;
    let (_, scans) = run.keep_pairs(&mut planning, &target, &table).await?;
    let inserts = run.inserts(&mut planning, &target).await?;
    planning.check_versions()?;
    let found = Found::read(&planning).await?;
    if found.doubled_rows > 0 {
        return Err(cardinality::error(&mut planning, &found, run.statement.verb).await);
    }
    if let Some(inserts) = inserts {
        report.inserted_rows = rows_of(&planning, inserts).await?;
    }
    (report.files_considered, report.files) = planning.files_considered();
    report.updated_rows = found.updated_rows;
    report.deleted_rows = found.deleted_rows;
    report.unchanged_rows = found.same_rows;
    report.files_touched = found.touched().len() as u64;
    if session.engine.is_local() {
        (report.files_opened, report.bytes_read) = (Some(reads.files()), Some(reads.bytes()));
        report.files_asked = Some(reads.files_asked());
    }

    let properties = base.metadata().properties();
    let explaining = Explaining {
        description: Description::new(base.inner().metadata_ref()),
        mode: RowLevelMode::read(properties, run.statement.verb)?,
        costs: session.options.costs,
        touched: found.touched(),
    };
    let (mut files, mut bytes, mut rows) = (BTreeMap::new(), 0, 0);
    let state = planning.state();
    for scan in &scans {
        for file in scan.table.scanned_files(&state, &scan.filters).await? {
            let path = file.data().file_path().to_string();
            let reason = explaining.reason(scan, &file);
            files.entry(path).or_insert_with(|| {
                bytes += file.data().file_size_in_bytes();
                rows += file.data().record_count();
                explaining.file(&file, reason)
            });
        }
    }
    report.files_considered = files.len() as u64;
    let mut files: Vec<ExplainedFile> = files.into_values().collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.touched_rows));
    let insert_bytes = share(bytes, report.inserted_rows, rows);
    Ok(Explanation { report, table: run.name.clone(), files, insert_bytes })
}

/// What files are explained by.
struct Explaining {
    description: Description,
    mode: RowLevelMode,
    costs: FileCosts,
    touched: HashMap<String, ChangedRows>,
}

impl Explaining {
    fn file(&self, file: &ScannedFile, reason: String) -> ExplainedFile {
        let data = file.data();
        let touched = self.touched.get(data.file_path()).copied().unwrap_or_default();
        let touched_rows = touched.all();
        let (bytes, rows) = (data.file_size_in_bytes(), data.record_count());
        let size = Size { bytes, rows, live_rows: file.rows };
        let way = (touched_rows > 0).then(|| Way::of(self.mode, &self.costs, size, touched));
        let (read_bytes, write_bytes) = match way {
            None | Some(Way::Dropped) => (0, 0),
            Some(Way::Rewritten) => {
                (bytes, share(bytes, file.rows.saturating_sub(touched.deleted), rows))
            }
            Some(Way::Deleted) => {
                let read = if touched.updated > 0 { bytes } else { 0 };
                let new = share(bytes, touched.updated, rows);
                (read, new + touched_rows * BYTES_PER_POSITION)
            }
        };
        ExplainedFile {
            path: data.file_path().to_string(),
            partition: self.description.partition(file.spec(), data.partition()),
            reason,
            rows: file.rows,
            touched_rows,
            way,
            read_bytes,
            write_bytes,
        }
    }

    /// Why a scan could not leave a file out.
    fn reason(&self, scan: &TargetScan, file: &ScannedFile) -> String {
        if scan.keys.is_empty() {
            let reason = match (scan.is_filtered, scan.is_unmatched) {
                (true, true) => "within the scope",
                (true, false) => "meets the conditions",
                (false, _) => "nothing rules it out",
            };
            return reason.to_string();
        }
        let bounds = scan.keys.iter().filter_map(|name| {
            let id = field_id(scan.table.columns().field_with_name(name).ok()?)?;
            let bounds = (file.data().lower_bounds().get(&id), file.data().upper_bounds().get(&id));
            Some(match bounds {
                (Some(low), Some(high)) => {
                    let [low, high] =
                        [low, high].map(|end| self.description.bound(id, end)).map(cut);
                    if low == high {
                        format!("{name} {low}")
                    } else {
                        format!("{name} {low} to {high}")
                    }
                }
                _ => format!("{name}: no bounds"),
            })
        });
        format!("keys in {}", bounds.collect::<Vec<_>>().join(", "))
    }
}

fn cut(bound: String) -> String {
    match bound.char_indices().nth(BOUND_CHARS) {
        Some((end, _)) => format!("{}…", &bound[..end]),
        None => bound,
    }
}

/// The part of `bytes` that so many rows of all take.
fn share(bytes: u64, rows: u64, all: u64) -> u64 {
    let part = u128::from(bytes) * u128::from(rows) / u128::from(all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// How many rows a plan gives.
async fn rows_of(planning: &Planning<'_>, plan: LogicalPlan) -> Result<u64> {
    let counted = LogicalPlanBuilder::from(plan)
        .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64))])
        .and_then(LogicalPlanBuilder::build)
        .map_err(from_datafusion)?;
    let batches = planning.collect(counted).await?;
    let counts = batches.iter().filter(|batch| batch.num_rows() > 0);
    let counts = counts.filter_map(|batch| {
        u64::try_from(batch.column(0).as_primitive_opt::<Int64Type>()?.value(0)).ok()
    });
    Ok(counts.sum())
}
