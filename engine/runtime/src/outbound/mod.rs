//! Requests to other people's machines.
//!
//! [`Sending`] decides what may go where and what an answer means; an [`Outbound`] is what carries one request to one place: over the
//! network ([`Internet`]), or to answers that were given beforehand ([`Answers`]). `breakers` remember who is down and left alone.

mod address;
mod answers;
mod breakers;
mod internet;
mod secrets;
mod sending;

use std::time::Duration;

use async_trait::async_trait;
use zelo_core::http::{Method, Response, Target};

pub use address::{Inside, NotInside, is_public};
pub use answers::Answers;
pub use breakers::Down;
pub(crate) use breakers::{Breakers, Word};
pub use internet::{Internet, InternetConfig, use_ring};
pub use secrets::{Bound, SECRET_MIN, Secret, Secrets};
pub(crate) use sending::{Marks, Sending, Sent, Ways, secrets_of};

/// Carries one request to one place.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Sends `hop` once, and follows nothing.
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange;

    /// How long one request may take, redirects and all.
    fn longest(&self) -> Duration;
}

/// One request to one place, as it goes out.
pub struct Hop<'a> {
    pub method: Method,
    pub url: &'a Target,
    /// All of them, secrets filled in.
    pub headers: Vec<(String, String)>,
    pub body: Option<&'a [u8]>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// It was answered, whatever the status says.
    Answered(Response),
    /// It was answered, but of the answer there is only the head: it is more than is taken, or it broke off.
    Headed { head: Response, why: Cut },
    /// Nothing was sent, and nothing will be: where it leads is inside of the operator's network.
    Inside(String),
    /// Nothing was sent: nobody was there.
    Unsent(String),
    /// It was sent, or a part of it, and no answer came.
    Lost(String),
}

/// Why there is only the head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It has more than so many bytes.
    TooLarge(usize),
    BrokenOff(String),
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
