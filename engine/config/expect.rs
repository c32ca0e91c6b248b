//! `expect`: after how long without a delivery somebody is told.

use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use zelo_core::SignedDuration;

/// `2h` or `3d`: from a minute, which is how often it is looked at, to a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expect(pub SignedDuration);

impl FromStr for Expect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let within = SignedDuration::from_mins(1)..=SignedDuration::from_hours(366 * 24);
        let expect = zelo_rules::duration(text).filter(|expect| within.contains(expect));
        expect.map(Self).ok_or_else(|| format!("`{text}` is not how long a connection may be silent; write 2h or 3d, from 1m to 366d"))
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_span_that_can_be_waited_for() {
        for (text, minutes) in
            [("1m", Some(1)), ("2h", Some(120)), ("366d", Some(366 * 24 * 60)), ("59s", None), ("367d", None), ("2", None)]
        {
            assert_eq!(text.parse().ok(), minutes.map(|minutes| Expect(SignedDuration::from_mins(minutes))), "{text}");
        }
    }
}
