//! Position deletes: which rows of which file are gone.
//!
//! Source: <https://iceberg.apache.org/spec/#scan-planning>

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt, TryStreamExt, stream};
use iceberg::io::FileIO;
use iceberg::spec::{DataContentType, DataFile, DataFileFormat, Datum, PrimitiveLiteral, Struct};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use roaring::RoaringTreemap;

use super::files::{CONCURRENT_READS, LiveFile, stopped, unreadable};
use super::partition::comparable;
use crate::{Error, ErrorKind, Result};

/// The id that the specification reserves for `file_path` in position-delete files.
const FILE_PATH_ID: i32 = i32::MAX - 101;

/// The deleted positions of each data file, by its path.
pub(super) type Deleted = HashMap<String, RoaringTreemap>;

/// The data files that a delete file may reach, with their row counts.
type Reach = HashMap<String, u64>;

/// Reads the position deletes of `files`. A delete file is opened only if it can reach one of them.
///
/// # Errors
/// `Unsupported` for deletion vectors and formats other than Parquet, `Damaged` for a
/// delete file that cannot be read or names a row that is not there; both name the file.
pub(super) async fn position_deletes(
    file_io: &FileIO,
    files: &[LiveFile],
    deletes: &[LiveFile],
) -> Result<Deleted> {
    let index = Index::new(files);
    let mut wanted = Vec::new();
    for delete in deletes {
        check_delete_file(delete)?;
        if delete.data().content_type() == DataContentType::EqualityDeletes {
            continue;
        }
        let reach = index.reach(delete);
        if !reach.is_empty() {
            let own = only_data_file(delete.data());
            wanted.push((delete.data().file_path().to_owned(), own, reach));
        }
    }
    let mut read = stream::iter(wanted)
        .map(|(path, own, reach)| {
            let file_io = file_io.clone();
            let read = async move { read_file(&file_io, &path, own.as_deref(), &reach).await };
            let task = SpawnedTask::spawn(read);
            async move { task.join().await.map_err(stopped)? }
        })
        .buffered(CONCURRENT_READS);
    let mut deleted = Deleted::new();
    while let Some(found) = read.try_next().await? {
        for (path, positions) in found {
            *deleted.entry(path).or_default() |= positions;
        }
    }
    Ok(deleted)
}

/// The files of position deletes, each with the data files among `files` that it may speak of.
/// Equality deletes are not among them: they may reach files of any partition, so none is ever known
/// to be of no more use.
pub(super) fn reached<'a>(
    files: &[LiveFile],
    deletes: &'a [LiveFile],
) -> Vec<(&'a LiveFile, HashSet<String>)> {
    let index = Index::new(files);
    let reach = |delete| index.reach(delete).into_keys().collect();
    let positions = deletes
        .iter()
        .filter(|delete| delete.data().content_type() == DataContentType::PositionDeletes);
    positions.map(|delete| (delete, reach(delete))).collect()
}

fn check_delete_file(file: &LiveFile) -> Result<()> {
    let data = file.data();
    let reason = match (data.content_type(), data.file_format()) {
        (
            DataContentType::PositionDeletes | DataContentType::EqualityDeletes,
            DataFileFormat::Parquet,
        ) => return Ok(()),
        (DataContentType::PositionDeletes, DataFileFormat::Puffin) => {
            "deletion vectors cannot be read yet".to_owned()
        }
        (DataContentType::PositionDeletes | DataContentType::EqualityDeletes, format) => {
            format!("{format} delete files cannot be read, only Parquet")
        }
        (DataContentType::Data, _) => "a data file stands in a delete manifest".to_owned(),
    };
    Err(Error::new(ErrorKind::Unsupported, reason).with_context("file", data.file_path()))
}

/// The data files of a scan, as delete files name them.
struct Index<'a> {
    by_path: HashMap<&'a str, &'a LiveFile>,
    by_partition: HashMap<(i32, Struct), Vec<&'a LiveFile>>,
}

impl<'a> Index<'a> {
    fn new(files: &'a [LiveFile]) -> Self {
        let mut by_partition: HashMap<_, Vec<_>> = HashMap::new();
        for file in files {
            let partition = (file.spec.spec_id(), comparable(file.data().partition()));
            by_partition.entry(partition).or_default().push(file);
        }
        let by_path = files.iter().map(|file| (file.data().file_path(), file)).collect();
        Self { by_path, by_partition }
    }

