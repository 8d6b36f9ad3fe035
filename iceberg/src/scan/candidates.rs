//! Which files of a table may hold one of the keys that it is joined with, told from manifests alone
//! (B1).
//!
//! The keys pass by in batches and are not kept: of each file it is remembered whether a key, in all of
//! its columns at once, fell between the file's bounds. So memory follows the files, and neither how
//! many keys there are nor how far apart they lie makes a difference.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::filter;
use arrow::datatypes::DataType;
use datafusion::catalog::Session;
use datafusion::logical_expr::Expr;
use iceberg::spec::{DataFile, PartitionSpec};

use super::blooms::{BloomColumn, bloom_columns};
use super::files::LiveFile;
use super::provider::IcebergTable;
use super::prune::{Columns, FileFilter};
use super::sides::Side;
use super::statistics::SelectedFile;
use crate::{Error, ErrorKind, Result};

/// How many keys of a batch are looked at for one file before it is kept without a proof.
const MOST_LOOKS: usize = 4096;

/// A column of the table that is compared with a column of keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyColumn {
    /// Its name.
    pub(crate) name: String,
    /// The type that both are compared in.
    pub(crate) compared_as: DataType,
}

impl KeyColumn {
    /// Whether bounds of a column of type `from` are bounds of its values as `compared_as`. Floats say
    /// nothing: bounds leave NaN out, and they have two zeros.
    pub(crate) fn can_rule_out(from: &DataType, compared_as: &DataType) -> bool {
        if from.is_floating() || from.is_nested() {
            return false;
        }
        from == compared_as
            || (from.is_string() && compared_as.is_string())
            || (from.is_binary() && compared_as.is_binary())
            || match (from, compared_as) {
                (DataType::Int32, DataType::Int64)
                | (
                    DataType::Int32 | DataType::Int64 | DataType::Decimal128(..),
                    DataType::Decimal128(..),
                ) => true,
                (DataType::Date32, DataType::Timestamp(_, to)) => is_utc(to.as_deref()),
                // An instant stays what it is in another zone; a local time does not.
                (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, Some(_))) => true,
                (DataType::Timestamp(_, None), DataType::Timestamp(_, to)) => is_utc(to.as_deref()),
                _ => false,
            }
    }
}

/// Whether local times of a zone are in the order of instants.
fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("+00:00" | "UTC"))
}

/// The files that a look at keys has left.
#[derive(Debug, Default)]
pub(crate) struct Among {
    files: HashSet<String>,
    manifests: HashSet<String>,
}

impl Among {
    /// Whether a data file is one of them.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.files.contains(path)
    }

    /// Whether a manifest may list one of them, or deletes of their rows.
    pub(super) fn reads(&self, manifest: &str) -> bool {
        self.manifests.contains(manifest)
    }
}

/// The files of a table, and which of them a key was found for.
#[derive(Debug)]
pub(crate) struct Candidates {
    paths: Vec<String>,
    sizes_bytes: Vec<u64>,
    /// Key columns whose bloom filters can be asked.
    blooms: Vec<BloomColumn>,
    /// How many keys fell between the bounds of each file, where bloom filters can be asked.
    keys: Vec<usize>,
    manifests: HashSet<String>,
    found: Vec<bool>,
    sides: Vec<Side>,
    null_safe: bool,
}

