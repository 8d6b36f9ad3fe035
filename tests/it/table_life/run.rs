//! An operation, done to the table.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use northstar_iceberg::commit::{CommitRequest, FileChange, Outcome, Validation};
use northstar_iceberg::maintenance::{
    CompactOptions, DAY_MS, ExpireOptions, OrphanPlan, compact, expire, rewrite_manifests,
};
use northstar_iceberg::merge::{Executed, LakeSession, StatementCommit};
use northstar_iceberg::refs::{NewRef, RefKind, Retention, Rollback};
use northstar_iceberg::write::TableWriter;
use northstar_iceberg::{Lake, LakeTable, Result, TableName};
use northstar_tests::lab::{run_context, small_writes, tester};

use super::batches::{DELETES, batch, changes, sql_type};
use super::draw::KEY;
use super::filter::name;
use super::model::{Column, Field, Kind, Row, Transform};
use super::operation::{Branch, Op};
use crate::merge_model::value::Cell;

pub(super) const TABLE: &str = "ns.t";

/// One writer of the table.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub(super) lake: Lake,
    pub(super) session: LakeSession,
    pub(super) folder: PathBuf,
}

/// What an operation says of itself.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// Whether something was changed by this run of it.
    pub(super) changed: bool,
    /// Rows inserted, updated, deleted.
    pub(super) rows: Option<[u64; 3]>,
    /// How many snapshots a rewrite made.
    pub(super) snapshots: usize,
    /// The snapshots that expired.
    pub(super) expired: Vec<i64>,
    /// Orphans that were found: old ones, and young ones.
    pub(super) orphans: (usize, usize),
    /// Files that were to be removed and are there still.
    pub(super) left: u64,
}

/// Lets every change pass: a batch depends on nothing but its watermark.
struct Anywhere;

#[async_trait::async_trait]
impl Validation for Anywhere {
    async fn conflict(&self, _: &LakeTable) -> Result<Option<String>> {
        Ok(None)
    }
}

pub(super) fn table_name() -> TableName {
    TABLE.parse().unwrap()
}

/// Does an operation whose columns have the names and types of `columns`.
pub(super) async fn run(writer: Writer, op: Op, columns: Arc<Vec<Column>>) -> Result<Ran> {
    if let Some(change) = definition(&op, &columns) {
        return writer.define(&change).await;
    }
    let named = |id: i32| name(id, &columns);
    let (sql, branch, id, given) = match op {
        Op::Ingest { branch, seq, rows } => {
            return writer.ingest(branch, seq, &rows, &columns).await;
        }
        Op::Insert { branch, id, rows } => {
            (insert("INSERT INTO", &columns), branch, id, batch(&rows, &columns))
        }
        Op::Overwrite { branch, id, rows } => {
            (insert("INSERT OVERWRITE", &columns), branch, id, batch(&rows, &columns))
        }
        Op::Merge { branch, id, changes: list, set } => {
            (merge(&set, &columns), branch, id, changes(&list, &columns))
        }
        Op::Update { branch, id, column, to, filter } => {
            let kind = columns.iter().find(|c| c.id == column).map_or(Kind::Text, |c| c.kind);
            let (column, to, filter) = (named(column), typed(&to, kind), filter.sql(&columns));
            let sql = format!("UPDATE {TABLE} SET {column} = {to} WHERE {filter}");
            (sql, branch, id, batch(&[], &columns))
        }
        Op::Delete { branch, id, filter } => {
            let sql = format!("DELETE FROM {TABLE} WHERE {}", filter.sql(&columns));
            (sql, branch, id, batch(&[], &columns))
        }
        Op::Truncate { branch, id } => {
            (format!("TRUNCATE TABLE {TABLE}"), branch, id, batch(&[], &columns))
        }
        other => return writer.maintain(other).await,
    };
    writer.change(&sql, branch, &id, given).await
}

