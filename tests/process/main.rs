//! The whole program as its users run it: the binary, files, sockets, a real store, real plugins.
//!
//! Needs the plugins under `plugins/dist` (`plugins/build` makes them; `make test` does).

mod commands;
mod crash;
mod days;
mod house;
mod serve;
mod simulate;
