//! zelo: a self-hosted rule engine. Webhooks come in, rules match them, sandboxed plugins act.
//!
//! This crate only wires: it reads the configuration, puts store, host, rules and server together, and offers them as
//! commands. It is the only code that knows everyone. See `engine/README.md` for the way of one event.

pub mod cli;
pub mod config;
mod telemetry;