/// What stands behind `ALTER TABLE` for an operation that defines.
fn definition(op: &Op, columns: &[Column]) -> Option<String> {
    let named = |id: &i32| name(*id, columns);
    let field = |field: &Field| field_sql(*field, columns);
    Some(match op {
        Op::Mode { mode } => {
            let modes = ["merge", "update", "delete"]
                .map(|verb| format!("'write.{verb}.mode' = '{mode}'"))
                .join(", ");
            format!("SET TBLPROPERTIES ({modes})")
        }
        Op::AddColumn { name, kind, after } => {
            let place = after.map(|id| format!(" AFTER {}", named(&id))).unwrap_or_default();
            format!("ADD COLUMN {name} {}{place}", sql_type(*kind))
        }
        Op::DropColumn(id) => format!("DROP COLUMN {}", named(id)),
        Op::RenameColumn(id, to) => format!("RENAME COLUMN {} TO {to}", named(id)),
        Op::WidenColumn(id) => {
            let kind = columns.iter().find(|column| column.id == *id).map(|column| column.kind);
            let wide = if kind == Some(Kind::Int) { "BIGINT" } else { "DOUBLE" };
            format!("ALTER COLUMN {} TYPE {wide}", named(id))
        }
        Op::MakeOptional(id) => format!("ALTER COLUMN {} DROP NOT NULL", named(id)),
        Op::MoveColumn(id, after) => {
            let place = after.map_or("FIRST".to_string(), |id| format!("AFTER {}", named(&id)));
            format!("ALTER COLUMN {} {place}", named(id))
        }
        Op::AddField(new) => format!("ADD PARTITION FIELD {}", field(new)),
        Op::DropField(old) => format!("DROP PARTITION FIELD {}", field(old)),
        Op::ReplaceField(old, new) => {
            format!("REPLACE PARTITION FIELD {} WITH {}", field(old), field(new))
        }
        _ => return None,
    })
}

/// Rows of the source are taken over by their key, or their key is deleted.
fn merge(set: &[i32], columns: &[Column]) -> String {
    let all: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let given: Vec<String> = all.iter().map(|name| format!("s.{name}")).collect();
    let set: Vec<String> =
        set.iter().map(|id| format!("{0} = s.{0}", name(*id, columns))).collect();
    let key = name(KEY, columns);
    format!(
        "MERGE INTO {TABLE} USING given.s ON t.{key} = s.{key} \
         WHEN MATCHED AND s.{DELETES} THEN DELETE \
         WHEN MATCHED THEN UPDATE SET {} \
         WHEN NOT MATCHED AND NOT s.{DELETES} THEN INSERT ({}) VALUES ({})",
        set.join(", "),
        all.join(", "),
        given.join(", "),
    )
}

pub(super) fn field_sql(field: Field, columns: &[Column]) -> String {
    let column = name(field.column, columns);
    match field.transform {
        Transform::Identity => column.to_string(),
        Transform::Bucket(count) => format!("bucket({count}, {column})"),
        Transform::Truncate(width) => format!("truncate({width}, {column})"),
    }
}

fn insert(verb: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let names = names.join(", ");
    format!("{verb} {TABLE} ({names}) SELECT {names} FROM given.s")
}

fn typed(cell: &Cell, kind: Kind) -> String {
    format!("CAST({} AS {})", cell.sql(), sql_type(kind))
}

impl Writer {
    pub(super) async fn open(&self) -> Result<LakeTable> {
        self.lake.open_table(&table_name(), &tester()).await
    }

    /// Appends a batch if the watermark is the one before.
    async fn ingest(
        &self,
        branch: Branch,
        seq: i64,
        rows: &[Row],
        columns: &[Column],
    ) -> Result<Ran> {
        let table = self.open().await?;
        let id = format!("batch-{seq}");
        let mut writer = TableWriter::new(&self.lake, &table, &id, small_writes(&self.folder))?;
        let columns = batch(rows, columns).columns().to_vec();
        writer.write(RecordBatch::try_new(Arc::clone(writer.schema()), columns).unwrap())?;
        let written = writer.finish()?;
        let before = (seq > 1).then(|| (seq - 1).to_string());
        let request = CommitRequest {
            commit_id: id,
            run: run_context(),
            summary: [("northstar.seq".to_string(), seq.to_string())].into(),
            expect: Some(("northstar.seq".to_string(), before)),
        };
        let change = FileChange { added: written.files.clone(), branch, ..FileChange::default() };
        let outcome = self.lake.commit(&table, &change, &request, &Anywhere).await;
        if !matches!(outcome, Ok(Outcome::Committed { .. } | Outcome::Unknown(_))) {
            written.discard();
        }
        let changed = outcome?.settled()?.is_some_and(|(_, is_new)| is_new);
        Ok(Ran { changed, ..Ran::default() })
    }

