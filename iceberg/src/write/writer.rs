//! The writer of a table: takes batches, keeps within its memory, yields data files.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef as ArrowSchemaRef;
use iceberg::spec::{DataFile, TableMetadata};
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::Expansion;
use super::chunk::{Chunk, GATHER_BYTES, SortedChunk};
use super::data_file::{DataFileWriter, Target};
use super::partition::Partitioner;
use super::runs::{Run, merge};
use super::spill::Spill;
use crate::ids::Ids;
use crate::lake::Lake;
use crate::observer::{Event, Observer};
use crate::table::LakeTable;
use crate::{Error, ErrorKind, Result, storage};

/// Spilled chunks are merged into files once there are this many, so that the buffers that read
/// them back stay few.
const MOST_SPILLS: usize = 32;

/// Partitions with less than one in this many of the rows that others have on average have few.
const FEW_SHARE: usize = 4;
/// A row group does not end before this for want of memory.
const LEAST_GROUP_BYTES: usize = 4 << 20;
/// Rows of a spilled chunk are read back in batches of at least about this size.
const LEAST_BATCH_BYTES: usize = 64 << 10;

/// How a write uses the machine.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// How much memory rows may take before they are put aside on disk, in bytes. Encoding takes
    /// about as much on top: each thread has a row group under way, which ends at its share.
    pub memory_bytes: usize,
    /// Where rows are put aside; made at need, readable by its owner alone.
    pub spill_folder: PathBuf,
    /// How many files are encoded at once.
    pub threads: usize,
}

/// Files that were written and that no snapshot refers to yet.
#[derive(Debug, Default)]
pub struct Written {
    /// The descriptions of the files.
    pub files: Vec<DataFile>,
    /// The rows in them.
    pub rows: u64,
    /// Bytes that were put aside on disk on the way.
    pub spilled_bytes: u64,
}

impl Written {
    /// Adds the files of another write of the same table.
    pub(crate) fn extend(&mut self, more: Self) {
        self.files.extend(more.files);
        self.rows += more.rows;
        self.spilled_bytes += more.spilled_bytes;
    }

    /// Removes the files, for a write that will not be committed.
    pub fn discard(self) {
        let locations: Vec<String> =
            self.files.iter().map(|file| file.file_path().to_string()).collect();
        storage::discard(&locations);
    }
}

/// Writes rows into data files of one table. Blocking: run it outside async code.
#[derive(Debug)]
pub struct TableWriter {
    target: Target,
    options: WriteOptions,
    pool: rayon::ThreadPool,
    partitioner: Partitioner,
    /// The columns to sort by.
    sort: Vec<usize>,
    chunk: Chunk,
    spills: Vec<Spill>,
    /// The partitions that had a file written before the end.
    early: BTreeSet<usize>,
    written: Written,
}

impl TableWriter {
    /// A writer for the table's current schema, partition spec and sort order. `commit_id` becomes
    /// part of each file's name.
    ///
    /// # Errors
    /// `Unsupported` for a table of another format version, type or transform than this writes;
    /// `InvalidInput` for table properties that make no sense.
    pub fn new(
        lake: &Lake,
        table: &LakeTable,
        commit_id: &str,
        options: WriteOptions,
    ) -> Result<Self> {
        table.check_writable()?;
        let (ids, observer) = (Arc::clone(&lake.ids), Arc::clone(&lake.observer));
        Self::for_metadata(table.metadata(), commit_id, options, ids, observer)
    }

