//! Memory for queries that sort what they have sorted.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as DFResult};
use datafusion::execution::memory_pool::{
    GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};

/// A partition of a query has this much memory, or there is only one.
const BYTES_PER_PARTITION: usize = 64 << 20;

/// Rows are wide, since all columns are compared: batches are kept small.
const BATCH_ROWS: usize = 512;

/// Into how many parts a partition's memory goes: for each of three sorts, one for the rows that it
/// takes in and two to merge what it put aside.
const PARTS: usize = 9;

/// The state of a session, for queries of which one sort reads what another gives.
///
/// DataFusion lets the first of them take all memory, and it keeps that while the second one reads
/// from it, which then has none. Here each that can put rows aside does so once it has its part.
///
/// # Errors
/// If the runtime cannot be made.
pub(super) fn frugal(state: SessionState) -> DFResult<SessionState> {
    let runtime = state.runtime_env();
    let MemoryLimit::Finite(bytes) = runtime.memory_pool.memory_limit() else {
        return Ok(state);
    };
    let config = state.config().clone();
    let partitions = config.target_partitions().min((bytes / BYTES_PER_PARTITION).max(1));
    let part = bytes / partitions / PARTS;
    let batch_rows = config.batch_size().min(BATCH_ROWS);
    let held_back = config.options().execution.sort_spill_reservation_bytes;
    let config = config
        .with_target_partitions(partitions)
        .with_batch_size(batch_rows)
        .with_sort_spill_reservation_bytes(held_back.min(part));
    let pool = Parts { all: GreedyMemoryPool::new(bytes), part };
    let runtime = RuntimeEnvBuilder::from_runtime_env(runtime)
        .with_memory_pool(Arc::new(pool))
        .build_arc()?;
    let state = SessionStateBuilder::new_from_existing(state);
    Ok(state.with_config(config).with_runtime_env(runtime).build())
}

/// A pool of which no one takes more than its part: one that can put rows aside does so then, and a
/// merge takes fewer runs at a time.
#[derive(Debug)]
struct Parts {
    all: GreedyMemoryPool,
    part: usize,
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in parts of {} bytes", self.all, self.part)
    }
}

impl MemoryPool for Parts {
    fn name(&self) -> &str {
        "parts"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DFResult<()> {
        let held = reservation.size();
        let consumer = reservation.consumer();
        let most = if consumer.can_spill() { self.part } else { 2 * self.part };
        // One batch always passes: what holds nothing has nothing to put aside.
        if held > 0 && held + additional > most {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} has its part of {most} bytes",
                consumer.name()
            )));
        }
        self.all.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.all.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.all.memory_limit()
    }
}
