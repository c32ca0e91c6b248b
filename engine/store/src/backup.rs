//! What a backup has, for who made it and for who is about to restore it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A backup that was looked through: every page and index agrees, and the audit log is what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// Of the file.
    pub bytes: u64,
    /// The schema that it has; an older one is brought forward when it is opened.
    pub schema: u32,
    pub events: u64,
    /// Live and ended.
    pub jobs: u64,
    /// When the newest event arrived.
    pub newest: Option<Timestamp>,
    /// The end of the audit log; none where the log is empty, or the schema from before there was one.
    pub audit: Option<AuditEnd>,
}

/// Where an audit log ends: its last entry, and the hash of the chain up to it in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEnd {
    pub seq: u64,
    pub hash: String,
}

/// A backup that took the place of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub report: BackupReport,
    /// Where the store that was there is now.
    pub moved: Option<std::path::PathBuf>,
}
