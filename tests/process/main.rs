//! The whole program as its users run it: the binary, files, sockets, a real store, real plugins.
//!
//! Needs the plugins under `plugins/dist` (`plugins/build` makes them; `make test` does).

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod authors;
mod backtest;
mod backup;
mod budgets;
mod chain;
mod clock;
mod commands;
mod crash;
mod days;
mod deliveries;
mod disk;
mod door;
mod events;
mod explain;
mod halts;
mod house;
mod import;
mod jobs;
mod over_time;
mod people;
mod play;
mod privacy;
mod refused;
mod replay;
mod requests;
mod rules;
mod secrets;
mod seen;
mod send;
mod serve;
mod simulate;
mod stopping;
mod tenants;
mod ztest;
