//! Rows of files that are written anew which need not be: whole row groups that stay as they are.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;

use super::apply::Applying;
use super::planning::Planning;
use super::ways::Ways;
use crate::scan::Positions;
use crate::write::Written;
use crate::{Error, ErrorKind, Result};

/// What was copied, and where it was.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// A new file for each file with copied row groups.
    pub(super) written: Written,
    /// The rows of files that are written anew which are not to be read: those that change, and those
    /// that were copied.
    pub(super) left_out: Arc<Positions>,
}

impl Applying<'_> {
    /// Copies the row groups that no row changes or is deleted of, where they are worth a file of their
    /// own. This reads and writes bytes and decodes none, so the driver does it.
    ///
    /// # Errors
    /// Storage errors; nothing is left behind.
    pub(super) async fn copies(&self, planning: &Planning<'_>, ways: &Ways) -> Result<Copies> {
        let changed = self.found.changed(&ways.rewritten);
        let least_bytes = self.costs.own_file_bytes();
        let large: HashSet<String> = ways.large(least_bytes).cloned().collect();
        if large.is_empty() {
            return Ok(Copies { written: Written::default(), left_out: changed });
        }
        let stored = self.table.clone().with_only(large).inventory().await?.data;
        let copier = planning.copier(self.base, self.commit_id)?;
        let copying = SpawnedTask::spawn_blocking(move || {
            let mut copies = Copies { written: Written::default(), left_out: changed };
            let left_out = Arc::make_mut(&mut copies.left_out);
            for file in stored {
                let path = file.data().file_path();
                let mut gone = file.deleted.clone();
                if let Some(changed) = left_out.get(path) {
                    gone |= changed;
                }
                let of_spec = (file.spec.spec_id(), file.data());
                match copier.copy(of_spec, &gone, least_bytes) {
                    Ok(None) => {}
                    Ok(Some(copied)) => {
                        copies.written.rows += copied.file.record_count();
                        copies.written.files.push(copied.file);
                        *left_out.entry(path.to_string()).or_default() |= copied.positions;
                    }
                    Err(error) => {
                        copies.written.discard();
                        return Err(error);
                    }
                }
            }
            Ok(copies)
        });
        copying.join().await.map_err(|error| {
            Error::new(ErrorKind::Internal, "copying broke off").with_source(error)
        })?
    }
}
