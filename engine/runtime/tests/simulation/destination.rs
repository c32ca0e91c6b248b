//! Other people's machines: what they were asked, what they carried out, and how they answer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use zelo_core::http::{Body, Response};
use zelo_runtime::Outbound;
use zelo_runtime::outbound::{Exchange, Hop};

use crate::scheduler::{Dice, Points};
use crate::weather::Weather;

/// Takes an `Idempotency-Key`, and carries out each key once.
pub(crate) const KEYED: &str = "https://pay.example/v1/charges";
/// Carries out whatever comes.
pub(crate) const KEYLESS: &str = "https://crm.example/v1/notes";
/// Puts things where they belong, as often as it is told to.
pub(crate) const PUTS: &str = "https://stock.example/v1/orders";

/// What was asked under one key at one address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) times: u32,
    pub(crate) carried_out: u32,
    pub(crate) bodies: Vec<String>,
}

/// All machines there are. They live on when the process dies.
pub(crate) struct Destination {
    points: Arc<Points>,
    weather: Weather,
    /// By address and key.
    asked: Mutex<BTreeMap<(String, String), Asked>>,
}

impl Destination {
    pub(crate) fn new(points: Arc<Points>, weather: Weather) -> Self {
        Self { points, weather, asked: Mutex::default() }
    }

    pub(crate) fn asked(&self) -> BTreeMap<(String, String), Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn is_bad(&self, dice: &mut Dice) -> bool {
        dice.chance(self.weather.abroad) && self.points.steps() < self.weather.calm_after
    }

    /// Whether nobody is there for a while, and for longer than a breaker needs to find out.
    fn is_down(&self) -> bool {
        let (from, to) = self.weather.outage;
        (from..to.min(self.weather.calm_after)).contains(&self.points.steps())
    }

    /// Carries a request out; again only where it takes no keys.
    fn carry_out(&self, address: &str, key: &str, body: &str) {
        let mut asked = self.asked.lock().unwrap();
        let asked = asked.entry((address.to_owned(), key.to_owned())).or_default();
        asked.times += 1;
        if !asked.bodies.iter().any(|known| known == body) {
            asked.bodies.push(body.to_owned());
        }
        if asked.carried_out == 0 || !address.starts_with(KEYED) {
            asked.carried_out += 1;
        }
    }
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Exchange {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Exchange::Answered(Response { status, headers, body: Body(b"{}".to_vec()) })
}

#[async_trait]
impl Outbound for Destination {
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange {
        let address = hop.url.as_str().to_owned();
        let key = hop.headers.iter().find(|(name, _)| name == "idempotency-key").map(|(_, key)| key.clone()).unwrap();
        let body = String::from_utf8(hop.body.unwrap_or_default().to_vec()).unwrap();
        let lost = || Exchange::Lost("the connection broke off".to_owned());
        let mut dice = self.points.reach(format!("asks {address} {key}")).await;
        if self.is_down() {
            return Exchange::Unsent("nobody is there".to_owned());
        }
        if self.is_bad(&mut dice) {
            match dice.below(7) {
                0 => return Exchange::Unsent("nobody is there".to_owned()),
                1 => return lost(),
                2 => return answer(429, &[("retry-after", "90")]),
                3 => return answer(503, &[]),
                4 => return answer(500, &[]),
                5 => return answer(422, &[]),
                _ => {}
            }
        }
        self.carry_out(&address, &key, &body);
        let mut dice = self.points.reach(format!("hears {address} {key}")).await;
        if self.is_bad(&mut dice) {
            match dice.below(4) {
                0 => return lost(),
                1 => return answer(500, &[]),
                2 => return answer(504, &[]),
                // Until time runs out.
                _ => std::future::pending().await,
            }
        }
        answer(201, &[])
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(20)
    }
}
