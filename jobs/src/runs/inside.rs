//! What the process of a run does about itself: it dies with the server, keeps within its memory, and
//! says what it committed and read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use iceberg::spec::{SnapshotRef, TableMetadata};
use northstar_iceberg::access::{AccessRecord, AccessSink};
use northstar_iceberg::commit::summary;
use northstar_iceberg::observer::Silent;
use northstar_iceberg::{Error, ErrorKind, Result, TableName};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use serde_json::{Map, Value, json};

use crate::cli::Global;
use crate::warehouse::Warehouse;

/// The process that started this one, and with which it ends.
const PARENT: &str = "NORTHSTAR_PARENT";
/// The run that this process is.
const RUN_ID: &str = "NORTHSTAR_RUN_ID";
/// Where to say what was committed and read.
const WATERMARKS: &str = "NORTHSTAR_WATERMARKS";
/// The most address space.
const ADDRESS_SPACE: &str = "NORTHSTAR_ADDRESS_SPACE";

/// What the program and its threads need of address space beside memory for rows, and how much more
/// of that is reserved than is used. A run that takes more is out of bounds.
const PROGRAM_BYTES: usize = 4 << 30;
const RESERVED: usize = 4;

/// The variables that tell a process what it is.
pub(super) fn variables(
    run: &str,
    watermarks: &Path,
    memory_bytes: usize,
) -> Vec<(&'static str, OsString)> {
    let bytes = memory_bytes.saturating_mul(RESERVED).saturating_add(PROGRAM_BYTES);
    vec![
        (PARENT, std::process::id().to_string().into()),
        (RUN_ID, run.into()),
        (WATERMARKS, watermarks.into()),
        (ADDRESS_SPACE, bytes.to_string().into()),
    ]
}

