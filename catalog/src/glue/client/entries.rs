//! Entries of tables: looked up, added and removed, and what to say if one is not there.

use aws_sdk_glue::types as sdk;

use super::calls::Glue;
use super::convert::Entry;
use super::failure::{Failure, Meaning};
use crate::glue::{is_iceberg, pointer_of};
use crate::ident::check_name;
use crate::missing::{missing_namespace, missing_table, taken};
use crate::{Error, ErrorKind, Pointer, Result, TableName};

/// Of a list that is only read for near names, so many pages are.
const HINT_PAGES: usize = 1;

impl Entry {
    /// Whether it is the same table at the same version.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.version_id == other.version_id && pointer_of(&self.input) == pointer_of(&other.input)
    }
}

impl Glue {
    /// The entry of an Iceberg table.
    ///
    /// # Errors
    /// `NotFound`, with the near names, also if what stands there is something else.
    pub(super) async fn iceberg_entry(&self, table: &TableName) -> Result<Entry> {
        match self.entry(table).await? {
            Some(entry) if is_iceberg(&entry.input) => Ok(entry),
            Some(_) => Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "what Glue has under `{table}` is not an Iceberg table; name another, or look at it \
                     with the program that made it"
                ),
            )),
            None => Err(self.missing(table).await),
        }
    }

    /// The names of all that stands in a database, sorted; nothing if there is no such database.
    pub(super) async fn names(&self, namespace: &str) -> Result<Option<Vec<String>>> {
        // Glue takes upper case for lower, and would find another database.
        if check_name("namespace", namespace).is_err() {
            return Ok(None);
        }
        let entries = self.entries(namespace, usize::MAX).await?;
        Ok(entries.map(|entries| {
            let mut names: Vec<String> =
                entries.into_iter().map(|entry| entry.input.name).collect();
            names.sort_unstable();
            names
        }))
    }

    /// The error for a namespace that is not there.
    pub(super) async fn missing_namespace(&self, namespace: &str) -> Error {
        let mut names = match self.databases(HINT_PAGES).await {
            Ok(names) => names,
            Err(error) => return error,
        };
        names.sort_unstable();
        missing_namespace(namespace, &names)
    }

    /// The error for a table that is not there.
    async fn missing(&self, table: &TableName) -> Error {
        match self.entries(table.namespace(), HINT_PAGES).await {
            Ok(Some(entries)) => {
                let tables = entries.into_iter().filter(|entry| is_iceberg(&entry.input));
                let mut names: Vec<String> = tables.map(|entry| entry.input.name).collect();
                names.sort_unstable();
                missing_table(table, &names)
            }
            Ok(None) => self.missing_namespace(table.namespace()).await,
            // Who may read the table need not be allowed to list others.
            Err(error) => Error::new(
                ErrorKind::NotFound,
                format!("the table `{table}` does not exist; those that do could not be listed"),
            )
            .with_source(error),
        }
    }

    /// Adds an entry under a name that is free.
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` if the namespace does not exist; `CommitUnknown` if the reply was
    /// lost and reading did not tell.
    pub(super) async fn add(
        &self,
        table: &TableName,
        input: &sdk::TableInput,
        pointer: &Pointer,
    ) -> Result<()> {
        let mut lost: Option<Failure> = None;
        for failures in 0..self.waits.attempts() {
            self.waits.wait(failures).await;
            let failure = match self.create(table, input).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let is_open = failure.meaning == Meaning::Open;
            if lost.is_none() && !is_open {
                return Err(match failure.meaning {
                    Meaning::AlreadyExists => taken(table),
                    Meaning::NotFound => self.missing_namespace(table.namespace()).await,
                    _ => self.error("CreateTable", table, failure),
                });
            }
            lost = Some(failure);
            match self.entry(table).await {
                Ok(Some(now)) => {
                    let now = pointer_of(&now.input);
                    let at = &pointer.metadata_location;
                    let ours = now.is_some_and(|now| {
                        now.metadata_location == *at
                            || now.previous_metadata_location.as_ref() == Some(at)
                    });
                    if ours {
                        return Ok(());
                    }
                    break;
                }
                // A request that comes twice adds the entry once.
                Ok(None) if is_open => {}
                _ => break,
            }
        }
        Err(self.unknown("CreateTable", table, lost))
    }

    /// Removes an entry that is there, as long as it is still what `same` knows.
    ///
    /// # Errors
    /// `NotFound`; `CommitUnknown` if the reply was lost and reading did not tell.
    pub(super) async fn remove(
        &self,
        table: &TableName,
        same: impl Fn(&Entry) -> bool,
    ) -> Result<()> {
        let mut lost: Option<Failure> = None;
        for failures in 0..self.waits.attempts() {
            self.waits.wait(failures).await;
            let failure = match self.delete(table).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            match failure.meaning {
                Meaning::NotFound if lost.is_some() => return Ok(()),
                Meaning::NotFound => return Err(self.missing(table).await),
                Meaning::Open => {}
                _ if lost.is_none() => return Err(self.error("DeleteTable", table, failure)),
                _ => break,
            }
            lost = Some(failure);
            match self.entry(table).await {
                Ok(None) => return Ok(()),
                // A table that another program made under the name meanwhile is not ours to remove.
                Ok(Some(now)) if same(&now) => {}
                _ => break,
            }
        }
        Err(self.unknown("DeleteTable", table, lost))
    }

    fn unknown(&self, action: &'static str, table: &TableName, lost: Option<Failure>) -> Error {
        let error = Error::new(
            ErrorKind::CommitUnknown,
            format!(
                "the reply to glue:{action} was lost, and what Glue has under `{table}` does not tell \
                 whether it took effect; look at the table again"
            ),
        );
        match lost {
            Some(failure) => error.with_source(self.error(action, table, failure)),
            None => error,
        }
    }
}
