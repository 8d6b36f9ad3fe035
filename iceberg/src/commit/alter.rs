//! Changes of a table's metadata that bring no files: properties, refs, schema, specs, expiry.

use iceberg::spec::{FormatVersion, TableMetadata, TableMetadataBuilder};

use super::publish::Published;
use super::retry::Backoff;
use super::snapshot::{Attempt, next_ms, stage_metadata, unfit};
use crate::lake::dated;
use crate::observer::Event;
use crate::table::WriteProperties;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, Retry};

/// How a change of metadata ended.
#[derive(Debug)]
#[must_use = "a change that is not looked at may have failed"]
pub enum Altered {
    /// The table as it is now.
    Done(Box<LakeTable>),
    /// It was so already, and nothing was written.
    Unchanged,
    /// Whether the change took effect is not known. Ask for it again later: it is made once.
    Unknown(Error),
}

impl Altered {
    /// Whether something was changed.
    ///
    /// # Errors
    /// `CommitUnknown`.
    pub fn settled(self) -> Result<bool> {
        match self {
            Self::Done(_) => Ok(true),
            Self::Unchanged => Ok(false),
            Self::Unknown(error) => Err(error),
        }
    }
}

impl Lake {
    /// Changes a table's metadata. `change` is given the head and a builder of its successor, and
    /// gives the builder back, or `None` if the head is as wanted. It is asked anew whenever another
    /// commit came first, so it must look at the head and not at what was read before.
    ///
    /// # Errors
    /// Those of `change`; `Unsupported` for a table of another format version than 2, unless the change
    /// upgrades it; `Conflict` if other writers keep coming first; `InvalidInput` for a clock
    /// far behind the table; storage errors. In each of them nothing has changed.
    pub async fn alter(
        &self,
        table: &LakeTable,
        change: impl Fn(&LakeTable, TableMetadataBuilder) -> Result<Option<TableMetadataBuilder>>
        + Send
        + Sync,
    ) -> Result<Altered> {
        let properties = WriteProperties::read(table.metadata().properties())?;
        let mut backoff = Backoff::new(&properties, self.ids.as_ref());
        loop {
            let head = self.reload(table).await?;
            if head.metadata().uuid() != table.metadata().uuid() {
                let message = "the table was dropped and made again; nothing was changed";
                return Err(
                    Error::new(ErrorKind::Conflict, message).with_context("table", table.name())
                );
            }
            let failure = match self.alter_once(&head, &change).await {
                Ok(Some(altered)) => return Ok(altered),
                Ok(None) => None,
                Err(error) if error.retry() == Retry::Again => Some(error),
                Err(error) => return Err(error),
            };
            let attempts = backoff.failures() + 1;
            self.observer.event(&Event::Retried { attempts });
            if !backoff.wait().await {
                return Err(failure.unwrap_or_else(|| {
                    Error::new(
                        ErrorKind::Conflict,
                        format!("other commits came first {attempts} times; run it again"),
                    )
                    .with_context("table", table.name())
                }));
            }
        }
    }

    /// One attempt; `None` if another writer was first.
    async fn alter_once(
        &self,
        head: &LakeTable,
        change: &(
             impl Fn(&LakeTable, TableMetadataBuilder) -> Result<Option<TableMetadataBuilder>>
             + Send
             + Sync
         ),
    ) -> Result<Option<Altered>> {
        let location = Some(head.metadata_location().to_string());
        let Some(builder) = change(head, head.metadata().clone().into_builder(location))? else {
            return Ok(Some(Altered::Unchanged));
        };
        let next: TableMetadata = builder.build().map_err(|error| unfit(head, error))?.metadata;
        // A change may be the one that makes the table writable.
        if next.format_version() != FormatVersion::V2 {
            head.check_writable()?;
        }
        let next = dated(next, head.metadata().history(), next_ms(self, head)?)?;
        let staged = stage_metadata(self, head, next, None, Attempt::default(), Vec::new()).await?;
        Ok(match self.publish(head, staged).await? {
            Published::NotCommitted => None,
            Published::Unknown(error) => Some(Altered::Unknown(error)),
            Published::Committed(table) => Some(Altered::Done(table)),
        })
    }
}
