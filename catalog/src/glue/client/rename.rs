//! Another name for a table. Glue has no such action, so it takes three, as in Iceberg's own Glue
//! catalog: a second entry, the end of the first, and its removal.
//!
//! The first entry is not removed as it stands: a writer who read it before could commit to it in
//! between, and the rows would be lost with the entry. So it is *retired* first, by a change from the
//! version that was read: from then on it is no Iceberg table and names the new one, and a commit to it
//! conflicts. What stops in the middle leaves both names on one table (before that change; drop
//! one, and write to neither until then) or an entry that is no table (after it; it can be removed).

use aws_sdk_glue::types as sdk;

use super::calls::{Glue, unbuilt};
use super::convert::Entry;
use super::swap::Seen;
use crate::glue::{
    METADATA_LOCATION, PREVIOUS_METADATA_LOCATION, RENAMED_TO, TABLE_TYPE, TableInput, pointer_of,
};
use crate::{Error, ErrorKind, Pointer, Result, Swap, TableName};

/// And that names the metadata file it stood at.
const RENAMED_AT: &str = "northstar.renamed-at";

impl Glue {
    /// Gives the table that has `entry` another name.
    ///
    /// # Errors
    /// `NotFound` if the new namespace does not exist; `AlreadyExists`; `Conflict` if another writer
    /// changes the table meanwhile; `CommitUnknown`, saying what may stand where, if an answer was lost.
    pub(super) async fn rename(
        &self,
        from: &TableName,
        to: &TableName,
        entry: &Entry,
    ) -> Result<()> {
        let version = self.version(from, entry)?;
        let Some(pointer) = pointer_of(&entry.input) else {
            return Err(Error::new(
                ErrorKind::Damaged,
                format!("the entry of `{from}` in Glue names no metadata file; register it again"),
            ));
        };
        let named = TableInput { name: to.table().to_owned(), ..entry.input.clone() };
        self.add(to, &entry.with_input(named).map_err(unbuilt)?, &pointer).await?;
        match self.retire(from, to, entry, version).await {
            Ok(Swap::Committed) => {}
            Ok(Swap::Conflicted) => {
                self.take_back(to, &pointer).await?;
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("another writer changed `{from}` while it was renamed; try again"),
                ));
            }
            Ok(Swap::Unknown(error)) => return Err(half_renamed(from, to, error)),
            Err(error) => {
                self.take_back(to, &pointer).await?;
                return Err(error);
            }
        }
        match self.remove(from, |now| is_retired(now, to)).await {
            Ok(()) => Ok(()),
            // Someone has tidied up.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == ErrorKind::CommitUnknown => {
                Err(half_renamed(from, to, error))
            }
            Err(error) => {
                self.take_back(to, &pointer).await?;
                self.restore(from, to, entry).await?;
                Err(error)
            }
        }
    }

    /// Makes the entry no table any more, if it is still at the version that was read.
    async fn retire(
        &self,
        from: &TableName,
        to: &TableName,
        entry: &Entry,
        version: Option<&str>,
    ) -> Result<Swap> {
        let mut input = entry.input.clone();
        let parameters = input.parameters.get_or_insert_default();
        parameters.remove(TABLE_TYPE);
        parameters.remove(PREVIOUS_METADATA_LOCATION);
        if let Some(at) = parameters.remove(METADATA_LOCATION) {
            parameters.insert(RENAMED_AT.to_owned(), at);
        }
        parameters.insert(RENAMED_TO.to_owned(), to.to_string());
        let input = entry.with_input(input).map_err(unbuilt)?;
        let seen = |now: &Entry| match (is_retired(now, to), now.is_as(entry)) {
            (true, _) => Seen::Done,
            (false, true) => Seen::NotYet,
            // Nobody makes a retired entry a table again, but we below.
            (false, false) if version.is_some() => Seen::Never,
            (false, false) => Seen::Unclear,
        };
        self.update(from, &input, version, seen).await
    }

    /// Removes the entry that was added, unless someone has committed to it since.
    async fn take_back(&self, to: &TableName, pointer: &Pointer) -> Result<()> {
        let as_added = |now: &Entry| pointer_of(&now.input).as_ref() == Some(pointer);
        let result = match self.entry(to).await {
            Ok(Some(now)) if as_added(&now) => self.remove(to, as_added).await,
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Error::new(
                ErrorKind::Conflict,
                "another writer has committed to the table under its new name",
            )),
            Err(error) => Err(error),
        };
        result.map_err(|error| {
            Error::new(
                ErrorKind::CommitUnknown,
                format!(
                    "the table could not be renamed, and the entry `{to}` that was added for it could \
                     not be removed; compare it with the one under the old name, drop the older, \
                     and write to neither until then"
                ),
            )
            .with_source(error)
        })
    }

    /// Makes a retired entry the table again that it was.
    async fn restore(&self, from: &TableName, to: &TableName, entry: &Entry) -> Result<()> {
        let lost = |error: Option<Error>| {
            let at = pointer_of(&entry.input).map(|pointer| pointer.metadata_location);
            let lost = Error::new(
                ErrorKind::CommitUnknown,
                format!(
                    "`{from}` could not be renamed, and its entry could not be put back; drop the \
                     entry and register the table under the metadata file named here"
                ),
            )
            .with_context("metadata", at.unwrap_or_default());
            match error {
                Some(error) => lost.with_source(error),
                None => lost,
            }
        };
        let retired = match self.entry(from).await {
            Ok(Some(now)) if is_retired(&now, to) => now,
            Ok(_) => return Err(lost(None)),
            Err(error) => return Err(lost(Some(error))),
        };
        let input: sdk::TableInput = entry.with_input(entry.input.clone()).map_err(unbuilt)?;
        let seen = |now: &Entry| match (is_retired(now, to), now.is_as(&retired)) {
            (false, _) => Seen::Done,
            (true, true) => Seen::NotYet,
            (true, false) => Seen::Unclear,
        };
        match self.update(from, &input, retired.version_id.as_deref(), seen).await {
            Ok(Swap::Committed) => Ok(()),
            Ok(Swap::Conflicted) => Err(lost(None)),
            Ok(Swap::Unknown(error)) | Err(error) => Err(lost(Some(error))),
        }
    }
}

/// Whether an entry was retired for `to`.
fn is_retired(entry: &Entry, to: &TableName) -> bool {
    let parameters = entry.input.parameters.as_ref();
    parameters.and_then(|texts| texts.get(RENAMED_TO)).is_some_and(|name| *name == to.to_string())
}

fn half_renamed(from: &TableName, to: &TableName, error: Error) -> Error {
    Error::new(
        ErrorKind::CommitUnknown,
        format!(
            "a reply was lost while `{from}` was renamed to `{to}`; look at both names: if both are \
             tables, drop one, and write to neither until then"
        ),
    )
    .with_source(error)
}
