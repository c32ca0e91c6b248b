//! What providers, programs and people may rely on over HTTP.

#![allow(clippy::unwrap_used, reason = "clippy knows tests by #[test]; what they share here is tests too")]

mod access;
mod api;
mod contract;
mod deaf;
mod deliveries;
mod documents;
mod door;
mod gates;
mod halts;
mod handshakes;
mod hearing;
mod hooks;
mod house;
mod jobs;
mod live;
mod metrics;
mod page_activity;
mod pages;
mod people;
mod privacy;
mod refused;
mod replay;
mod serve;
mod tls;
