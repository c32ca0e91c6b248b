//! The parts of the benchmark. A new one is a file here, and a word in `matching.rs`.

pub(crate) mod building;
pub(crate) mod matching;
pub(crate) mod reload;
mod zelo;
