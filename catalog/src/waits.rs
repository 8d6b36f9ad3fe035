//! Waiting between the attempts of a call to a service: longer each time, with jitter, bounded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a call to a service is tried, and how long in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts of one call, the first one among them.
    pub attempts: u32,
    /// The longest first wait; each later one may be twice as long.
    pub first_wait_ms: u64,
    /// No wait is longer.
    pub longest_wait_ms: u64,
    /// An attempt that takes longer is given up; it may still take effect.
    pub attempt_timeout_ms: u64,
}

impl Default for Patience {
    /// Eight attempts in up to some 16 seconds of waiting, each attempt of at most 30 seconds.
    fn default() -> Self {
        Self { attempts: 8, first_wait_ms: 200, longest_wait_ms: 5_000, attempt_timeout_ms: 30_000 }
    }
}

/// The waits of one client: a sequence of random numbers that a seed begins.
#[derive(Debug)]
pub(crate) struct Waits {
    patience: Patience,
    state: AtomicU64,
}

impl Waits {
    pub(crate) fn new(patience: Patience, seed: u64) -> Self {
        Self { patience, state: AtomicU64::new(seed) }
    }

    /// Attempts of one call.
    pub(crate) fn attempts(&self) -> u32 {
        self.patience.attempts.max(1)
    }

    /// Waits before the attempt after `failures` failed ones; not before the first one.
    pub(crate) async fn wait(&self, failures: u32) {
        if failures > 0 {
            tokio::time::sleep(self.next(failures)).await;
        }
    }

    /// Between half of the wait and all of it, so that clients that met do not meet again.
    fn next(&self, failures: u32) -> Duration {
        let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
        let wait_ms = self.patience.first_wait_ms.saturating_mul(doubled);
        let wait_ms = wait_ms.min(self.patience.longest_wait_ms);
        Duration::from_millis(wait_ms / 2 + self.random() % (wait_ms / 2 + 1))
    }

    /// SplitMix64. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
    fn random(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_repeat_with_their_seed() {
        let patience = Patience { first_wait_ms: 100, longest_wait_ms: 300, ..Patience::default() };
        let drawn = |seed| -> Vec<u128> {
            let waits = Waits::new(patience, seed);
            [1, 2, 3, 70].map(|failures| waits.next(failures).as_millis()).to_vec()
        };
        for seed in 0..50 {
            for (wait, longest) in drawn(seed).into_iter().zip([100, 200, 300, 300]) {
                assert!((longest / 2..=longest).contains(&wait), "{wait} of {longest}");
            }
        }
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
    }
}
