//! Which join keys one side may have: a bitmap of hashes.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::common::Result as DFResult;
use datafusion::common::hash_utils::{RandomState, create_hashes};
use datafusion::physical_plan::PhysicalExpr;

/// The hash of each row's key. Each level of division has hashes of its own, and none has those by
/// which DataFusion divides rows and makes its tables.
pub(super) fn hashes(
    keys: &[Arc<dyn PhysicalExpr>],
    batch: &RecordBatch,
    level: usize,
) -> DFResult<Vec<u64>> {
    let rows = batch.num_rows();
    let values = keys
        .iter()
        .map(|key| key.evaluate(batch)?.into_array(rows))
        .collect::<DFResult<Vec<ArrayRef>>>()?;
    let mut hashes = vec![0; rows];
    let seed = 0x006e_6f72_7468_0000 + u64::try_from(level).unwrap_or(0);
    create_hashes(&values, &RandomState::with_seed(seed), &mut hashes)?;
    Ok(hashes)
}

/// Hashes of keys, two bits for each.
#[derive(Debug)]
pub(super) struct Keys {
    bits: Vec<u64>,
    mask: u64,
}

impl Keys {
    /// A bitmap of at most `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        let words = (bytes.max(1_024) / 8 + 1).next_power_of_two() / 2;
        let mask = u64::try_from(words * 64 - 1).unwrap_or(0);
        Self { bits: vec![0; words], mask }
    }

    fn places(&self, hash: u64) -> [(usize, u64); 2] {
        [hash, hash.rotate_left(29)].map(|hash| {
            let bit = hash & self.mask;
            (usize::try_from(bit / 64).unwrap_or(0), 1 << (bit % 64))
        })
    }

    pub(super) fn add(&mut self, hash: u64) {
        for (word, bit) in self.places(hash) {
            self.bits[word] |= bit;
        }
    }

    /// Whether the key may be there; false only if it is not.
    pub(super) fn may_have(&self, hash: u64) -> bool {
        self.places(hash).iter().all(|(word, bit)| self.bits[*word] & bit != 0)
    }
}
