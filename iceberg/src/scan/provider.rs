//! An Iceberg table at one snapshot, as DataFusion scans it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::{Result as DFResult, ToDFSchema};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use iceberg::spec::{FormatVersion, ManifestFile, Schema, SnapshotRef};
use iceberg::table::Table;

use super::blooms::Doubtful;
use super::candidates::{Among, Candidates};
use super::config::{AddressColumns, FILE_COLUMN, POS_COLUMN, table_schema};
use super::deletes::{only_data_file, position_deletes};
use super::equality::equality_deletes;
use super::files::{LiveFile, LiveFiles, live_files, manifests};
use super::inventory::{Inventory, inventory};
use super::manifest_cache::ManifestCache;
use super::partition::widened;
use super::prune::{FileFilter, Pruning};
use super::reads::FileReads;
use super::rows::RowChoice;
use super::slice::FileSlice;
use super::statistics::{SelectedFile, constants};
use super::store::store_url;
use crate::table::schema::query_schema;
use crate::write::DeletesOf;
use crate::{Error, ErrorKind, Result};

/// An Iceberg table at one snapshot. It does not follow later commits.
#[derive(Clone)]
pub struct IcebergTable {
    pub(super) table: Table,
    pub(super) snapshot: Option<SnapshotRef>,
    pub(super) store: ObjectStoreUrl,
    pub(super) iceberg: Arc<Schema>,
    /// The table's own columns.
    pub(super) columns: SchemaRef,
    /// Those columns, and those of the row address if asked for.
    pub(super) schema: SchemaRef,
    /// The only files to be read, by path; all if there are none.
    pub(super) only: Option<Arc<HashSet<String>>>,
    /// What a look at the keys of a join has left of the files.
    pub(super) among: Option<Arc<Among>>,
    pub(super) cache: Arc<ManifestCache>,
    /// Where what is read is counted.
    pub(super) reads: Option<Arc<FileReads>>,
    /// Which of the live rows are read; all if there is no choice.
    pub(super) rows: Option<RowChoice>,
    /// Whether filters run while Parquet is decoded.
    pub(super) decodes_late: bool,
}

impl fmt::Debug for IcebergTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IcebergTable({}@{:?})", self.table.identifier(), self.snapshot_id())
    }
}

/// The files of one scan.
pub(super) struct Selected {
    pub(super) files: Vec<SelectedFile>,
    pub(super) pruning: Pruning,
    /// The live delete files that are about one data file alone, with that file's path.
    pub(super) own_deletes: Vec<(String, String)>,
}

/// A data file with its deleted rows, and the delete files that are about it alone.
#[derive(Debug, Clone)]
pub(crate) struct FileDeletes {
    pub(crate) deletes: DeletesOf,
    pub(crate) delete_files: Vec<String>,
}

impl IcebergTable {
    /// The table at a snapshot; `None` is the current one, or no rows where there is none.
    ///
    /// The current snapshot has the table's current schema, an earlier one the schema it was
    /// written with.
    ///
    /// # Errors
    /// `NotFound` for a snapshot that the table does not have; `Unsupported` for format version 3 and
    /// stores other than local folders and S3; `Damaged` for a snapshot whose schema is missing.
    pub fn try_new(table: Table, snapshot_id: Option<i64>) -> Result<Self> {
        let metadata = table.metadata();
        let in_table = |error: Error| error.with_context("table", table.identifier());
        if !matches!(metadata.format_version(), FormatVersion::V1 | FormatVersion::V2) {
            let message = format!("format version {} cannot be read", metadata.format_version());
            return Err(in_table(Error::new(ErrorKind::Unsupported, message)));
        }
        let snapshot = match snapshot_id {
            None => metadata.current_snapshot().cloned(),
            Some(id) => Some(metadata.snapshot_by_id(id).cloned().ok_or_else(|| {
                in_table(Error::new(ErrorKind::NotFound, format!("there is no snapshot {id}")))
            })?),
        };
        let current = metadata.current_snapshot_id();
        let iceberg = match snapshot.as_ref().filter(|s| Some(s.snapshot_id()) != current) {
            None => Arc::clone(metadata.current_schema()),
            Some(earlier) => earlier.schema(metadata).map_err(|source| {
                let message = "the schema of a snapshot is missing";
                in_table(Error::new(ErrorKind::Damaged, message).with_source(source))
            })?,
        };
        let columns = query_schema(&iceberg).map_err(in_table)?;
        let store = store_url(metadata.location()).map_err(in_table)?;
        let schema = Arc::clone(&columns);
        let cache = Arc::new(ManifestCache::new(0));
        Ok(Self {
            table,
            snapshot,
            store,
            iceberg,
            columns,
            schema,
            only: None,
            among: None,
            cache,
            reads: None,
            rows: None,
            decodes_late: false,
        })
    }

