//! How fast this machine is: what was used between two moments, and what the machine is.

pub(crate) mod machine;
pub(crate) mod spent;