impl IcebergTable {
    /// The files that a join with `keys` may need, as long as no key is known: those that `span`, a
    /// condition that every key meets, does not rule out. With `null_safe`, NULL is equal to NULL.
    ///
    /// # Errors
    /// As a scan.
    pub(crate) async fn candidates(
        &self,
        state: &dyn Session,
        keys: &[KeyColumn],
        span: &[Expr],
        null_safe: bool,
    ) -> Result<Candidates> {
        let filter = self.file_filter(state, span).map_err(crate::sql::from_datafusion)?;
        let (live, manifests) = self.live_files(filter.as_ref()).await?;
        let mut files = live.data;
        if let Some(filter) = &filter {
            files = kept(files, filter);
        }
        let columns = Columns {
            arrow: datafusion::catalog::TableProvider::schema(self),
            iceberg: Arc::clone(self.iceberg_schema()),
        };
        let mut sides = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            sides.extend(Side::new(&files, &columns, key, place)?);
        }
        Ok(Candidates {
            found: vec![false; files.len()],
            keys: vec![0; files.len()],
            blooms: if null_safe { Vec::new() } else { bloom_columns(self, keys) },
            sizes_bytes: files.iter().map(|file| file.data().file_size_in_bytes()).collect(),
            paths: files.iter().map(|file| file.data().file_path().to_string()).collect(),
            manifests,
            sides,
            null_safe,
        })
    }

    /// The files that a scan with these conditions would read.
    ///
    /// # Errors
    /// As a scan.
    pub(crate) async fn scanned_files(
        &self,
        state: &dyn Session,
        filters: &[Expr],
    ) -> Result<Vec<ScannedFile>> {
        let filter = self.file_filter(state, filters).map_err(crate::sql::from_datafusion)?;
        let files = self.select(filter).await?.files.into_iter();
        Ok(files
            .map(|SelectedFile { slice, live }| ScannedFile { rows: slice.live_rows(), live })
            .collect())
    }

    /// Whether conditions on columns can leave a file out.
    ///
    /// # Errors
    /// For a condition that cannot be evaluated.
    pub(crate) fn can_prune_by(&self, state: &dyn Session, filters: &[Expr]) -> Result<bool> {
        let filter = self.file_filter(state, filters).map_err(crate::sql::from_datafusion)?;
        Ok(filter.is_some())
    }
}

/// A file that a scan would read.
#[derive(Debug, Clone)]
pub(crate) struct ScannedFile {
    /// Rows that are not deleted.
    pub(crate) rows: u64,
    live: LiveFile,
}

impl ScannedFile {
    /// Path, partition, counts and bounds.
    pub(crate) fn data(&self) -> &DataFile {
        self.live.data()
    }

    /// The partition spec that its manifest was written with.
    pub(crate) fn spec(&self) -> &PartitionSpec {
        &self.live.spec
    }
}

fn kept(mut files: Vec<LiveFile>, filter: &FileFilter) -> Vec<LiveFile> {
    let mut keep = filter.files(&files).into_iter();
    files.retain(|_| keep.next().unwrap_or(true));
    files
}

impl Candidates {
    /// Whether each file has a key, so that more keys make no difference.
    pub(crate) fn all_found(&self) -> bool {
        self.blooms.is_empty() && self.found.iter().all(|found| *found)
    }

    /// The key columns whose bloom filters can be asked.
    pub(super) fn blooms(&self) -> &[BloomColumn] {
        &self.blooms
    }

    /// Path and bytes of a file.
    pub(super) fn file(&self, file: usize) -> (&str, u64) {
        (&self.paths[file], self.sizes_bytes[file])
    }

    /// The files that were found for so many keys at most, and whose bloom filters can be asked.
    pub(super) fn few(&self, most: usize) -> Vec<usize> {
        let few = |file: &usize| self.found[*file] && (1..=most).contains(&self.keys[*file]);
        let files = 0..if self.blooms.is_empty() { 0 } else { self.paths.len() };
        files.filter(few).collect()
    }

    /// Takes files away that hold no key.
    pub(crate) fn rule_out(&mut self, files: &[usize]) {
        files.iter().for_each(|file| self.found[*file] = false);
    }

