//! Change rows, checked and put aside on disk with their position in the source's log.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use northstar_iceberg::Lake;
use northstar_iceberg::merge::{Aside, AsideWriter};
use northstar_iceberg::observer::Event;

use super::faults::Faults;
use super::files::{ChangeFile, Format};
use super::position::Positions;
use super::target::Target;
use super::{columns, csv, parquet};
use crate::sources::csv::{Column, CsvOptions, Renames};
use crate::{Error, ErrorKind, Result};

/// Columns of staged rows behind those of the source.
pub(super) const STAGED_OP: &str = "__op";
pub(super) const STAGED_POSITION: &str = "__position";
pub(super) const STAGED_FILE: &str = "__file";
pub(super) const STAGED_LINE: &str = "__line";

pub(super) const DELETE: i32 = 1;
const INSERT: i32 = 2;
const BEFORE_IMAGE: i32 = 3;
const UPDATE: i32 = 4;

/// The change rows of a batch.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) rows: Aside,
    pub(super) counts: StagedCounts,
    /// The position of the last change of the batch.
    pub(super) last_position: Option<String>,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StagedCounts {
    /// Change rows in all.
    pub(super) read_rows: u64,
    /// Of these, rows as they were before an update, which say nothing new.
    pub(super) before_images: u64,
    /// Of these, changes at or before the watermark.
    pub(super) skipped_rows: u64,
}

/// Takes change rows.
#[derive(Debug)]
pub(super) struct Stage {
    writer: AsideWriter,
    /// Where the columns of the key are among those of a change row.
    key: Vec<(usize, String)>,
    positions: Positions,
    /// Changes up to here are skipped.
    skip_to: Option<String>,
    last_position: Option<String>,
    pub(super) faults: Faults,
    counts: StagedCounts,
}

/// What a batch is staged with.
#[derive(Debug)]
pub(super) struct Staging<'a> {
    pub(super) lake: &'a Lake,
    pub(super) scratch_folder: &'a Path,
    pub(super) target: &'a Target,
    pub(super) renames: &'a Renames,
    pub(super) csv: &'a CsvOptions,
    /// The position up to which the table holds the changes of its source.
    pub(super) watermark: Option<&'a str>,
    /// Whether changes up to there are skipped.
    pub(super) skip: bool,
}

impl Staging<'_> {
    /// Reads all files. Blocking.
    ///
    /// # Errors
    /// `InvalidData` naming file, line and column of the first faults, if there are any; those of
    /// reading and of putting rows aside.
    pub(super) fn stage(&self, files: &[ChangeFile]) -> Result<Staged> {
        let Self { lake, target, .. } = *self;
        let columns: Vec<Column> =
            columns::of_changes().into_iter().chain(target.columns.iter().cloned()).collect();
        let mut stage = Stage {
            writer: AsideWriter::create(
                self.scratch_folder,
                lake.ids.uuid(),
                staged_schema(&target.columns),
            )?,
            key: key_places(&columns, &target.key),
            positions: Positions::like(self.watermark),
            skip_to: self.watermark.filter(|_| self.skip).map(str::to_string),
            last_position: None,
            faults: Faults::default(),
            counts: StagedCounts::default(),
        };
        for (number, file) in files.iter().enumerate() {
            let (name, bytes) = (file.name().to_string(), file.bytes());
            lake.observer.event(&Event::FileOpened { file: name, bytes });
            match file.format {
                Format::Csv => {
                    let source = csv::Source { columns: &columns, renames: self.renames };
                    source.read(&mut stage, number, file, self.csv, lake.observer.as_ref())?;
                }
                Format::Parquet => parquet::read(&mut stage, number, file, &columns, self.renames)?,
            }
            file.check_unchanged()?;
        }
        match stage.faults.error() {
            Some(error) => Err(error),
            None => Ok(Staged {
                rows: stage.writer.finish()?,
                counts: stage.counts,
                last_position: stage.last_position,
            }),
        }
    }
}

