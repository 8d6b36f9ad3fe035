//! Hash joins within a memory limit.
//!
//! DataFusion's hash join keeps its whole left side in memory. Here a join reads its left side first
//! and hands it over only if it is small:
//!
//! ```text
//! spilling   the node around a join; left rows up to a share of the memory ─▶ DataFusion's join
//! handed     rows that were read, as that join's child
//! buckets    more of them: both sides are put on disk, in buckets by a hash of the key
//! keys       of right rows only those whose key the left side may have
//! probe      the buckets of both sides joined pair by pair, divided again where still too large
//! bounded    which joins of a plan get the node, and how many rows a batch has where rows are wide
//! ```
//!
//! Rows with equal keys are in one bucket, so that each kind of join is the sum of its buckets. What
//! cannot be divided, many rows of one key on both sides, is left to DataFusion's join, which fails
//! when the memory is used up.

mod bounded;
mod buckets;
mod handed;
mod keys;
mod probe;
mod spilling;
#[cfg(test)]
mod tests;

pub(crate) use bounded::{bounded, fewer_partitions};
