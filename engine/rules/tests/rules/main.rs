//! The crate as its users see it, on the files that ship and on small ones made for a point.

mod common;
mod conditions;
mod diagnostics;
mod matching;
mod preparing;
mod shipped;
mod sources;
mod verifying;
