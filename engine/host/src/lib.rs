//! The sandbox: runs plugins, which are WebAssembly components of the world `zelo:automation` (see `wit/`).
//!
//! The only crate that knows wasmtime, and nothing of wasmtime shows in its interface. It decides nothing about jobs: the
//! runtime gives it a frozen [`Invocation`](zelo_core::Invocation) and an [`Effects`], which journals and performs what
//! the plugin asks for, and gets back a [`Run`].
//!
//! What holds for every run:
//! - the component was checked when it was loaded ([`Host::load`]) and its imports were granted ([`Host::prepare`]);
//!   nothing else is linked, so nothing else can be called;
//! - it gets a fresh instance, which is thrown away afterwards: no run sees another's memory;
//! - it ends, whatever the plugin does, as an [`End`] that names what happened, within its [`Limits`];
//! - it never holds a worker thread longer than about ten milliseconds at a time.
//!
//! To add a capability: define its interface in a new version folder under `wit/`, give it a place in
//! [`Capability`](zelo_core::grants::Capability) and [`Effect`](zelo_core::Effect), link it in `bindings`, and translate
//! its calls in `calls`, with what is checked of them in `check`.

mod bindings;
mod cache;
mod calls;
mod check;
pub mod contract;
mod effects;
mod engine;
mod host;
mod inspect;
mod limits;
pub mod manifest;
mod meter;
pub mod package;
mod plugin;
mod run;

pub use effects::{Effects, Level, Stop};
pub use host::{Capacity, Error, Host, HostConfig};
pub use limits::{HARD_STOP, Limit, Limits};
pub use manifest::Manifest;
pub use plugin::{LoadError, MissingGrants, Plugin, Prepared, Problem, digest};
pub use run::{End, Run};
