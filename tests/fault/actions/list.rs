//! The list of actions: how each is run, and what it makes of a table.

use std::pin::Pin;

use northstar_iceberg::{Lake, Result};

use super::model::Model;
use super::{refs, statements, upkeep};

/// An action under way; whether it changed something.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<bool>> + Send>>;

/// Something that is done to a table, and that may be done again.
pub(crate) struct Action {
    pub(crate) name: &'static str,
    /// Does it; whether that changed something.
    pub(crate) run: fn(Lake) -> Running,
    /// Does it to the model.
    pub(crate) after: fn(&mut Model),
    /// What it reads, and therefore fails without.
    pub(crate) depends: Depends,
    /// How many times it moves the pointer.
    pub(crate) swaps: usize,
    /// Whether it removes files, and which.
    pub(crate) removes: Removes,
}

/// What an action reads beside the metadata file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depends {
    /// Nothing.
    Metadata,
    /// The manifest list of the head.
    List,
    /// Its manifests.
    Manifests,
    /// Delete files, to count the rows of a data file.
    Deletes,
    /// Data files as well.
    Rows,
}

/// A stored file that is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    Metadata,
    List,
    Manifest,
    Footer,
    Pages,
    Deletes,
}

impl Action {
    /// Whether it must fail when such a file is damaged.
    pub(crate) fn fails_with(&self, damage: Damage) -> bool {
        match damage {
            Damage::Metadata => true,
            Damage::List => self.depends >= Depends::List,
            Damage::Manifest => self.depends >= Depends::Manifests,
            Damage::Deletes => self.depends >= Depends::Deletes,
            Damage::Footer | Damage::Pages => self.depends >= Depends::Rows,
        }
    }
}

/// Which files an action removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removes {
    Nothing,
    /// What only expired snapshots hold.
    Expired,
    /// What nothing refers to and is old.
    Leftovers,
}

/// All actions.
pub(crate) fn actions() -> Vec<Action> {
    let of = |name, run, after, depends| Action {
        name,
        run,
        after,
        depends,
        swaps: 1,
        removes: Removes::Nothing,
    };
    vec![
        of("compact", upkeep::compacting, upkeep::compacted, Depends::Rows),
        of("manifests", upkeep::regrouping, upkeep::regrouped, Depends::Manifests),
        Action {
            removes: Removes::Expired,
            ..of("expire", upkeep::expiring, upkeep::expired, Depends::Manifests)
        },
        Action {
            swaps: 0,
            removes: Removes::Leftovers,
            ..of("orphans", upkeep::tidying, upkeep::tidied, Depends::Manifests)
        },
        of("tag", refs::tagging, refs::tagged, Depends::Metadata),
        of("drop tag", refs::dropping, refs::dropped, Depends::Metadata),
        of("branch", refs::branching, refs::branched, Depends::Metadata),
        of("rollback", refs::rolling_back, refs::rolled_back, Depends::Metadata),
        of("fast-forward", refs::forwarding, refs::forwarded, Depends::Metadata),
        of("cherry-pick", refs::picking, refs::picked, Depends::Manifests),
        of("merge on read", statements::merging, statements::merged, Depends::Rows),
        of("delete on read", statements::deleting, statements::deleted, Depends::Rows),
        of("update on read", statements::updating, statements::updated, Depends::Rows),
        of("insert", statements::inserting, statements::inserted, Depends::List),
        of("replace partitions", statements::replacing, statements::replaced, Depends::Deletes),
        of("truncate", statements::truncating, statements::truncated, Depends::Deletes),
        of("alter schema", statements::widening, statements::widened, Depends::Metadata),
        of("alter spec", statements::respeccing, statements::respecced, Depends::Metadata),
    ]
}

/// The action of a name.
pub(crate) fn named(name: &str) -> Action {
    actions().into_iter().find(|action| action.name == name).expect("an action of this name")
}