    /// The same table, whose manifests are looked for in `cache` first.
    #[must_use]
    pub fn with_cache(self, cache: Arc<ManifestCache>) -> Self {
        Self { cache, ..self }
    }

    /// The same rows under another schema of the table, with the columns that this one has, by
    /// field id. A column that came later is NULL.
    ///
    /// # Errors
    /// `Unsupported` for a type of format version 3.
    pub fn with_schema(self, iceberg: Arc<Schema>) -> Result<Self> {
        let columns = query_schema(&iceberg)
            .map_err(|error| error.with_context("table", self.table.identifier()))?;
        let schema = Arc::clone(&columns);
        Ok(Self { iceberg, columns, schema, ..self })
    }

    /// Shows each row's address behind the table's columns: `_file` and `_pos`.
    ///
    /// # Errors
    /// `Unsupported` if a column of the table has one of these names.
    pub fn with_row_address(mut self) -> Result<Self> {
        for name in [FILE_COLUMN, POS_COLUMN] {
            if self.columns.field_with_name(name).is_ok() {
                let message = "the column's name is reserved for row addresses, rename it";
                return Err(Error::new(ErrorKind::Unsupported, message)
                    .with_context("column", name)
                    .with_context("table", self.table.identifier()));
            }
        }
        let address = AddressColumns { file: true, position: true };
        let schema = table_schema(Arc::clone(&self.columns), address);
        self.schema = Arc::clone(schema.table_schema());
        Ok(self)
    }

    /// The same table, of which only these data files are read.
    #[must_use]
    pub fn with_only(self, paths: HashSet<String>) -> Self {
        Self { only: Some(Arc::new(paths)), ..self }
    }

    /// The same table, of which only the files are read that a look at keys has left. They count as
    /// pruned, those that [`IcebergTable::with_only`] leaves out do not count at all.
    #[must_use]
    pub(crate) fn with_among(self, among: Arc<Among>) -> Self {
        Self { among: Some(among), ..self }
    }

    /// The same table, whose scans count what they read in this process.
    #[must_use]
    pub fn with_reads(self, reads: Arc<FileReads>) -> Self {
        Self { reads: Some(reads), ..self }
    }

    /// The same table, of which only these rows are read.
    #[must_use]
    pub(crate) fn with_rows(self, rows: RowChoice) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// The same table, whose filters run while Parquet is decoded, those of joins included, so that
    /// columns of rows that fall out are not.
    #[must_use]
    pub(crate) fn decoding_late(self) -> Self {
        Self { decodes_late: true, ..self }
    }

    /// The live rows of each data file.
    ///
    /// # Errors
    /// As a scan.
    pub async fn live_rows(&self) -> Result<HashMap<String, u64>> {
        let slices = self.slices().await?;
        Ok(slices.into_iter().map(|(path, slice)| (path, slice.live_rows())).collect())
    }

    /// The data files that hold a live row, by path, each with its deleted positions.
    ///
    /// # Errors
    /// As a scan.
    pub async fn slices(&self) -> Result<HashMap<String, Arc<FileSlice>>> {
        let selected = self.select(None).await?;
        let slices = selected.files.into_iter().map(|file| file.slice);
        Ok(slices.map(|slice| (slice.path.clone(), slice)).collect())
    }

    /// The table's properties.
    pub(super) fn properties(&self) -> &HashMap<String, String> {
        self.table.metadata().properties()
    }

