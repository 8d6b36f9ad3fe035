//! The allocator of the program: jemalloc, told by the Makefile to have few heaps and to give
//! what is freed back to the system within half a second (`docs/adr/0008-allocator.md`).
//!
//! The C library's keeps what is freed for later, more of it the larger the blocks that were freed, so
//! that a statement that is within its memory at each step is not within it at the last one.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static JEMALLOC: Jemalloc = Jemalloc;
