//! The swap: a table's entry is changed only from the version that was read.
//!
//! GetTable, a look at its `metadata_location`, UpdateTable with the `VersionId` that GetTable gave.
//! Glue changes an entry from one version to the next at most once, so an UpdateTable may be sent
//! again with the same version: whichever arrives first takes effect, and the others fail.
//!
//! Source: `GlueTableOperations` of Apache Iceberg 1.10;
//! <https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateTable.html>

use aws_sdk_glue::types as sdk;
use iceberg::spec::TableMetadata;

use super::calls::{Glue, unbuilt};
use super::convert::Entry;
use super::failure::{Failure, Meaning};
use crate::glue::{pointer_of, table_input};
use crate::{Error, ErrorKind, Pointer, Result, Swap, TableName};

/// What an entry shows of an update whose reply was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It took effect.
    Done,
    /// Not yet: the entry is at the version that it was sent for.
    NotYet,
    /// It did not and never will.
    Never,
    /// Others have changed the entry since, which may have been before or after it.
    Unclear,
}

impl Glue {
    /// Moves the pointer of a table; see [`crate::Catalog::swap`].
    pub(super) async fn swap(
        &self,
        table: &TableName,
        expected: &str,
        next: &str,
        metadata: &TableMetadata,
    ) -> Result<Swap> {
        let Some(entry) = self.entry(table).await? else { return Ok(Swap::Conflicted) };
        let at = pointer_of(&entry.input);
        if at.is_none_or(|pointer| pointer.metadata_location != expected) {
            return Ok(Swap::Conflicted);
        }
        let version = self.version(table, &entry)?;
        let pointer = Pointer {
            metadata_location: next.to_owned(),
            previous_metadata_location: Some(expected.to_owned()),
        };
        let input = table_input(table, &pointer, metadata, Some(&entry.input));
        let input = entry.with_input(input).map_err(unbuilt)?;
        let seen = |now: &Entry| seen(now, expected, next, version);
        self.update(table, &input, version, seen).await
    }

    /// The version to change an entry from; none if the URL allows that there is none.
    ///
    /// # Errors
    /// `Unsupported` if a change could lose another one, or the entry is Glue's to change.
    pub(super) fn version<'a>(
        &self,
        table: &TableName,
        entry: &'a Entry,
    ) -> Result<Option<&'a str>> {
        if entry.is_view {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("`{table}` is a view that Glue keeps; change it where it was made"),
            ));
        }
        match entry.version_id.as_deref() {
            None if !self.place.unversioned => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "Glue gives no VersionId for `{table}`, so a commit at the same time as another \
                     writer's could be lost; use a service that gives one, as AWS does, or, if nothing \
                     else writes to the table, add unversioned=allow to the catalog's URL"
                ),
            )
            .with_context("region", &self.place.region)),
            version => Ok(version),
        }
    }

    /// Changes a table's entry from `version` to `input`. After a lost reply `seen` tells what the
    /// entry shows.
    ///
    /// # Errors
    /// An error means that nothing changed.
    pub(super) async fn update(
        &self,
        table: &TableName,
        input: &sdk::TableInput,
        version: Option<&str>,
        seen: impl Fn(&Entry) -> Seen,
    ) -> Result<Swap> {
        let mut lost: Option<Failure> = None;
        for failures in 0..self.waits.attempts() {
            self.waits.wait(failures).await;
            let failure = match self.send_update(table, input, version).await {
                Ok(()) => return Ok(Swap::Committed),
                Err(failure) => failure,
            };
            if lost.is_none() && failure.meaning != Meaning::Open {
                return match failure.meaning {
                    Meaning::Overtaken | Meaning::NotFound => Ok(Swap::Conflicted),
                    _ => Err(self.error("UpdateTable", table, failure)),
                };
            }
            let is_open = failure.meaning == Meaning::Open;
            lost = Some(failure);
            match self.entry(table).await {
                Ok(Some(now)) => match seen(&now) {
                    Seen::Done => return Ok(Swap::Committed),
                    Seen::Never => return Ok(Swap::Conflicted),
                    // Without a version a second request could undo what others did after the first.
                    Seen::NotYet if is_open && version.is_some() => {}
                    Seen::NotYet | Seen::Unclear => break,
                },
                _ => break,
            }
        }
        Ok(Swap::Unknown(self.unsettled(table, lost)))
    }

    async fn send_update(
        &self,
        table: &TableName,
        input: &sdk::TableInput,
        version: Option<&str>,
    ) -> Result<(), Failure> {
        let attempt = || {
            let call = self.client.update_table().set_catalog_id(self.place.catalog_id.clone());
            let call = call.database_name(table.namespace()).table_input(input.clone());
            // Glue keeps a copy of each version unless told not to, up to a limit.
            call.skip_archive(true).set_version_id(version.map(str::to_owned)).send()
        };
        self.change(attempt).await.map(|_| ())
    }

    fn unsettled(&self, table: &TableName, lost: Option<Failure>) -> Error {
        let error = Error::new(
            ErrorKind::CommitUnknown,
            "the reply to a change of the table was lost, and its entry in Glue does not tell whether \
             the change took effect; read the table again",
        );
        match lost {
            Some(failure) => error.with_source(self.error("UpdateTable", table, failure)),
            None => error.with_context("table", table),
        }
    }
}

/// What an entry shows of a swap from `expected` to `next` that was sent for `version`.
fn seen(now: &Entry, expected: &str, next: &str, version: Option<&str>) -> Seen {
    let Some(pointer) = pointer_of(&now.input) else { return Seen::Unclear };
    // The next commit of another writer keeps what it replaced.
    let previous = pointer.previous_metadata_location.as_deref();
    if pointer.metadata_location == next || previous == Some(next) {
        return Seen::Done;
    }
    match pointer.metadata_location == expected {
        true if now.version_id.as_deref() == version => Seen::NotYet,
        // The version that it was sent for is gone for good.
        true if version.is_some() => Seen::Never,
        _ => Seen::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn entry(pointer: &[(&str, &str)], version: &str) -> Entry {
        let pointer = pointer.iter().map(|(key, at)| ((*key).to_owned(), (*at).to_owned()));
        let mut parameters: HashMap<String, String> = pointer.collect();
        parameters.insert("table_type".to_owned(), "ICEBERG".to_owned());
        let table = sdk::Table::builder().name("lab").version_id(version);
        Entry::of(table.set_parameters(Some(parameters)).build().unwrap())
    }

    #[test]
    fn an_entry_shows_what_became_of_a_swap_from_m1_to_m2_at_version_4() {
        let at = |now, previous, version| {
            entry(&[("metadata_location", now), ("previous_metadata_location", previous)], version)
        };
        for (now, expected) in [
            (at("m2", "m1", "5"), Seen::Done),
            (at("m3", "m2", "6"), Seen::Done),
            (at("m1", "m0", "4"), Seen::NotYet),
            (at("m1", "m0", "5"), Seen::Never),
            (at("m9", "m1", "5"), Seen::Unclear),
            (at("m4", "m3", "7"), Seen::Unclear),
            (entry(&[], "5"), Seen::Unclear),
        ] {
            assert_eq!(seen(&now, "m1", "m2", Some("4")), expected, "{now:?}");
        }
        assert_eq!(seen(&at("m1", "m0", "4"), "m1", "m2", None), Seen::Unclear);
    }
}
