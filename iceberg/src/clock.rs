//! The time, as an argument: libraries never ask the machine.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// Milliseconds since 1970-01-01 00:00 UTC.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now_ms(&self) -> i64 {
        chrono::Utc::now().timestamp_millis()
    }
}

/// A clock that stands where it was set and moves one step each time it is read.
#[derive(Debug)]
pub struct SteppingClock {
    next_ms: AtomicI64,
    step_ms: i64,
}

impl SteppingClock {
    /// A clock that first tells `start_ms` and `step_ms` more at each later reading.
    pub fn new(start_ms: i64, step_ms: i64) -> Self {
        Self { next_ms: AtomicI64::new(start_ms), step_ms }
    }

    /// Sets what the next reading tells.
    pub fn set(&self, now_ms: i64) {
        self.next_ms.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for SteppingClock {
    fn now_ms(&self) -> i64 {
        self.next_ms.fetch_add(self.step_ms, Ordering::SeqCst)
    }
}
