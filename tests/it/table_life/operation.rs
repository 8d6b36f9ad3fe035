//! What may happen to a table. All is said in full, so that the list of a life's operations is enough
//! to do it again.

use northstar_iceberg::refs::Retention;

use super::filter::Filter;
use super::model::{Field, Kind, Row};
use crate::merge_model::value::Cell;

/// A branch; `None` is `main`.
pub(super) type Branch = Option<String>;

/// A row of a MERGE's source: taken over, or its key deleted.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) row: Row,
    pub(super) deletes: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    /// Batch `seq` of the source, which must follow the branch's watermark.
    Ingest {
        branch: Branch,
        seq: i64,
        rows: Vec<Row>,
    },
    Insert {
        branch: Branch,
        id: String,
        rows: Vec<Row>,
    },
    Merge {
        branch: Branch,
        id: String,
        changes: Vec<Change>,
        set: Vec<i32>,
    },
    Update {
        branch: Branch,
        id: String,
        column: i32,
        to: Cell,
        filter: Filter,
    },
    Delete {
        branch: Branch,
        id: String,
        filter: Filter,
    },
    Overwrite {
        branch: Branch,
        id: String,
        rows: Vec<Row>,
    },
    Truncate {
        branch: Branch,
        id: String,
    },
    /// Statements delete by position from now on, write files anew, or do what is cheaper.
    Mode {
        mode: &'static str,
    },
    AddColumn {
        name: String,
        kind: Kind,
        after: Option<i32>,
    },
    DropColumn(i32),
    RenameColumn(i32, String),
    WidenColumn(i32),
    MakeOptional(i32),
    /// To the front, or behind another.
    MoveColumn(i32, Option<i32>),
    AddField(Field),
    DropField(Field),
    ReplaceField(Field, Field),
    Compact {
        sort: bool,
        light: bool,
    },
    Manifests,
    Expire {
        age_ms: i64,
        least: usize,
    },
    /// The orphans are removed long after, or looked for today, when all are young.
    Orphans {
        later: bool,
    },
    Tag {
        name: String,
        snapshot: i64,
        retention: Retention,
    },
    Branch {
        name: String,
        snapshot: i64,
        retention: Retention,
    },
    DropRef {
        name: String,
        is_tag: bool,
    },
    Publish {
        branch: String,
    },
    Pick {
        snapshot: i64,
    },
    RollBack {
        branch: Branch,
        to: i64,
    },
}

impl Op {
    /// What is counted.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Ingest { branch: None, .. } => "ingest",
            Self::Ingest { .. } => "ingest into a branch",
            Self::Insert { .. } => "insert",
            Self::Merge { branch: None, .. } => "merge",
            Self::Merge { .. } => "merge on a branch",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
            Self::Overwrite { .. } => "overwrite",
            Self::Truncate { .. } => "truncate",
            Self::Mode { .. } => "mode",
            Self::AddColumn { .. } => "add column",
            Self::DropColumn(_) => "drop column",
            Self::RenameColumn(..) => "rename column",
            Self::WidenColumn(_) => "widen column",
            Self::MakeOptional(_) => "make optional",
            Self::MoveColumn(..) => "move column",
            Self::AddField(_) => "add partition field",
            Self::DropField(_) => "drop partition field",
            Self::ReplaceField(..) => "replace partition field",
            Self::Compact { .. } => "compact",
            Self::Manifests => "rewrite manifests",
            Self::Expire { .. } => "expire",
            Self::Orphans { .. } => "orphans",
            Self::Tag { .. } => "tag",
            Self::Branch { .. } => "branch",
            Self::DropRef { .. } => "drop ref",
            Self::Publish { .. } => "publish",
            Self::Pick { .. } => "cherry-pick",
            Self::RollBack { .. } => "roll back",
        }
    }

    /// Whether it changes what columns or partition fields there are.
    pub(super) fn evolves(&self) -> bool {
        matches!(
            self,
            Self::AddColumn { .. }
                | Self::DropColumn(_)
                | Self::RenameColumn(..)
                | Self::WidenColumn(_)
                | Self::MakeOptional(_)
                | Self::MoveColumn(..)
                | Self::AddField(_)
                | Self::DropField(_)
                | Self::ReplaceField(..)
        )
    }
}
