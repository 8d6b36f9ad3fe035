//! What `northstar tag` and `northstar branch` share: making, dropping and showing a ref.

use std::sync::Arc;

use chrono::DateTime;
use northstar_iceberg::observer::Silent;
use northstar_iceberg::refs::{FOREVER_MS, NewRef, RefKind, Retention, find_version};
use northstar_iceberg::{Error, ErrorKind, LakeTable, Result};

use crate::cli::refs::{Drop, End};
use crate::cli::{DEFAULT_REASON, Global};
use crate::exit::Done;
use crate::printer::Printer;
use crate::warehouse::Warehouse;

/// A ref as it was asked for.
pub(super) struct Request<'a> {
    pub(super) kind: RefKind,
    pub(super) table: &'a str,
    pub(super) name: &'a str,
    pub(super) at: Option<&'a str>,
    pub(super) owner: Option<&'a str>,
    pub(super) end: End,
    /// What a branch keeps.
    pub(super) retention: Retention,
    pub(super) replace: bool,
}

/// Opens a table of the warehouse.
pub(super) async fn opened(global: &Global, table: &str) -> Result<(Warehouse, LakeTable)> {
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    let table = warehouse.lake.open_table(&table.parse()?, &warehouse.access).await?;
    Ok((warehouse, table))
}

pub(super) async fn create(
    global: &Global,
    request: &Request<'_>,
    printer: &Printer,
) -> Result<Done> {
    let (warehouse, table) = opened(global, request.table).await?;
    let new = new_ref(global, request, &table)?;
    let done = warehouse.lake.create_ref(&table, &new, request.replace).await?.settled()?;
    let (kind, name, id) = (new.kind, &new.name, new.snapshot_id);
    printer.say(if done {
        format!("{kind} {name} of {} is at snapshot {id}", table.name())
    } else {
        format!("{kind} {name} of {} was at snapshot {id} already", table.name())
    });
    Ok(Done::Well)
}

fn new_ref(global: &Global, request: &Request<'_>, table: &LakeTable) -> Result<NewRef> {
    let metadata = table.metadata();
    let snapshot_id = match request.at {
        Some(version) => find_version(metadata, version)?,
        None => metadata.current_snapshot_id().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the table has no snapshot yet; load something first")
                .with_context("table", table.name())
        })?,
    };
    let committed_ms =
        metadata.snapshot_by_id(snapshot_id).map_or(0, |snapshot| snapshot.timestamp_ms());
    let max_ref_age_ms = match request.end {
        End::Unsaid => None,
        End::Never => Some(FOREVER_MS),
        End::Age(ms) => Some(ms),
        // An end that is past gives an age that the library refuses.
        End::Until(ms) => Some(ms.saturating_sub(committed_ms)),
    };
    let retention = Retention { max_ref_age_ms, ..request.retention };
    let reason = (global.reason != DEFAULT_REASON).then(|| global.reason.clone());
    if request.kind == RefKind::Tag && reason.is_none() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a tag needs a reason, because it holds files; say it with --reason",
        ));
    }
    if request.kind == RefKind::Tag && max_ref_age_ms.is_none() {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a tag needs an end, because it holds files; give --keep-until, --keep-for or \
             --keep-forever",
        ));
    }
    if matches!(request.end, End::Until(ms) if ms <= committed_ms) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "--keep-until is before the commit of the snapshot; give a later day",
        ));
    }
    Ok(NewRef {
        name: request.name.to_string(),
        kind: request.kind,
        snapshot_id,
        retention,
        owner: request.owner.map(str::to_string),
        reason,
    })
}

pub(super) async fn drop(
    global: &Global,
    kind: RefKind,
    asked: &Drop,
    printer: &Printer,
) -> Result<Done> {
    let (warehouse, table) = opened(global, &asked.table).await?;
    let named = table.head_of(&asked.name).map(|snapshot| snapshot.snapshot_id());
    let dropped = warehouse.lake.drop_ref(&table, kind, &asked.name).await;
    let name = &asked.name;
    match dropped {
        Err(error) if error.kind() == ErrorKind::NotFound && asked.if_exists => {
            printer.say(format!("{} has no {kind} {name}", table.name()));
        }
        Err(error) => return Err(error),
        Ok(altered) => {
            altered.settled()?;
            let id = named.unwrap_or_default();
            printer.say(format!("{kind} {name} of {} is gone; it was at {id}", table.name()));
        }
    }
    Ok(Done::Well)
}

/// A day, for lists.
pub(super) fn day(time_ms: i64) -> String {
    DateTime::from_timestamp_millis(time_ms)
        .map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string())
}
