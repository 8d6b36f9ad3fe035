//! Structs, lists and maps: written, read, evolved, merged, compacted, and the types that they are
//! made of.

mod kind;
mod lives;
mod scanned;
mod statements;
mod types;
mod value;
