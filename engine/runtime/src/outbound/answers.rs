//! Answers that were given beforehand, for dry runs, tests and simulations: nothing leaves the process.

use std::time::Duration;

use async_trait::async_trait;
use zelo_core::http::{Answer, Method, Target};

use super::{Exchange, Hop, Outbound};

/// What other people's machines answer. What nobody answers here finds nobody there.
#[derive(Clone, Debug, Default)]
pub struct Answers(pub Vec<Answer>);

impl Answers {
    /// The answer to `method` on `url`, if one is given.
    pub(crate) fn to(&self, method: Method, url: &Target) -> Option<&Answer> {
        self.0.iter().find(|answer| answer.request.allows(method, url))
    }
}

#[async_trait]
impl Outbound for Answers {
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange {
        match self.to(hop.method, hop.url) {
            Some(answer) => Exchange::Answered(answer.response()),
            None => {
                let (method, origin) = (hop.method.as_str(), hop.url.origin());
                Exchange::Unsent(format!(
                    "no answer is given for {method} to this address of {origin}: give one, with `http` in a [[test]], or `--answers` of `zelo simulate`"
                ))
            }
        }
    }

    fn longest(&self) -> Duration {
        Duration::MAX
    }
}