    /// Of files that were found for a few keys of a join, asks the bloom filters, and takes those away
    /// that hold none.
    pub(crate) async fn ask_blooms(&self, doubtful: Doubtful, candidates: &mut Candidates) {
        let none = doubtful.without_a_key(self.table.file_io(), self.reads.as_deref()).await;
        candidates.rule_out(&none);
    }

    /// The schema that is read, as Iceberg has it.
    pub fn iceberg_schema(&self) -> &Arc<Schema> {
        &self.iceberg
    }

    /// Each data file with its deleted rows, its partition in the types that columns have now.
    ///
    /// # Errors
    /// As a scan.
    pub(crate) async fn file_deletes(&self) -> Result<Vec<FileDeletes>> {
        let Selected { files, own_deletes, .. } = self.select(None).await?;
        let mut own: HashMap<String, Vec<String>> = HashMap::new();
        for (about, delete_file) in own_deletes {
            own.entry(about).or_default().push(delete_file);
        }
        let schema = self.table.metadata().current_schema();
        let partition = |live: &LiveFile| match live.spec.partition_type(schema) {
            Ok(kinds) => widened(live.data().partition(), &kinds),
            // A column of the spec is gone, and with it the type that it had.
            Err(_) => live.data().partition().clone(),
        };
        Ok(files
            .into_iter()
            .map(|SelectedFile { slice, live }| FileDeletes {
                delete_files: own.remove(&slice.path).unwrap_or_default(),
                deletes: DeletesOf {
                    data_file: slice.path.clone(),
                    spec_id: live.spec.spec_id(),
                    partition: partition(&live),
                    positions: slice.deleted.clone(),
                },
            })
            .collect())
    }

    /// The paths of all live files, of data and of deletes.
    ///
    /// # Errors
    /// As a scan.
    pub(crate) async fn live_paths(&self) -> Result<HashSet<String>> {
        let Some(snapshot) = &self.snapshot else { return Ok(HashSet::new()) };
        let manifests = manifests(&self.table, snapshot).await?;
        let keep = vec![true; manifests.len()];
        let live = live_files(&self.table, manifests, &keep, &self.cache).await?;
        let files = live.data.iter().chain(&live.deletes);
        Ok(files.map(|file| file.data().file_path().to_string()).collect())
    }

    /// The live files and their deletes, without reading a row.
    ///
    /// # Errors
    /// As a scan.
    pub(crate) async fn inventory(&self) -> Result<Inventory> {
        match &self.snapshot {
            Some(snapshot) => {
                inventory(&self.table, snapshot, self.only.as_deref(), &self.cache).await
            }
            None => Ok(Inventory::default()),
        }
    }

    /// The snapshot that is read; `None` for a table without one.
    pub fn snapshot_id(&self) -> Option<i64> {
        self.snapshot.as_ref().map(|snapshot| snapshot.snapshot_id())
    }

    /// The table's own columns at that snapshot, each with its field id.
    pub fn columns(&self) -> &SchemaRef {
        &self.columns
    }

    fn keep_manifests(&self, manifests: &[ManifestFile], filter: Option<&FileFilter>) -> Vec<bool> {
        match filter {
            Some(filter) => filter.manifests(manifests, |spec_id| {
                self.table.metadata().partition_spec_by_id(spec_id).cloned()
            }),
            None => vec![true; manifests.len()],
        }
    }

    /// The live files that a filter's partition summaries leave, and the manifests that were read for
    /// it.
    ///
    /// # Errors
    /// As a scan.
    pub(super) async fn live_files(
        &self,
        filter: Option<&FileFilter>,
    ) -> Result<(LiveFiles, HashSet<String>)> {
        let Some(snapshot) = &self.snapshot else { return Ok(Default::default()) };
        let manifests = manifests(&self.table, snapshot).await?;
        let keep = self.keep_manifests(&manifests, filter);
        let read = manifests.iter().zip(&keep).filter(|(_, keep)| **keep);
        let read = read.map(|(manifest, _)| manifest.manifest_path.clone()).collect();
        let mut live = live_files(&self.table, manifests, &keep, &self.cache).await?;
        if let Some(only) = &self.only {
            live.data.retain(|file| only.contains(file.data().file_path()));
        }
        if let Some(among) = &self.among {
            live.data.retain(|file| among.holds(file.data().file_path()));
        }
        Ok((live, read))
    }

