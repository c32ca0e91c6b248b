//! How much came through each connection.

use zelo_core::hearing::Hour;

/// What came through `connection` in `hour` since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardHour {
    pub connection: String,
    pub hour: i64,
    pub came: Hour,
}