    /// The same where there is no lake, as on an executor.
    ///
    /// # Errors
    /// As [`TableWriter::new`].
    pub fn for_metadata(
        metadata: &TableMetadata,
        commit_id: &str,
        options: WriteOptions,
        ids: Arc<dyn Ids>,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        let sort = sort_columns(metadata);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads.max(1))
            .thread_name(|index| format!("encode-{index}"))
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "the encoding threads cannot be started")
                    .with_source(error)
            })?;
        let mut target = Target::of(metadata, commit_id, ids, observer)?;
        let share_bytes = options.memory_bytes / options.threads.max(1);
        target.properties.row_group_bytes =
            target.properties.row_group_bytes.min(share_bytes.max(LEAST_GROUP_BYTES));
        Ok(Self {
            partitioner: Partitioner::new(&target.spec, &target.schema)?,
            target,
            options,
            pool,
            sort,
            chunk: Chunk::default(),
            spills: Vec::new(),
            early: BTreeSet::new(),
            written: Written::default(),
        })
    }

    /// The same writer for narrow rows, which become the table's when they are encoded.
    ///
    /// # Errors
    /// `Unsupported` if the table is partitioned or sorted by a column that narrow rows lack.
    pub fn with_expansion(mut self, expansion: Expansion) -> Result<Self> {
        let needed: Vec<usize> =
            self.partitioner.columns().chain(self.sort.iter().copied()).collect();
        expansion.check(&self.target.arrow_schema, &needed)?;
        self.target.expansion = Some(expansion);
        Ok(self)
    }

    /// The columns that batches must have, in order.
    pub fn schema(&self) -> &ArrowSchemaRef {
        self.target.expansion.as_ref().map_or(&self.target.arrow_schema, Expansion::narrow)
    }

    /// Takes rows.
    ///
    /// # Errors
    /// `InvalidData` for columns other than [`TableWriter::schema`]; storage errors.
    pub fn write(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let columns = self.schema().fields();
        let fits = batch.num_columns() == columns.len()
            && batch.columns().iter().zip(columns).all(|(values, column)| {
                values.data_type() == column.data_type()
                    && (column.is_nullable() || values.null_count() == 0)
            });
        if !fits {
            return Err(Error::new(ErrorKind::InvalidData, "rows do not fit the table's columns"));
        }
        let numbers = self.partitioner.numbers(&batch)?;
        self.chunk.push(batch, numbers);
        if self.chunk.bytes() >= self.options.memory_bytes {
            self.make_room()?;
        }
        Ok(())
    }

    /// Writes what is left and gives all files.
    ///
    /// # Errors
    /// Storage errors; the files are removed then.
    pub fn finish(mut self) -> Result<Written> {
        // The last chunk is small or the only one: it is written from memory.
        let last = std::mem::take(&mut self.chunk).into_sorted(&self.sort, GATHER_BYTES)?;
        self.write_all(&last)?;
        self.target.observer.event(&Event::DataFilesComplete);
        Ok(std::mem::take(&mut self.written))
    }

    /// Writes partitions that seem complete, if most of the rows are of them; else puts all rows
    /// aside. A partition is written early once, so stragglers cost it one file more at the end. One
    /// with far fewer rows than others is not complete: those are the first of it, such as the rows
    /// that a statement updates and inserts beside the ones that stay.
    fn make_room(&mut self) -> Result<()> {
        let mut quiet = self.chunk.quiet();
        quiet.retain(|(partition, _)| !self.early.contains(partition));
        let rows: usize = quiet.iter().map(|(_, rows)| rows).sum();
        let few = rows / (FEW_SHARE * quiet.len().max(1));
        quiet.retain(|(_, rows)| *rows >= few);
        let rows: usize = quiet.iter().map(|(_, rows)| rows).sum();
        if rows * 2 < self.chunk.rows() {
            return self.spill();
        }
        let partitions: BTreeSet<usize> =
            quiet.into_iter().map(|(partition, _)| partition).collect();
        let sorted = std::mem::take(&mut self.chunk).into_sorted_of(&self.sort, &partitions)?;
        let mut spills = std::mem::take(&mut self.spills);
        self.write_runs(&partitions, &spills, &sorted)?;
        spills.retain_mut(|spill| {
            partitions.iter().fold(true, |_, partition| spill.forget(*partition))
        });
        self.spills = spills;
        self.early.extend(partitions);
        self.chunk = Arc::into_inner(sorted)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "rows are still read"))?
            .into_rest()?;
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        // Of each chunk, one such batch is in memory for each thread when they are merged.
        let batches = 2 * MOST_SPILLS * self.options.threads.max(1);
        let gather_bytes = (self.options.memory_bytes / batches).max(LEAST_BATCH_BYTES);
        let sorted = std::mem::take(&mut self.chunk).into_sorted(&self.sort, gather_bytes)?;
        if self.spills.len() + 1 >= MOST_SPILLS {
            return self.write_all(&sorted);
        }
        let spill = Spill::write(&sorted, &self.options.spill_folder, self.target.ids.as_ref())?;
        self.written.spilled_bytes += spill.bytes();
        self.target.observer.event(&Event::Spilled { bytes: spill.bytes() });
        self.spills.push(spill);
        Ok(())
    }

    /// Writes what was spilled, and the rows of `last`, as files.
    fn write_all(&mut self, last: &Arc<SortedChunk>) -> Result<()> {
        let spills = std::mem::take(&mut self.spills);
        let partitions: BTreeSet<usize> =
            spills.iter().flat_map(Spill::partitions).chain(last.partitions()).collect();
        self.write_runs(&partitions, &spills, last)
    }

    /// Writes the rows that some partitions have in `spills` and `last` as files.
    fn write_runs(
        &mut self,
        partitions: &BTreeSet<usize>,
        spills: &[Spill],
        last: &Arc<SortedChunk>,
    ) -> Result<()> {
        self.encode(partitions.iter().copied().collect(), |writer, partition, file| {
            let mut runs: Vec<Run> = Vec::new();
            for spill in spills {
                if let Some(rows) = spill.rows(partition)? {
                    runs.push(Box::new(rows));
                }
            }
            if last.has(partition) {
                runs.push(Box::new(last.rows(partition)));
            }
            merge(runs, &writer.sort, |batch| file.write(batch))
        })
    }

    /// Encodes partitions, several at once; if one fails, none of their files is left.
    fn encode(
        &mut self,
        partitions: Vec<usize>,
        fill: impl Fn(&Self, usize, &mut DataFileWriter<'_>) -> Result<()> + Sync,
    ) -> Result<()> {
        let done: Mutex<Vec<(usize, Vec<DataFile>)>> = Mutex::new(Vec::new());
        let this: &Self = self;
        let outcome = this.pool.install(|| {
            partitions.into_par_iter().try_for_each(|partition| {
                let value = &this.partitioner.values()[partition];
                let mut file = DataFileWriter::new(&this.target, value);
                fill(this, partition, &mut file)?;
                let files = file.finish()?;
                if let Ok(mut done) = done.lock() {
                    done.push((partition, files));
                }
                Ok(())
            })
        });
        let mut done = done.into_inner().unwrap_or_default();
        done.sort_by_key(|(partition, _)| *partition);
        self.written.files.extend(done.into_iter().flat_map(|(_, files)| files));
        self.written.rows = self.written.files.iter().map(DataFile::record_count).sum();
        outcome
    }
}

/// A writer that is given up takes its files with it.
impl Drop for TableWriter {
    fn drop(&mut self) {
        std::mem::take(&mut self.written).discard();
    }
}

/// The positions of the columns that the table's default order sorts by. An order that this writer
/// cannot make (transforms, descending) leaves files unsorted, and they do not claim to be sorted.
pub(crate) fn sort_columns(metadata: &TableMetadata) -> Vec<usize> {
    use iceberg::spec::{NullOrder, SortDirection, Transform};
    let fields = metadata.current_schema().as_struct().fields();
    let columns = metadata.default_sort_order().fields.iter().map(|field| {
        let plain = field.transform == Transform::Identity
            && field.direction == SortDirection::Ascending
            && field.null_order == NullOrder::First;
        plain.then(|| fields.iter().position(|column| column.id == field.source_id)).flatten()
    });
    columns.collect::<Option<Vec<usize>>>().unwrap_or_default()
}
