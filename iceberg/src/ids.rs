//! Identifiers, as an argument: what is random in production is a seeded sequence in tests.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Makes identifiers that were never made before.
pub trait Ids: Debug + Send + Sync {
    /// A new UUID.
    fn uuid(&self) -> Uuid;

    /// A new positive number, for snapshot ids.
    fn positive_i64(&self) -> i64 {
        let (high, low) = self.uuid().as_u64_pair();
        ((high ^ low) >> 1).cast_signed().max(1)
    }
}

/// Random identifiers (UUID version 4).
#[derive(Debug, Default, Clone, Copy)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn uuid(&self) -> Uuid {
        Uuid::new_v4()
    }
}

/// The same sequence of identifiers for the same seed.
#[derive(Debug)]
pub struct SeededIds {
    seed: u64,
    next: AtomicU64,
}

impl SeededIds {
    /// The sequence of `seed`, from its start.
    pub fn new(seed: u64) -> Self {
        Self { seed, next: AtomicU64::new(0) }
    }
}

impl Ids for SeededIds {
    fn uuid(&self) -> Uuid {
        let index = self.next.fetch_add(1, Ordering::SeqCst);
        Uuid::from_u128(xxh3_128_with_seed(&index.to_le_bytes(), self.seed))
    }
}
