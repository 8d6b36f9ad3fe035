//! The scan as it travels to executors.
//!
//! The driver plans and submits a *physical* plan, so neither scheduler nor executors need a
//! catalog. [`NorthstarCodec`] carries our scan in it and passes on whatever is not ours.

mod message;
mod northstar;
mod scan;
#[cfg(test)]
mod tests;

pub use northstar::NorthstarCodec;