/// Ties this process to the server that started it, if one did, and bounds what it takes.
///
/// # Errors
/// `Unavailable` if that server is gone; `Unsupported` if the system cannot do it.
pub(crate) fn begin() -> Result<()> {
    let Some(parent) = number(PARENT) else { return Ok(()) };
    die_with_parent()?;
    // The parent may have ended before it was watched.
    let now = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
    if now.map(|pid| u64::from(pid.get().unsigned_abs())) != Some(parent) {
        return Err(Error::new(ErrorKind::Unavailable, "the server that started this run is gone"));
    }
    // A core would hold rows.
    limit(Resource::Core, 0)?;
    match number(ADDRESS_SPACE) {
        Some(bytes) => limit(Resource::As, bytes),
        None => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn die_with_parent() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| {
        Error::new(ErrorKind::Unsupported, "this process cannot be tied to its server")
            .with_source(error)
    })
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> Result<()> {
    Ok(())
}

fn limit(resource: Resource, most: u64) -> Result<()> {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    setrlimit(resource, limit).map_err(|error| {
        Error::new(ErrorKind::Unsupported, "this process cannot be bounded").with_source(error)
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The tables that this process opened, with the metadata file of the first opening.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opened {
    tables: Arc<Mutex<BTreeMap<String, Option<String>>>>,
}

impl Opened {
    /// A sink that also notes the tables.
    pub(crate) fn noting<S: AccessSink>(&self, sink: S) -> impl AccessSink + use<S> {
        Noting { sink, opened: self.clone() }
    }

    /// By table, the metadata file of its first opening; `None` for one that was made then.
    pub(crate) fn tables(&self) -> BTreeMap<String, Option<String>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
struct Noting<S> {
    sink: S,
    opened: Opened,
}

#[async_trait]
impl<S: AccessSink> AccessSink for Noting<S> {
    async fn record(&self, record: &AccessRecord) -> Result<()> {
        self.sink.record(record).await?;
        let mut tables = self.opened.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.entry(record.table.clone()).or_insert_with(|| record.metadata_location.clone());
        Ok(())
    }
}

/// Says what was committed and read, if a server asked. What cannot be said is only logged: the work
/// is done, and must not be done again for that.
pub(crate) async fn hand_over(global: &Global) {
    let Some(path) = std::env::var_os(WATERMARKS) else { return };
    let said = match watermarks(global).await {
        Ok(marks) => write(Path::new(&path), &Value::Object(marks)),
        Err(error) => Err(error),
    };
    if let Err(error) = said {
        tracing::warn!(%error, "the bookmark of this job does not move on");
    }
}

/// By table: the snapshot that this run committed last, with its watermarks; of a table that was only
/// read, the snapshot that it had when it was opened.
async fn watermarks(global: &Global) -> Result<Map<String, Value>> {
    let tables = global.opened.tables();
    let mut marks = Map::new();
    if tables.is_empty() {
        return Ok(marks);
    }
    let warehouse = Warehouse::existing(global, Arc::new(Silent)).await?;
    for (table, first) in tables {
        let name: TableName = table.parse()?;
        let pointer = match warehouse.lake.catalog.pointer(&name).await {
            Ok(pointer) => pointer,
            // It was dropped or renamed since.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let now = metadata(&warehouse, &pointer.metadata_location).await?;
        let committed = committed(&now, global.run_id.as_deref());
        let mark = match (committed, first) {
            (Some(snapshot), _) => Some(mark(snapshot, true)),
            (None, Some(first)) => metadata(&warehouse, &first)
                .await?
                .current_snapshot()
                .map(|snapshot| mark(snapshot, false)),
            (None, None) => None,
        };
        marks.extend(mark.map(|mark| (table, mark)));
    }
    Ok(marks)
}

/// A metadata file of a table.
pub(crate) async fn metadata(warehouse: &Warehouse, location: &str) -> Result<TableMetadata> {
    TableMetadata::read_from(&warehouse.lake.file_io(), location).await.map_err(|error| {
        Error::new(ErrorKind::Damaged, "the table's metadata file cannot be read")
            .with_context("file", location)
            .with_source(error)
    })
}

/// The last snapshot that a run committed to a table, on whichever branch.
fn committed<'a>(metadata: &'a TableMetadata, run: Option<&str>) -> Option<&'a SnapshotRef> {
    let of_run = |snapshot: &&SnapshotRef| {
        let entries = &snapshot.summary().additional_properties;
        run.is_some() && entries.get(summary::RUN_ID).map(String::as_str) == run
    };
    metadata.snapshots().filter(of_run).max_by_key(|snapshot| snapshot.sequence_number())
}

fn mark(snapshot: &SnapshotRef, committed: bool) -> Value {
    let inherited = snapshot
        .summary()
        .additional_properties
        .iter()
        .filter(|(key, _)| summary::is_inherited(key));
    let mut mark: BTreeMap<&str, Value> =
        inherited.map(|(key, value)| (key.as_str(), json!(value))).collect();
    mark.insert("snapshot-id", json!(snapshot.snapshot_id().to_string()));
    mark.insert("committed", json!(committed));
    json!(mark)
}

/// Writes a private file, whole or not at all.
fn write(path: &Path, value: &Value) -> Result<()> {
    let failed = |error| Error::io(error, "write the watermarks", path.display());
    let draft = path.with_extension("draft");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .map_err(failed)?;
    file.write_all(value.to_string().as_bytes()).map_err(failed)?;
    std::fs::rename(&draft, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use northstar_iceberg::access::JsonLinesSink;

    use super::*;

    #[tokio::test]
    async fn the_first_opening_of_a_table_counts() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Opened::default();
        let sink = opened.noting(JsonLinesSink::new(folder.path().join("access.jsonl")));
        for location in ["one", "two"] {
            sink.record(&AccessRecord {
                time_ms: 1,
                actor: "dr".into(),
                purpose: "care".into(),
                table: "bronze.lab".into(),
                action: "open".into(),
                metadata_location: Some(location.into()),
            })
            .await
            .unwrap();
        }
        let tables = opened.tables();
        assert_eq!(tables["bronze.lab"].as_deref(), Some("one"));
    }

    #[test]
    fn what_is_handed_over_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watermarks.json");
        write(&path, &json!({"a.b": {"snapshot-id": "1"}})).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn variables_name_the_run_its_parent_and_its_bounds() {
        let variables: BTreeMap<_, _> =
            variables("jr_1", Path::new("/w"), 512 << 20).into_iter().collect();
        assert_eq!(variables[RUN_ID], "jr_1");
        assert_eq!(variables[PARENT], std::process::id().to_string().as_str());
        assert_eq!(variables[ADDRESS_SPACE], (6_u64 << 30).to_string().as_str());
    }
}
