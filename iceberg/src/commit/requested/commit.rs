//! Changes of tables, made in one step.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use northstar_catalog::{Move, Swap};
use uuid::Uuid;

use super::apply::{added, apply};
use super::files::{added_files, not_whole};
use super::{Requested, RequestedChange};
use crate::access::Access;
use crate::commit::retry::Backoff;
use crate::commit::settle::{Settled, settle};
use crate::commit::snapshot::{Attempt, next_ms, stage_metadata};
use crate::observer::Event;
use crate::table::WriteProperties;
use crate::{Error, ErrorKind, Lake, LakeTable, Result, Retry, TableName, storage};

/// One table's part of an attempt.
pub(super) struct Part {
    /// The table as it is; `None` if it is not there yet.
    pub(super) head: Option<LakeTable>,
    /// As it shall be.
    pub(super) next: LakeTable,
    /// Its new files.
    pub(super) attempt: Attempt,
}

/// What became of an attempt.
enum Ended {
    Committed,
    NotCommitted,
    Unknown(Error),
}

impl Lake {
    /// Makes what a client asks for, of one table or of several: all of it in one step, or nothing.
    ///
    /// Tried again while other writers come first, as long as the requirements hold of what they left.
    ///
    /// # Errors
    /// `Conflict` if a requirement does not hold, or other writers keep coming first; `NotFound`,
    /// `AlreadyExists`; `InvalidInput` and `Unsupported` for what a table cannot become; `Unsupported`
    /// for several tables in a catalog that changes one at a time; storage errors. In each of them
    /// nothing has changed.
    pub async fn commit_requested(
        &self,
        changes: &[RequestedChange],
        access: &Access,
    ) -> Result<Requested> {
        let names: BTreeSet<&TableName> = changes.iter().map(|change| &change.name).collect();
        if names.len() < changes.len() {
            let text = "a table is changed twice in one request; put its updates together";
            return Err(Error::new(ErrorKind::InvalidInput, text));
        }
        let defaults = WriteProperties::read(&HashMap::new())?;
        let mut backoff = Backoff::new(&defaults, self.ids.as_ref());
        let mut known: BTreeMap<TableName, Uuid> = BTreeMap::new();
        for change in changes {
            self.record(&change.name, access, "commit", None).await?;
        }
        loop {
            let failure = match self.commit_once(changes, &mut known).await {
                Ok(Some(requested)) => return Ok(requested),
                Ok(None) => None,
                Err(error) if error.retry() == Retry::Again => Some(error),
                Err(error) => return Err(error),
            };
            let attempts = backoff.failures() + 1;
            self.observer.event(&Event::Retried { attempts });
            if !backoff.wait().await {
                return Err(failure.unwrap_or_else(|| {
                    let text = format!("other commits came first {attempts} times; try again");
                    Error::new(ErrorKind::Conflict, text)
                }));
            }
        }
    }

    /// One attempt; `None` if another writer was first.
    async fn commit_once(
        &self,
        changes: &[RequestedChange],
        known: &mut BTreeMap<TableName, Uuid>,
    ) -> Result<Option<Requested>> {
        let mut tables = Vec::with_capacity(changes.len());
        let mut parts = Vec::new();
        for change in changes {
            if change.creates() {
                let part = self.part_of_new(change).await?;
                tables.push(part.next.clone());
                parts.push(part);
                continue;
            }
            let head = self.head_of(change, known).await?;
            match self.part_of(change, head.clone()).await? {
                Some(part) => {
                    tables.push(part.next.clone());
                    parts.push(part);
                }
                None => tables.push(head),
            }
        }
        if parts.is_empty() {
            return Ok(Some(Requested::Done(tables)));
        }
        Ok(match self.publish_together(parts).await? {
            Ended::Committed => Some(Requested::Done(tables)),
            Ended::NotCommitted => None,
            Ended::Unknown(error) => Some(Requested::Unknown(error)),
        })
    }

    /// The table's head, which must be the table that the first attempt found.
    async fn head_of(
        &self,
        change: &RequestedChange,
        known: &mut BTreeMap<TableName, Uuid>,
    ) -> Result<LakeTable> {
        let pointer = self.catalog.pointer(&change.name).await?;
        let head = self.load(&change.name, pointer.metadata_location).await?;
        let uuid = head.metadata().uuid();
        if *known.entry(change.name.clone()).or_insert(uuid) != uuid {
            let text = "the table was dropped and made again; nothing was changed";
            return Err(Error::new(ErrorKind::Conflict, text).with_context("table", &change.name));
        }
        Ok(head)
    }

    /// What the change makes of a head, on disk; `None` if nothing.
    async fn part_of(&self, change: &RequestedChange, head: LakeTable) -> Result<Option<Part>> {
        let of_table = |error: Error| error.with_context("table", &change.name);
        let now_ms = next_ms(self, &head)?;
        let Some(next) = apply(&head, change, now_ms).map_err(of_table)? else { return Ok(None) };
        let new = added(change, &next);
        let files = match new.is_empty() {
            true => Vec::new(),
            false => {
                // The metadata file has no place yet, which reading manifests does not need.
                let seen = self.opened(&change.name, String::new(), next.clone())?;
                added_files(self, &seen, &new).await.map_err(of_table)?
            }
        };
        let staged = stage_metadata(self, &head, next, None, Attempt::default(), files)
            .await
            .map_err(not_whole)?;
        let next = self.opened(&change.name, staged.metadata_location, staged.metadata)?;
        Ok(Some(Part { head: Some(head), next, attempt: staged.attempt }))
    }

    /// Moves all pointers, and finds out whether they moved.
    async fn publish_together(&self, mut parts: Vec<Part>) -> Result<Ended> {
        // From here on the files may be the tables', also if nobody waits for the reply any more.
        let attempts = parts.iter_mut().map(|part| std::mem::take(&mut part.attempt));
        let files: Vec<String> = attempts.flat_map(Attempt::sent).collect();
        let moves: Vec<Move<'_>> = parts
            .iter()
            .map(|part| Move {
                table: part.next.name(),
                expected: part.head.as_ref().map(LakeTable::metadata_location),
                next: part.next.metadata_location(),
                metadata: part.next.metadata(),
            })
            .collect();
        let swap = self.catalog.swap_all(&moves).await;
        let settled = match swap {
            Ok(Swap::Committed) => Settled::Committed,
            Ok(Swap::Conflicted) => Settled::NotCommitted,
            // All moved or none: what is true of one is true of each.
            Ok(Swap::Unknown(error)) => match parts.first() {
                Some(Part { head: Some(head), next, .. }) => {
                    settle(self, head, next.metadata_location(), None, error).await
                }
                Some(Part { next, .. }) => self.settle_new(next, error).await,
                None => Settled::Unknown(error),
            },
            Err(error) => {
                storage::discard(&files);
                return Err(error);
            }
        };
        Ok(match settled {
            Settled::NotCommitted => {
                storage::discard(&files);
                Ended::NotCommitted
            }
            Settled::Unknown(error) => Ended::Unknown(error),
            Settled::Committed => {
                self.observer.event(&Event::Committed);
                Ended::Committed
            }
        })
    }

    /// Finds out whether a new table was registered.
    async fn settle_new(&self, table: &LakeTable, error: Error) -> Settled {
        match self.catalog.pointer(table.name()).await {
            Ok(pointer) if pointer.metadata_location == table.metadata_location() => {
                Settled::Committed
            }
            // Another table of that name, or none: the request may still arrive.
            _ => Settled::Unknown(error.with_context("table", table.name())),
        }
    }
}
