//! The scan, and the nodes that keep and write rows, as they travel to executors.
//!
//! The driver plans and submits a *physical* plan, so neither scheduler nor executors need a
//! catalog. [`NorthstarCodec`] carries our nodes in it and passes on whatever is not ours.

mod change;
mod conform;
mod delete;
mod message;
mod northstar;
mod scan;
#[cfg(test)]
mod tests;

pub use northstar::NorthstarCodec;