    /// Tells of each of `files` which of the keys without a NULL fall between its bounds: `each` is
    /// called with these keys and the file's rows of them.
    pub(super) fn keys_of(
        &self,
        files: &[usize],
        keys: &[ArrayRef],
        mut each: impl FnMut(&[ArrayRef], &mut dyn Iterator<Item = usize>),
    ) -> Result<()> {
        let keys = whole(keys, true)?;
        let columns = self.sides.iter().map(|side| side.ordered(&keys[side.key]));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        for file in files {
            let ranges = self.sides.iter().zip(&columns);
            let ranges = ranges.map(|(side, column)| (side.range(*file, column), column));
            let Some((range, column)) = ranges.min_by_key(|(range, _)| range.len()) else {
                continue;
            };
            let sides = || self.sides.iter().zip(&columns);
            let holds = |row: &usize| sides().all(|(side, column)| side.holds(*file, column, *row));
            each(&keys, &mut column.order[range].iter().copied().filter(holds));
        }
        Ok(())
    }

    /// Looks at keys: of each column as many values, in the type that they are compared in.
    ///
    /// # Errors
    /// `Internal` for columns of other types.
    pub(crate) fn look_at(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let rows = keys.first().map_or(0, |first| first.len());
        let complete = whole(keys, true)?;
        let complete_rows = complete.first().map_or(0, |first| first.len());
        if complete_rows > 0 {
            self.look_at_whole(&complete)?;
        }
        if self.null_safe && complete_rows < rows {
            self.look_at_partly(&whole(keys, false)?)?;
        }
        Ok(())
    }

    /// Keys without a NULL. Each column has its own order, so that a file's own range is found in it.
    fn look_at_whole(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let columns = self.sides.iter().map(|side| side.ordered(&keys[side.key]));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let counts = !self.blooms.is_empty();
        for (file, found) in self.found.iter_mut().enumerate() {
            if *found && !counts {
                continue;
            }
            let ranges = self.sides.iter().zip(&columns);
            let narrowest = ranges
                .map(|(side, column)| (side.range(file, column), column))
                .min_by_key(|(range, _)| range.len());
            let Some((range, column)) = narrowest else {
                *found = true;
                continue;
            };
            self.keys[file] += range.len();
            if *found {
                continue;
            }
            let too_many = range.len() > MOST_LOOKS;
            let mut looked = column.order[range].iter().take(MOST_LOOKS);
            let sides = || self.sides.iter().zip(&columns);
            let hit =
                looked.any(|row| sides().all(|(side, column)| side.holds(file, column, *row)));
            *found = hit || too_many;
        }
        Ok(())
    }

    /// Keys with a NULL, where NULL is equal to NULL. There are few of them.
    fn look_at_partly(&mut self, keys: &[ArrayRef]) -> Result<()> {
        let columns = self.sides.iter().map(|side| side.ordered(&keys[side.key]));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = keys.first().map_or(0, |column| column.len());
        for (file, found) in self.found.iter_mut().enumerate().filter(|(_, found)| !**found) {
            let hit = (0..rows.min(MOST_LOOKS)).any(|row| {
                self.sides.iter().zip(&columns).all(|(side, column)| {
                    match keys[side.key].is_null(row) {
                        true => side.nulls[file],
                        false => side.holds(file, column, row),
                    }
                })
            });
            *found = hit || rows > MOST_LOOKS;
        }
        Ok(())
    }

    /// The files that a key was found for.
    pub(crate) fn among(self) -> Among {
        let files = self.paths.into_iter().zip(self.found);
        let files: HashSet<String> =
            files.filter_map(|(path, found)| found.then_some(path)).collect();
        let manifests = if files.is_empty() { HashSet::new() } else { self.manifests };
        Among { files, manifests }
    }
}

/// The keys without a NULL, or those with one.
fn whole(keys: &[ArrayRef], wanted: bool) -> Result<Vec<ArrayRef>> {
    let rows = keys.first().map_or(0, |first| first.len());
    let is_whole = |row: usize| keys.iter().all(|column| column.is_valid(row));
    let chosen: BooleanArray = (0..rows).map(|row| Some(is_whole(row) == wanted)).collect();
    if chosen.true_count() == rows {
        return Ok(keys.to_vec());
    }
    keys.iter().map(|column| filter(column, &chosen).map_err(defect)).collect()
}

pub(super) fn defect(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "keys cannot be compared with the bounds of files")
        .with_source(error)
}
