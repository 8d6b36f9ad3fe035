//! Expiry, done: the metadata first, then the files that nothing leads to any more.

use std::collections::HashSet;
use std::sync::Mutex;

use iceberg::spec::TableMetadataBuilder;

use super::expiry::{ExpireOptions, ExpiryPlan};
use super::garbage::{expired, garbage};
use super::removal::{Doomed, Removed, remove};
use crate::access::Access;
use crate::commit::Altered;
use crate::refs::note_keys;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, TableName};

/// What expiry would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiryPreview {
    /// To the metadata.
    pub plan: ExpiryPlan,
    /// Files that only expired snapshots hold.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What expiry did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpireReport {
    /// To the metadata; empty if nothing was old enough.
    pub plan: ExpiryPlan,
    /// Files that only expired snapshots held, those of an expiry before that was broken off
    /// included.
    pub removed: Removed,
}

/// What [`expire()`] would do now. Nothing changes.
///
/// # Errors
/// As [`ExpiryPlan::of`]; `Damaged` for a manifest that cannot be read; storage errors.
pub async fn preview_expiry(
    lake: &Lake,
    access: &Access,
    name: &TableName,
    options: &ExpireOptions,
) -> Result<ExpiryPreview> {
    let table = lake.open_table(name, access).await?;
    let plan = ExpiryPlan::of(table.metadata(), lake.clock.now_ms(), options)?;
    let files = doomed_by(lake, &table, &plan).await?;
    let (count, bytes) = (files.len() as u64, files.iter().map(|file| file.bytes).sum());
    Ok(ExpiryPreview { plan, files: count, bytes })
}

/// Takes old snapshots, and tags and branches that have outlived their limit, out of a table, and
/// removes the files that they alone held (C2).
///
/// Which files they are is found out before anything changes, and again if another writer came
/// first. Files are removed only after the change of the metadata is known to have taken effect. An
/// expiry that was broken off in between is taken up by the next one, for as long as the table's
/// metadata log knows of it.
///
/// # Errors
/// As [`ExpiryPlan::of`] and [`Lake::alter`]; `CommitUnknown`, after which no file was removed;
/// `Damaged` for a manifest that cannot be read, after which nothing has changed, unless another
/// writer brought it meanwhile: then the snapshots are gone and the files are not.
pub async fn expire(
    lake: &Lake,
    access: &Access,
    name: &TableName,
    options: &ExpireOptions,
) -> Result<ExpireReport> {
    let table = lake.open_table(name, access).await?;
    let now_ms = lake.clock.now_ms();
    let first = ExpiryPlan::of(table.metadata(), now_ms, options)?;
    let found = doomed_by(lake, &table, &first).await?;
    let planned = Mutex::new((ExpiryPlan::default(), String::new()));
    let altered = lake
        .alter(&table, |head, builder| {
            let plan = ExpiryPlan::of(head.metadata(), now_ms, options)?;
            let change = match plan.is_empty() {
                true => None,
                false => Some(without(builder, &plan)?),
            };
            *planned.lock().map_err(|_| lost())? = (plan, head.metadata_location().to_string());
            Ok(change)
        })
        .await?;
    let now = match altered {
        Altered::Done(now) => *now,
        Altered::Unchanged => lake.reload(&table).await?,
        Altered::Unknown(error) => return Err(error),
    };
    let (plan, base) = planned.into_inner().map_err(|_| lost())?;
    // What was found is so still if the change was made on what was looked at.
    let doomed = match base == table.metadata_location() {
        true => found,
        false => doomed(lake, &now, |_| true).await?,
    };
    let removed = remove(lake, doomed).await?;
    Ok(ExpireReport { plan, removed })
}

/// The files that no snapshot of the table holds once a plan is carried out.
async fn doomed_by(lake: &Lake, table: &LakeTable, plan: &ExpiryPlan) -> Result<Vec<Doomed>> {
    let gone: HashSet<i64> = plan.snapshots.iter().copied().collect();
    doomed(lake, table, |id| !gone.contains(&id)).await
}

/// The files that no snapshot of the table holds for which `stays` is true.
async fn doomed(
    lake: &Lake,
    table: &LakeTable,
    stays: impl Fn(i64) -> bool,
) -> Result<Vec<Doomed>> {
    let ids = table.metadata().snapshots().map(|snapshot| snapshot.snapshot_id());
    let kept: HashSet<i64> = ids.filter(|id| stays(*id)).collect();
    let expired = expired(lake, table, &kept).await?;
    if expired.is_empty() {
        return Ok(Vec::new());
    }
    garbage(lake, table, &kept, &expired).await
}

/// The metadata without what expires.
fn without(builder: TableMetadataBuilder, plan: &ExpiryPlan) -> Result<TableMetadataBuilder> {
    let unfit = |error: iceberg::Error| {
        Error::new(ErrorKind::Internal, "the table's properties cannot be set").with_source(error)
    };
    let mut builder = plan.refs.iter().fold(builder, |builder, name| builder.remove_ref(name));
    builder = builder.remove_snapshots(&plan.snapshots);
    for id in &plan.snapshots {
        builder = builder.remove_statistics(*id).remove_partition_statistics(*id);
    }
    let notes = plan.refs.iter().flat_map(|name| note_keys(name));
    let gone: Vec<String> = plan.stale_bases.iter().cloned().chain(notes).collect();
    builder = builder.remove_properties(&gone).map_err(unfit)?;
    builder.set_properties(plan.bases.clone().into_iter().collect()).map_err(unfit)
}

fn lost() -> Error {
    Error::new(ErrorKind::Internal, "the plan of an expiry was lost")
}
