//! Creating, replacing and dropping branches and tags.

use iceberg::spec::{MAIN_BRANCH, SnapshotReference, TableMetadata};

use super::list::{RefKind, TableRef, refs};
use super::name::check_name;
use super::notes::{Notes, note_keys};
use super::retention::Retention;
use crate::commit::{Altered, unfit};
use crate::travel::{AsOf, resolve};
use crate::{Error, ErrorKind, Lake, LakeTable, Result};

/// A branch or tag as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRef {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: RefKind,
    /// The snapshot that it names.
    pub snapshot_id: i64,
    /// How long it is kept. A tag must say so, if only that it is for ever.
    pub retention: Retention,
    /// Who answers for it; a tag must say so.
    pub owner: Option<String>,
    /// Why it is there; a tag must say so. Never anything of a patient.
    pub reason: Option<String>,
}

impl NewRef {
    /// Tags hold every file of their snapshot, so each has an owner, a reason and an end (design
    /// decision 15).
    fn check(&self) -> Result<()> {
        check_name(&self.name)?;
        self.retention.check(self.kind)?;
        self.notes(0).check()?;
        let refuse = |message| {
            Err(Error::new(ErrorKind::InvalidInput, message).with_context("name", &self.name))
        };
        if self.name == MAIN_BRANCH {
            return refuse("main is there always: commits move it, and a rollback sets it back");
        }
        if self.kind == RefKind::Branch {
            return Ok(());
        }
        if self.owner.is_none() || self.reason.is_none() {
            return refuse("a tag needs an owner and a reason, because it holds files");
        }
        if self.retention.max_ref_age_ms.is_none() {
            return refuse("a tag needs an expiry, or must say that it is kept for ever");
        }
        Ok(())
    }

    fn notes(&self, created_ms: i64) -> Notes {
        let (owner, reason) = (self.owner.clone(), self.reason.clone());
        Notes { owner, reason, created_ms: Some(created_ms) }
    }

    /// How the ref differs from the one that is there, if it does.
    fn difference(&self, found: &TableRef) -> Option<&'static str> {
        if found.snapshot_id != self.snapshot_id {
            return Some("of another snapshot");
        }
        if found.retention != self.retention {
            return Some("that is kept for another time");
        }
        if found.notes.owner != self.owner || found.notes.reason != self.reason {
            return Some("with another owner or reason");
        }
        None
    }

    /// Whether the ref would last: a snapshot that is older than the ref's age would take it along
    /// with the next expiry.
    fn check_lasts(&self, metadata: &TableMetadata, now_ms: i64) -> Result<()> {
        resolve(metadata, &AsOf::Snapshot(self.snapshot_id))?;
        let found = TableRef {
            name: self.name.clone(),
            kind: self.kind,
            snapshot_id: self.snapshot_id,
            retention: self.retention,
            notes: Notes::default(),
        };
        match found.expires_ms(metadata) {
            Some(end_ms) if end_ms <= now_ms => Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "the {} would have expired already: its age counts from the commit of its \
                     snapshot; keep it longer",
                    self.kind
                ),
            )
            .with_context("name", &self.name)
            .with_context("snapshot", self.snapshot_id)),
            _ => Ok(()),
        }
    }
}

