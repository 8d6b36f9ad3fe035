//! What data is read from: each source yields typed Arrow batches and the records it refuses.

pub mod csv;