    /// The data files that a delete file may speak of: those that were there when it was written,
    /// and of them the one that it refers to, or else those of its partition.
    fn reach(&self, delete: &LiveFile) -> Reach {
        let data = delete.data();
        let (low, high) = path_bounds(data);
        let files: Vec<&LiveFile> = match only_data_file(data) {
            Some(own) => self.by_path.get(own.as_str()).into_iter().copied().collect(),
            None => {
                let partition = (delete.spec.spec_id(), comparable(data.partition()));
                let all = self.by_partition.get(&partition).into_iter().flatten().copied();
                all.filter(|file| {
                    let path = file.data().file_path();
                    low.as_deref().is_none_or(|low| low <= path)
                        && high.as_deref().is_none_or(|high| path <= high)
                })
                .collect()
            }
        };
        files
            .into_iter()
            .filter(|file| file.sequence <= delete.sequence)
            .map(|file| (file.data().file_path().to_owned(), file.data().record_count()))
            .collect()
    }
}

/// The bounds of the paths in a position-delete file. Both being equal, they are the whole path.
fn path_bounds(delete: &DataFile) -> (Option<String>, Option<String>) {
    let bound = |bounds: &HashMap<i32, Datum>| match bounds.get(&FILE_PATH_ID)?.literal() {
        PrimitiveLiteral::String(path) => Some(path.clone()),
        _ => None,
    };
    (bound(delete.lower_bounds()), bound(delete.upper_bounds()))
}

/// The one data file that a position-delete file is about, if it is about one alone.
pub(crate) fn only_data_file(delete: &DataFile) -> Option<String> {
    let (low, high) = path_bounds(delete);
    delete.referenced_data_file().or_else(|| low.filter(|low| high.as_ref() == Some(low)))
}

/// Reads a delete file; of one that is about its `own` data file alone, nothing but positions.
async fn read_file(
    file_io: &FileIO,
    path: &str,
    own: Option<&str>,
    reach: &Reach,
) -> Result<Deleted> {
    let read = match file_io.new_input(path) {
        Ok(input) => input.read().await,
        Err(error) => Err(error),
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => return Err(unreadable(error, file_io, path, "delete file").await),
    };
    // Types come from Parquet, not from what the writer noted of its own arrow types.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let batches = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
        .and_then(|builder| {
            let columns = match own {
                Some(_) => ProjectionMask::columns(builder.parquet_schema(), ["pos"]),
                None => ProjectionMask::all(),
            };
            builder.with_projection(columns).build()
        })
        .map_err(|source| damaged(path, "cannot read a delete file").with_source(source))?;
    let mut deleted = Deleted::new();
    for batch in batches {
        let batch = batch
            .map_err(|source| damaged(path, "cannot read a delete file").with_source(source))?;
        add_positions(&batch, path, own, reach, &mut deleted)?;
    }
    Ok(deleted)
}

fn add_positions(
    batch: &RecordBatch,
    path: &str,
    own: Option<&str>,
    reach: &Reach,
    to: &mut Deleted,
) -> Result<()> {
    let column = |name: &str, data_type: &DataType| {
        batch
            .column_by_name(name)
            .filter(|column| column.data_type() == data_type && column.null_count() == 0)
            .ok_or_else(|| damaged(path, "a delete file needs `file_path` and `pos`, without NULL"))
    };
    let positions = column("pos", &DataType::Int64)?.as_primitive::<Int64Type>();
    let mut add = |data_file: &str, positions: &[i64]| {
        let Some(rows) = reach.get(data_file) else { return Ok(()) };
        let deleted = to.entry(data_file.to_owned()).or_default();
        for position in positions {
            let position = u64::try_from(*position).ok().filter(|position| position < rows);
            deleted.insert(position.ok_or_else(|| {
                damaged(path, "a delete file names a row that its data file does not have")
            })?);
        }
        Ok(())
    };
    if let Some(own) = own {
        return add(own, positions.values());
    }
    let paths = column("file_path", &DataType::Utf8)?.as_string::<i32>();
    // Rows are sorted by file, so each run of one file is looked up once.
    let mut from = 0;
    while from < batch.num_rows() {
        let data_file = paths.value(from);
        let run = (from..batch.num_rows()).take_while(|row| paths.value(*row) == data_file).count();
        add(data_file, &positions.values()[from..from + run])?;
        from += run;
    }
    Ok(())
}

fn damaged(path: &str, message: &str) -> Error {
    Error::new(ErrorKind::Damaged, message).with_context("file", path)
}
