//! The contract of a catalog: names, pointers, and the compare-and-swap that publishes a commit.

use std::fmt::Debug;

use async_trait::async_trait;
use iceberg::spec::TableMetadata;

use crate::{Error, ErrorKind, Result, TableName};

/// Where a table's current metadata file is, and where the one before it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// URL of the current `metadata.json`.
    pub metadata_location: String,
    /// URL of the one it replaced; none for a table that was never committed to.
    pub previous_metadata_location: Option<String>,
}

/// How an attempt to move a pointer ended.
#[derive(Debug)]
#[must_use = "a swap that is not looked at may have failed"]
pub enum Swap {
    /// The pointer moved; the commit is visible.
    Committed,
    /// The pointer was not where it was expected; nothing changed.
    Conflicted,
    /// The pointer may or may not have moved, and the error says why that is not known. Read it
    /// again; never repeat the swap and never remove what it would publish.
    Unknown(Error),
}

/// One table's part in a change of several.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    /// The table.
    pub table: &'a TableName,
    /// Where its pointer stands; `None` for a table that is not there yet.
    pub expected: Option<&'a str>,
    /// Where it shall stand.
    pub next: &'a str,
    /// The content of `next`.
    pub metadata: &'a TableMetadata,
}

/// Registers tables under names and moves their metadata pointers.
///
/// Every implementation passes the suite in `src/contract.rs`.
#[async_trait]
pub trait Catalog: Debug + Send + Sync {
    /// The catalog's URL, without secrets.
    fn url(&self) -> &str;

    /// Makes a namespace; `false` if it was there.
    ///
    /// # Errors
    /// `InvalidInput` for a name that breaks the rules of [`crate::ident`]; `Unavailable` (retry)
    /// if the catalog is locked.
    async fn create_namespace(&self, namespace: &str) -> Result<bool>;

    /// The namespaces, sorted. Those that other programs made under names that break the rules
    /// of [`crate::ident`] are left out, here and in [`Catalog::list_tables`].
    ///
    /// # Errors
    /// `Unavailable` (retry) if the catalog is locked, as for every call below.
    async fn list_namespaces(&self) -> Result<Vec<String>>;

    /// Removes an empty namespace.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` if tables or views stand in it, whatever their names.
    async fn drop_namespace(&self, namespace: &str) -> Result<()>;

    /// Registers a table that is not there yet under a metadata file that is.
    ///
    /// # Errors
    /// `AlreadyExists`; `NotFound` if the namespace does not exist; `CommitUnknown` if the reply
    /// was lost.
    async fn register(
        &self,
        table: &TableName,
        metadata_location: &str,
        metadata: &TableMetadata,
    ) -> Result<()>;

    /// The table's pointer.
    ///
    /// # Errors
    /// `NotFound`, naming the tables of the namespace that come near.
    async fn pointer(&self, table: &TableName) -> Result<Pointer>;

    /// Moves the pointer from `expected` to `next`, if it still stands at `expected`.
    ///
    /// `metadata` is the content of `next`, for catalogs that keep columns and parameters too. For
    /// a table that is not there the outcome is [`Swap::Conflicted`]: it was dropped or renamed
    /// since. A swap whose future is dropped may still take effect.
    ///
    /// # Errors
    /// An error means that nothing changed; `Unavailable` may be tried again. Whatever might have
    /// changed something is [`Swap::Unknown`].
    async fn swap(
        &self,
        table: &TableName,
        expected: &str,
        next: &str,
        metadata: &TableMetadata,
    ) -> Result<Swap>;

    /// Moves the pointers of several tables in one step: all of them, or none. A table that is there
    /// already and was not expected is [`Swap::Conflicted`], like any other pointer that stands
    /// elsewhere.
    ///
    /// # Errors
    /// An error means that nothing changed. `NotFound` if the namespace of a new table does not exist;
    /// `Unsupported` for more than one table, where the catalog cannot do it.
    async fn swap_all(&self, moves: &[Move<'_>]) -> Result<Swap> {
        match moves {
            [] => Ok(Swap::Committed),
            [one] => swap_one(self, one).await,
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                "this catalog changes one table at a time; commit the tables one by one",
            )),
        }
    }

    /// The tables of a namespace, sorted by name.
    ///
    /// # Errors
    /// `NotFound` if the namespace does not exist.
    async fn list_tables(&self, namespace: &str) -> Result<Vec<TableName>>;

    /// Removes a table's entry; its files stay.
    ///
    /// # Errors
    /// `NotFound`.
    async fn drop_table(&self, table: &TableName) -> Result<()>;

    /// Gives a table another name; its files stay where they are. It is one step, but in AWS Glue, which
    /// has none for it (`docs/glue.md`).
    ///
    /// # Errors
    /// `NotFound` if the table or the new namespace does not exist; `AlreadyExists` if the new
    /// name is taken, be it by the table itself.
    async fn rename_table(&self, from: &TableName, to: &TableName) -> Result<()>;
}

/// [`Catalog::swap_all`] for one table.
pub(crate) async fn swap_one<C: Catalog + ?Sized>(catalog: &C, one: &Move<'_>) -> Result<Swap> {
    let Some(expected) = one.expected else {
        return match catalog.register(one.table, one.next, one.metadata).await {
            Ok(()) => Ok(Swap::Committed),
            Err(error) => match error.kind() {
                ErrorKind::AlreadyExists => Ok(Swap::Conflicted),
                ErrorKind::CommitUnknown => Ok(Swap::Unknown(error)),
                _ => Err(error),
            },
        };
    };
    catalog.swap(one.table, expected, one.next, one.metadata).await
}
