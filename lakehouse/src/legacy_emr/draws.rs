//! Random draws that are the same on every platform and in every release.
//!
//! The sampling is written out here, because a random number library may change how it turns bits
//! into a range, and with it the bytes of every generated file.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of draws is for; a part of its key, so that no two purposes share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Facility = 1,
    Provider,
    Patient,
    Visit,
    Encounter,
    Diagnosis,
    Procedure,
    Medication,
    LabResult,
    Charge,
    Correction,
    Duplicate,
    Malformed,
    ChangeDay,
}

/// A stream of draws of one (seed, purpose, index).
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = purpose as u8;
        key[16..].copy_from_slice(b"northstar-emr-v1");
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index);
        Self(rng)
    }

    /// A number in `0..n`; 0 where `n` is 0.
    pub(super) fn below(&mut self, n: u32) -> u32 {
        let wide = u64::from(self.0.next_u32()) * u64::from(n);
        // The upper half of a 32 by 32 bit product is below 2^32.
        (wide >> 32) as u32
    }

    /// A number in `0..n`; 0 where `n` is 0.
    pub(super) fn below_u64(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(n);
        (wide >> 64) as u64
    }

    /// A number in `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low).saturating_add(1)).unwrap_or(0);
        low.saturating_add(i64::try_from(self.below_u64(span)).unwrap_or(0))
    }

    /// A number in `low..=high`, mostly near the middle: the mean of three draws.
    pub(super) fn near_middle(&mut self, low: i64, high: i64) -> i64 {
        (self.between(low, high) + self.between(low, high) + self.between(low, high)) / 3
    }

    /// True in `per_million` of a million cases.
    pub(super) fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < per_million
    }

    /// One of `items`, which must not be empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        &items[self.below(count) as usize]
    }

    /// One of some texts, which must not be none.
    pub(super) fn word(&mut self, texts: &[&'static str]) -> &'static str {
        self.pick::<&str>(texts)
    }
}