impl Lake {
    /// Makes a branch or tag. The same one again is `Unchanged`. One that differs replaces it only if
    /// `replace` is set, and only if it still names what it does in `table`.
    ///
    /// # Errors
    /// `InvalidInput` for a name, retention or note that cannot be, and for one that would expire at
    /// once; `AlreadyExists` for another ref of that name; `NotFound` for a snapshot that is not
    /// there; `Conflict` if the ref has moved since `table` was opened; what [`Lake::alter`] says.
    pub async fn create_ref(
        &self,
        table: &LakeTable,
        new: &NewRef,
        replace: bool,
    ) -> Result<Altered> {
        new.check()?;
        let seen = find(table.metadata(), &new.name)?.map(|seen| seen.snapshot_id);
        let now_ms = self.clock.now_ms();
        let notes = new.notes(now_ms).properties(&new.name);
        self.alter(table, |head, builder| {
            if let Some(found) = find(head.metadata(), &new.name)? {
                check_kind(&found, new.kind)?;
                let Some(difference) = new.difference(&found) else { return Ok(None) };
                if !replace {
                    return Err(Error::new(
                        ErrorKind::AlreadyExists,
                        format!(
                            "there is a {} of this name {difference}; drop it first, or replace it",
                            found.kind
                        ),
                    )
                    .with_context("name", &found.name)
                    .with_context("snapshot", found.snapshot_id));
                }
                if seen != Some(found.snapshot_id) {
                    return Err(moved(&found));
                }
            }
            new.check_lasts(head.metadata(), now_ms)?;
            let reference =
                SnapshotReference::new(new.snapshot_id, new.retention.to_iceberg(new.kind));
            let builder = builder
                .remove_properties(&note_keys(&new.name))
                .and_then(|builder| builder.set_properties(notes.clone()))
                .and_then(|builder| builder.set_ref(&new.name, reference))
                .map_err(|error| unfit(head, error))?;
            Ok(Some(builder))
        })
        .await
    }

    /// Removes a branch or tag and its notes, if it still names what it does in `table`. What it
    /// alone held stays until the next expiry.
    ///
    /// # Errors
    /// `NotFound` if `table` has no such ref; `InvalidInput` for `main` and for a ref of the other
    /// kind; `Conflict` if it has moved since `table` was opened, so that no commit to a branch goes
    /// unseen; what [`Lake::alter`] says.
    pub async fn drop_ref(&self, table: &LakeTable, kind: RefKind, name: &str) -> Result<Altered> {
        if name == MAIN_BRANCH {
            let message = "main cannot be dropped; it is what readers see";
            return Err(Error::new(ErrorKind::InvalidInput, message));
        }
        let seen = require(table, kind, name)?;
        self.alter(table, |head, builder| {
            let Some(found) = find(head.metadata(), name)? else { return Ok(None) };
            check_kind(&found, kind)?;
            if found.snapshot_id != seen.snapshot_id {
                return Err(moved(&found));
            }
            let builder = builder
                .remove_ref(name)
                .remove_properties(&note_keys(name))
                .map_err(|error| unfit(head, error))?;
            Ok(Some(builder))
        })
        .await
    }
}

/// The ref of that name, if there is one.
pub(super) fn find(metadata: &TableMetadata, name: &str) -> Result<Option<TableRef>> {
    if metadata.snapshot_for_ref(name).is_none() {
        return Ok(None);
    }
    Ok(refs(metadata)?.into_iter().find(|found| found.name == name))
}

/// The ref of that name and kind.
///
/// # Errors
/// `NotFound`, naming those that there are; `InvalidInput` for a ref of the other kind.
pub(crate) fn require(table: &LakeTable, kind: RefKind, name: &str) -> Result<TableRef> {
    if let Some(found) = find(table.metadata(), name)? {
        check_kind(&found, kind)?;
        return Ok(found);
    }
    let there: Vec<String> = refs(table.metadata())?
        .into_iter()
        .filter(|other| other.kind == kind && other.name != MAIN_BRANCH)
        .map(|other| format!("`{}`", other.name))
        .take(10)
        .collect();
    let hint = if there.is_empty() { "none".to_string() } else { there.join(", ") };
    Err(Error::new(ErrorKind::NotFound, format!("the table has no {kind} `{name}`; it has {hint}"))
        .with_context("table", table.name()))
}

fn check_kind(found: &TableRef, wanted: RefKind) -> Result<()> {
    if found.kind == wanted {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!("`{}` is a {}, not a {wanted}", found.name, found.kind),
    ))
}

/// The error for a ref that another writer moved after it was looked at.
pub(super) fn moved(found: &TableRef) -> Error {
    Error::new(
        ErrorKind::Conflict,
        format!(
            "another writer moved the {} in the meantime; look at it again, then repeat this",
            found.kind
        ),
    )
    .with_context("name", &found.name)
    .with_context("snapshot", found.snapshot_id)
}