    /// The filter that some conditions on columns come to; `None` if it can leave no file out.
    pub(super) fn file_filter(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> DFResult<Option<FileFilter>> {
        let schema = Arc::clone(&self.schema).to_dfschema()?;
        let predicate = conjunction(filters.to_vec())
            .map(|filter| state.create_physical_expr(filter, &schema))
            .transpose()?;
        let max_in_list_size = state.config_options().execution.parquet.max_in_list_size;
        Ok(predicate.and_then(|predicate| {
            let (arrow, iceberg) = (Arc::clone(&self.schema), Arc::clone(&self.iceberg));
            FileFilter::new(predicate, arrow, iceberg, max_in_list_size)
        }))
    }

    /// Reads manifests and deletes, and leaves out what the filter does not need.
    pub(super) async fn select(&self, filter: Option<FileFilter>) -> Result<Selected> {
        let mut pruning = Pruning::default();
        let Some(snapshot) = &self.snapshot else {
            return Ok(Selected { files: Vec::new(), pruning, own_deletes: Vec::new() });
        };
        let manifests = manifests(&self.table, snapshot).await?;
        let mut keep = self.keep_manifests(&manifests, filter.as_ref());
        if let Some(among) = &self.among {
            let paths = manifests.iter().map(|manifest| &manifest.manifest_path);
            keep.iter_mut().zip(paths).for_each(|(keep, path)| *keep &= among.reads(path));
        }
        let live = live_files(&self.table, manifests, &keep, &self.cache).await?;
        let own_deletes = live.deletes.iter().filter_map(|delete| {
            let about = only_data_file(delete.data())?;
            Some((about, delete.data().file_path().to_string()))
        });
        let own_deletes = own_deletes.collect();
        let mut data = live.data;
        if let Some(only) = &self.only {
            data.retain(|file| only.contains(file.data().file_path()));
        }
        pruning.files = count(&data) + live.skipped;
        pruning.by_partition = live.skipped;
        if let Some(filter) = &filter {
            let keep = filter.partitions(&data);
            pruning.by_partition += retain(&mut data, &keep);
            let keep = filter.files(&data);
            pruning.by_bounds = retain(&mut data, &keep);
        }
        if let Some(among) = &self.among {
            let keep: Vec<bool> =
                data.iter().map(|file| among.holds(file.data().file_path())).collect();
            pruning.by_keys = retain(&mut data, &keep);
        }
        let mut deleted = position_deletes(self.table.file_io(), &data, &live.deletes).await?;
        let metadata = self.table.metadata();
        equality_deletes(metadata, &self.columns, &data, &live.deletes, &mut deleted).await?;
        let before = count(&data);
        let mut files = Vec::with_capacity(data.len());
        for live in data {
            let (path, rows) = (live.data().file_path(), live.data().record_count());
            let mut deleted = deleted.remove(path).unwrap_or_default();
            if let Some(choice) = &self.rows {
                deleted = choice.left_out(path, rows, deleted);
            }
            let slice = Arc::new(FileSlice {
                path: path.to_owned(),
                size_bytes: live.data().file_size_in_bytes(),
                rows,
                deleted,
                constants: constants(&self.columns, &live),
            });
            if slice.live_rows() > 0 {
                files.push(SelectedFile { slice, live });
            }
        }
        pruning.kept = u64::try_from(files.len()).unwrap_or(u64::MAX);
        pruning.empty = before - pruning.kept;
        Ok(Selected { files, pruning, own_deletes })
    }
}

/// Keeps the files that `keep` says, and tells how many went.
fn retain(files: &mut Vec<LiveFile>, keep: &[bool]) -> u64 {
    let before = count(files);
    let mut keep = keep.iter();
    files.retain(|_| keep.next().copied().unwrap_or(true));
    before - count(files)
}

fn count(files: &[LiveFile]) -> u64 {
    u64::try_from(files.len()).unwrap_or(u64::MAX)
}
