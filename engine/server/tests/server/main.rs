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
mod page_attention;
mod page_audit;
mod page_automations;
mod page_contacts;
mod page_documents;
mod page_failures;
mod page_guards;
mod page_meanwhile;
mod page_messages;
mod page_people;
mod page_plugins;
mod page_rules;
mod page_scheduled;
mod page_sources;
mod page_start;
mod page_subjects;
mod page_today;
mod pages;
mod people;
mod privacy;
mod problem_pages;
mod refused;
mod replay;
mod serve;
mod tls;
