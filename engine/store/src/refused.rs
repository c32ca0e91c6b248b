//! Deliveries that were refused, for who wonders why nothing comes.

use jiff::{SignedDuration, Timestamp};

use zelo_core::TraceId;

/// Of each connection, so many are kept.
pub const REFUSED_MAX: u32 = 200;
/// None is kept longer, whatever retention says.
pub const REFUSED_LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What is kept of a delivery that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What its log lines are found by.
    pub trace: TraceId,
    pub connection: String,
    /// The clinic of the connection.
    pub clinic: Option<String>,
    pub at: Timestamp,
    /// The word of its problem document.
    pub code: String,
    /// The rule that it broke; nothing of what it contained.
    pub why: String,
    /// How many it stands for: those since the last one that was kept, of the same connection and code.
    pub count: u64,
    /// Of its body, in bytes: as far as it was read, or as it was announced.
    pub size: u64,
    /// Who sent it.
    pub address: Option<String>,
    /// What followed the name of the connection in its URL, without the query.
    pub path: String,
    /// Its headers; of what may be secret only the name.
    pub headers: Vec<(String, Option<String>)>,
}

/// One of them, and its body where that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct RefusedWrite {
    pub refused: Refused,
    pub body: Option<Vec<u8>>,
}

/// Prints no body.
impl std::fmt::Debug for RefusedWrite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RefusedWrite({:?}, {} bytes)", self.refused.code, self.body.as_ref().map_or(0, Vec::len))
    }
}

/// One of them with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedView {
    pub cursor: i64,
    pub refused: Refused,
    /// Whether its body is kept.
    pub has_body: bool,
}
