//! The crate as its users see it, on the files that ship and on small ones made for a point.

#![allow(clippy::unwrap_used, reason = "what the tests share is no test to clippy")]

mod care;
mod chains;
mod classes;
mod common;
mod conditions;
mod consents;
mod deliveries;
mod diagnostics;
mod explaining;
mod fuzzing;
mod jsonpath;
mod lanes;
mod loading;
mod matching;
mod over_time;
mod preparing;
mod providers;
mod schema;
mod sentences;
mod shipped;
mod sources;
mod testing;
mod vectors;
mod verifying;