impl Stage {
    /// Checks rows of file number `file` and puts them aside. Their columns are those of changes and
    /// then the source's; `lines` say where each stands.
    pub(super) fn add(
        &mut self,
        (file, name): (usize, &str),
        rows: &RecordBatch,
        lines: &[i64],
    ) -> Result<()> {
        let defect = || Error::new(ErrorKind::Internal, "change rows have other columns");
        let ops = rows.column(0).as_primitive_opt::<Int32Type>().ok_or_else(defect)?;
        let lsns = rows.column(1).as_string_opt::<i32>().ok_or_else(defect)?;
        let commands = rows.column(2).as_primitive_opt::<Int64Type>().ok_or_else(defect)?;
        let seqvals = rows.column(3).as_string_opt::<i32>().ok_or_else(defect)?;
        let text = |texts: &StringArray, row: usize| {
            texts.is_valid(row).then(|| texts.value(row).to_string())
        };
        let mut positions = Vec::with_capacity(rows.num_rows());
        for (row, line) in lines.iter().enumerate() {
            let op = ops.is_valid(row).then(|| ops.value(row));
            let (lsn, seqval) = (text(lsns, row), text(seqvals, row));
            let command = commands.is_valid(row).then(|| commands.value(row));
            let made = self.positions.position(lsn.as_deref(), command, seqval.as_deref());
            let position = match made {
                Ok(position) => position,
                Err(bad) => {
                    self.faults.add(name, *line, Some(bad.column), &bad.reason);
                    positions.push(None);
                    continue;
                }
            };
            let null = self.key.iter().find(|(place, _)| rows.column(*place).is_null(row));
            positions.push(match (op, null) {
                (Some(BEFORE_IMAGE), _) => {
                    self.counts.before_images += 1;
                    None
                }
                (Some(DELETE | INSERT | UPDATE), Some((_, column))) => {
                    self.faults.add(name, *line, Some(column), "the key is NULL");
                    None
                }
                (Some(DELETE | INSERT | UPDATE), None) => self.keep(position),
                _ => {
                    let reason = "it is no operation; 1 deletes, 2 inserts, 3 and 4 update";
                    self.faults.add(name, *line, Some(columns::OP), reason);
                    None
                }
            });
        }
        self.counts.read_rows += u64::try_from(rows.num_rows()).unwrap_or(0);
        self.write(file, rows, lines, &StringArray::from(positions))
    }

    /// The position of a change that counts.
    fn keep(&mut self, position: String) -> Option<String> {
        if self.skip_to.as_ref().is_some_and(|skip_to| position <= *skip_to) {
            self.counts.skipped_rows += 1;
            return None;
        }
        if self.last_position.as_ref().is_none_or(|last| position > *last) {
            self.last_position = Some(position.clone());
        }
        Some(position)
    }

    /// Puts the rows that have a position aside.
    fn write(
        &mut self,
        file: usize,
        rows: &RecordBatch,
        lines: &[i64],
        positions: &StringArray,
    ) -> Result<()> {
        let failed = |error: arrow::error::ArrowError| {
            Error::new(ErrorKind::Internal, "change rows cannot be staged").with_source(error)
        };
        let number = i32::try_from(file).unwrap_or(i32::MAX);
        let mut columns: Vec<ArrayRef> = rows.columns()[columns::of_changes().len()..].to_vec();
        columns.push(Arc::clone(rows.column(0)));
        columns.push(Arc::new(positions.clone()));
        columns.push(Arc::new(Int32Array::from_value(number, rows.num_rows())));
        columns.push(Arc::new(Int64Array::from(lines.to_vec())));
        let kept: BooleanArray =
            (0..rows.num_rows()).map(|row| Some(positions.is_valid(row))).collect();
        let staged = RecordBatch::try_new(Arc::clone(self.writer.schema()), columns)
            .and_then(|rows| filter_record_batch(&rows, &kept))
            .map_err(failed)?;
        self.writer.write(&staged)
    }
}

fn staged_schema(source: &[Column]) -> SchemaRef {
    let source =
        source.iter().map(|column| Field::new(&column.name, column.column_type.to_arrow(), true));
    let added = [
        Field::new(STAGED_OP, DataType::Int32, true),
        Field::new(STAGED_POSITION, DataType::Utf8, true),
        Field::new(STAGED_FILE, DataType::Int32, true),
        Field::new(STAGED_LINE, DataType::Int64, true),
    ];
    Arc::new(Schema::new(source.chain(added).collect::<Vec<_>>()))
}

fn key_places(columns: &[Column], key: &[String]) -> Vec<(usize, String)> {
    let named = columns.iter().enumerate().filter(|(_, column)| key.contains(&column.name));
    named.map(|(place, column)| (place, column.name.clone())).collect()
}
