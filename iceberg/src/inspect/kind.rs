//! Which metadata tables there are.

use std::fmt;
use std::str::FromStr;

use crate::travel::AsOf;
use crate::{Error, ErrorKind, Result, TableName};

/// What stands between a table's name and that of one of its metadata tables. No table's own name
/// has it.
pub const SEPARATOR: char = '$';

/// A metadata table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetadataTable {
    /// Every snapshot that is kept.
    Snapshots,
    /// What `main` pointed at, and since when.
    History,
    /// Branches and tags.
    Refs,
    /// The live files of a snapshot, of data and of deletes.
    Files,
    /// Of those, the data files.
    DataFiles,
    /// Of those, the delete files.
    DeleteFiles,
    /// The entries of a snapshot's manifests, those of removed files too.
    Entries,
    /// The manifests of a snapshot.
    Manifests,
    /// The partitions of a snapshot, with what their files sum up to.
    Partitions,
}

const ALL: [(MetadataTable, &str); 9] = [
    (MetadataTable::Snapshots, "snapshots"),
    (MetadataTable::History, "history"),
    (MetadataTable::Refs, "refs"),
    (MetadataTable::Files, "files"),
    (MetadataTable::DataFiles, "data_files"),
    (MetadataTable::DeleteFiles, "delete_files"),
    (MetadataTable::Entries, "entries"),
    (MetadataTable::Manifests, "manifests"),
    (MetadataTable::Partitions, "partitions"),
];

impl MetadataTable {
    /// Checks that this can be read as it was `as_of`.
    ///
    /// # Errors
    /// `Unsupported` for one that tells of all snapshots at once, unless it is read as of now.
    pub fn check_version(self, table: &TableName, as_of: &AsOf) -> Result<()> {
        let timeless = matches!(self, Self::Snapshots | Self::History | Self::Refs);
        if !timeless || *as_of == AsOf::Current {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "`{table}{SEPARATOR}{self}` tells of all snapshots at once, so it has no versions; \
                 leave out `{as_of}`"
            ),
        ))
    }
}

impl fmt::Display for MetadataTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = ALL.iter().find(|(kind, _)| kind == self);
        f.write_str(named.map_or("", |(_, name)| name))
    }
}

impl FromStr for MetadataTable {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match ALL.iter().find(|(_, name)| *name == text) {
            Some((kind, _)) => Ok(*kind),
            None => Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "there is no metadata table `{text}`; a table has {}",
                    ALL.map(|(_, name)| format!("`{SEPARATOR}{name}`")).join(", ")
                ),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (kind, name) in ALL {
            assert_eq!(kind.to_string(), name);
            assert_eq!(name.parse::<MetadataTable>().unwrap(), kind);
        }
        let error = "rows".parse::<MetadataTable>().unwrap_err();
        assert!(error.message().contains("`$delete_files`, `$entries`"), "{error}");
    }

    #[test]
    fn only_what_a_snapshot_holds_has_versions() {
        let table: TableName = "a.b".parse().unwrap();
        let at = AsOf::Snapshot(5);
        MetadataTable::Files.check_version(&table, &at).unwrap();
        MetadataTable::Refs.check_version(&table, &AsOf::Current).unwrap();
        let error = MetadataTable::Refs.check_version(&table, &at).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().ends_with("leave out `VERSION AS OF 5`"), "{error}");
    }
}
