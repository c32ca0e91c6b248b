//! The contract of a store, held against every database: each test of `conforming!` runs once per kind.
//!
//! To add a database: add a [`build::Kind`], and its case to `conforming!`.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

/// Makes one test per database of an async function of [`build::Kind`].
macro_rules! conforming {
    ($($(#[doc = $doc:literal])* async fn $name:ident($kind:ident) $body:block)*) => {$(
        $(#[doc = $doc])*
        #[rstest::rstest]
        #[case::sqlite_file($crate::build::Kind::SqliteFile)]
        #[case::sqlite_memory($crate::build::Kind::SqliteMemory)]
        #[tokio::test]
        async fn $name(#[case] $kind: $crate::build::Kind) $body
    )*};
}

mod activity;
mod agenda;
mod amending;
mod archive;
mod arrivals;
mod audit;
mod backups;
mod batches;
mod budgets;
mod build;
mod chains;
mod consents;
mod conversations;
mod counts;
mod damage;
mod erasing;
mod figures;
mod files;
mod heard;
mod line;
mod over_time;
mod people;
mod queue;
mod refused;
mod replaying;
mod retention;
mod reviving;
mod sealed;
mod secrets;
mod settlements;
mod several;
mod shown;
mod subjects;
mod waiting;