    async fn change(&self, sql: &str, branch: Branch, id: &str, given: RecordBatch) -> Result<Ran> {
        let given = MemTable::try_new(given.schema(), vec![vec![given]]).unwrap();
        let given: HashMap<TableName, Arc<dyn TableProvider>> =
            [("given.s".parse().unwrap(), Arc::new(given) as Arc<dyn TableProvider>)].into();
        let commit =
            StatementCommit { id: Some(id.to_string()), branch, ..StatementCommit::default() };
        let report = self.session.change(sql, given, commit).await?;
        Ok(Ran {
            changed: report.snapshot_id.is_some() && !report.already_committed,
            rows: Some([report.inserted_rows, report.updated_rows, report.deleted_rows]),
            ..Ran::default()
        })
    }

    async fn define(&self, change: &str) -> Result<Ran> {
        match self.session.execute(&format!("ALTER TABLE {TABLE} {change}")).await? {
            Executed::Defined(defined) => Ok(Ran { changed: defined.changed, ..Ran::default() }),
            other => panic!("{change} is no definition: {other:?}"),
        }
    }

    async fn maintain(&self, op: Op) -> Result<Ran> {
        let lake = &self.lake;
        let changed = match op {
            Op::Compact { sort, light } => {
                let options = CompactOptions { sort, light, ..CompactOptions::default() };
                let report = compact(&self.session, &table_name(), &options).await?;
                let snapshots = report.snapshots.len();
                return Ok(Ran { changed: snapshots > 0, snapshots, ..Ran::default() });
            }
            Op::Manifests => {
                let report =
                    rewrite_manifests(lake, &tester(), &run_context(), &table_name()).await?;
                let snapshots = report.snapshots.len();
                return Ok(Ran { changed: snapshots > 0, snapshots, ..Ran::default() });
            }
            Op::Expire { age_ms, least } => return self.expire(age_ms, least).await,
            Op::Orphans { .. } => return self.orphans().await,
            Op::Tag { name, snapshot, retention } => {
                self.name(RefKind::Tag, name, snapshot, retention).await?
            }
            Op::Branch { name, snapshot, retention } => {
                self.name(RefKind::Branch, name, snapshot, retention).await?
            }
            Op::DropRef { name, is_tag } => {
                let kind = if is_tag { RefKind::Tag } else { RefKind::Branch };
                lake.drop_ref(&self.open().await?, kind, &name).await?.settled()?
            }
            Op::Publish { branch } => {
                lake.fast_forward(&self.open().await?, &branch, None).await?.settled()?
            }
            Op::Pick { snapshot } => {
                let table = self.open().await?;
                let outcome = lake.cherry_pick(&table, snapshot, run_context()).await?;
                outcome.settled()?.is_some_and(|(_, is_new)| is_new)
            }
            Op::RollBack { branch, to } => {
                let table = self.open().await?;
                let plan = Rollback::plan(&table, branch.as_deref().unwrap_or("main"), to)?;
                lake.roll_back(&table, &plan, true).await?.settled()?
            }
            other => panic!("{other:?} is no maintenance"),
        };
        Ok(Ran { changed, ..Ran::default() })
    }

    async fn expire(&self, age_ms: i64, least: usize) -> Result<Ran> {
        let options = ExpireOptions { max_age_ms: Some(age_ms), min_kept: Some(least) };
        let report = expire(&self.lake, &tester(), &table_name(), &options).await?;
        let changed = !report.plan.is_empty();
        let (expired, left) = (report.plan.snapshots, report.removed.left);
        Ok(Ran { changed, expired, left, ..Ran::default() })
    }

    async fn orphans(&self) -> Result<Ran> {
        let plan = OrphanPlan::read(&self.lake, &tester(), &table_name(), DAY_MS).await?;
        // Metadata files that the table's log has let go are orphans of good order.
        let is_log = |path: &Path| path.to_string_lossy().ends_with(".metadata.json");
        let left = plan.orphans.iter().filter(|orphan| !is_log(&orphan.path)).count();
        let orphans = (left, usize::try_from(plan.young).unwrap());
        let left = plan.apply(&self.lake).await?.left;
        Ok(Ran { orphans, left, ..Ran::default() })
    }

    async fn name(
        &self,
        kind: RefKind,
        name: String,
        snapshot_id: i64,
        retention: Retention,
    ) -> Result<bool> {
        let said = || (kind == RefKind::Tag).then(|| "test".to_string());
        let new = NewRef { name, kind, snapshot_id, retention, owner: said(), reason: said() };
        self.lake.create_ref(&self.open().await?, &new, false).await?.settled()
    }
}
