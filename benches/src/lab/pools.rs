//! Picks rows while they stream by: so many of each pool, every row of a pool being as likely.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{expected::Expected, shape::Shape};

/// Rows of which some are picked.
#[derive(Clone, Debug)]
struct Pool {
    /// Rows that have yet to come.
    left: u64,
    /// Rows that have yet to be picked.
    wanted: u64,
}

/// The pools of a shape, and to which of them the rows of a partition belong.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    pools: Vec<Pool>,
    pool_of: Vec<Option<usize>>,
}

impl Pools {
    /// The pools of `shape` in a table that holds `before`; `changes` instead of the shape's own number,
    /// if given.
    pub(super) fn new(
        shape: Shape,
        before: &Expected,
        changes: Option<u64>,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let rows = before.rows_by_partition();
        let all: u64 = rows.iter().sum();
        let within = |chosen: &dyn Fn(usize) -> bool, wanted: Option<u64>| {
            let left = rows.iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, rows)| rows);
            let left: u64 = left.sum();
            let wanted = changes.or(wanted).unwrap_or(left / 20).min(left);
            let pool_of = (0..rows.len()).map(|at| chosen(at).then_some(0)).collect();
            Self { pools: vec![Pool { left, wanted }], pool_of }
        };
        match shape {
            Shape::Scattered | Shape::DeleteOnly | Shape::InsertOnly => {
                within(&|_| true, Some(all / 100))
            }
            Shape::Recent => within(&|at| before.is_last_month(at), Some(all / 100)),
            Shape::FewFiles => {
                let count = rows.len().div_ceil(20);
                let step = rows.len() / count;
                let first = below(random, u64::try_from(step).unwrap_or(1));
                let first = usize::try_from(first).unwrap_or(0);
                within(&|at| at % step == first && at / step < count, None)
            }
            Shape::EveryFile => {
                let pools = rows.iter().map(|rows| Pool { left: *rows, wanted: rows / 100 });
                Self { pools: pools.collect(), pool_of: (0..rows.len()).map(Some).collect() }
            }
        }
    }

    /// Rows that are picked in all.
    pub(super) fn wanted(&self) -> u64 {
        self.pools.iter().map(|pool| pool.wanted).sum()
    }

    /// Picks as many for each of `times` rounds.
    pub(super) fn repeat(&mut self, times: u64) {
        for pool in &mut self.pools {
            pool.wanted = (pool.wanted * times).min(pool.left);
        }
    }

    /// Whether the next row, which is in `partition`, is picked.
    pub(super) fn picks(&mut self, partition: usize, random: &mut ChaCha8Rng) -> bool {
        let Some(pool) = self.pool_of[partition].map(|at| &mut self.pools[at]) else {
            return false;
        };
        let picked = below(random, pool.left) < pool.wanted;
        pool.left -= 1;
        pool.wanted -= u64::from(picked);
        picked
    }
}

/// A number from 0 up to, but not, `limit`; 0 if that is 0.
pub(super) fn below(random: &mut ChaCha8Rng, limit: u64) -> u64 {
    let product = u128::from(random.next_u64()) * u128::from(limit);
    u64::try_from(product >> 64).unwrap_or(0)
}
