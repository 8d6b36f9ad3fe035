//! Change rows from CSV files.

use northstar_iceberg::observer::{Event, Observer};

use super::files::ChangeFile;
use super::stage::Stage;
use crate::Result;
use crate::sources::csv::{Column, CsvOptions, CsvReader, Renames};

/// What CSV files of a batch have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// The columns of changes, then those of the table.
    pub(super) columns: &'a [Column],
    pub(super) renames: &'a Renames,
}

impl Source<'_> {
    /// Stages the rows of a file; a record that is none is a fault.
    ///
    /// # Errors
    /// Those of reading; `InvalidData` for other columns, naming the file.
    pub(super) fn read(
        self,
        stage: &mut Stage,
        number: usize,
        file: &ChangeFile,
        options: &CsvOptions,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut reader = CsvReader::open(&file.path, self.columns, self.renames, options)?;
        let mut seen_bytes = 0;
        while let Some(batch) = reader.next_batch()? {
            for reject in &batch.rejects {
                let reason = reject.reason.to_string();
                stage.faults.add(file.name(), reject.line, reject.column.as_deref(), &reason);
            }
            stage.add((number, file.name()), &batch.rows, &batch.lines)?;
            let counted = reader.counts();
            let bytes = counted.row_bytes + counted.reject_bytes + counted.skipped_bytes;
            let rows = u64::try_from(batch.rows.num_rows()).unwrap_or(0);
            observer.event(&Event::RowsRead { rows, bytes: bytes - seen_bytes });
            seen_bytes = bytes;
        }
        Ok(())
    }
}
