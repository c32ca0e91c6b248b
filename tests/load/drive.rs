//! Drives a server: so many requests at once, or so many a second whatever it answers.
//!
//! In an open loop a request is due by its schedule, and its latency counts from then: who is answered late because those before it were,
//! was answered late. The connections are bounded; what finds none free when it is due is sent late.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::client::Connection;

/// A request, head and body.
pub(crate) type Delivery = Rc<[u8]>;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Accepted,
    /// 503 with `Retry-After`.
    Busy,
    /// Anything else.
    Other(u16),
    /// The connection broke: nobody knows.
    Broken,
    /// Its time was over before a connection was free.
    Unsent,
}

/// One delivery of a round; times count from the beginning of the round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) due: Duration,
    pub(crate) sent: Duration,
    pub(crate) answered: Duration,
    pub(crate) end: End,
}

/// What came of a round.
pub(crate) struct Round {
    pub(crate) took: Duration,
    pub(crate) samples: Vec<Sample>,
}

impl Round {
    pub(crate) fn count(&self, wanted: End) -> usize {
        self.samples.iter().filter(|sample| sample.end == wanted).count()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.count(End::Accepted) as f64 / self.took.as_secs_f64()
    }

    /// # Errors
    /// Something was answered with anything but 202.
    pub(crate) fn all_accepted(self, what: &str) -> Result<Self, String> {
        match self.samples.iter().find(|sample| sample.end != End::Accepted) {
            None => Ok(self),
            Some(sample) => {
                let others = self.samples.len() - self.count(End::Accepted);
                Err(format!("{what}: {others} of {} deliveries were not accepted; one ended as {:?}", self.samples.len(), sample.end))
            }
        }
    }
}

/// What becomes of deliveries of a phase that are not on their way when it is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    Sent,
    GivenUp,
}

/// So many deliveries a second, for so long.
#[derive(Clone, Copy)]
pub(crate) struct Phase {
    pub(crate) rate: f64,
    pub(crate) lasts: Duration,
    pub(crate) rest: Rest,
}

/// Has `in_flight` connections send `deliveries`, each one after the other.
pub(crate) fn closed(port: u16, deliveries: Vec<Delivery>, in_flight: usize) -> Round {
    let due = vec![(Duration::ZERO, Duration::MAX); deliveries.len()];
    run(port, due, deliveries, in_flight)
}

/// Sends when it is time, phase after phase, over at most `connections`. What was told to come again does so, in place of a new delivery.
/// `deliveries` are enough for what is accepted.
pub(crate) fn open(port: u16, phases: &[Phase], deliveries: Vec<Delivery>, connections: usize) -> Round {
    let mut due = Vec::new();
    let mut begins = Duration::ZERO;
    for phase in phases {
        let ends = begins + phase.lasts;
        let given_up = if phase.rest == Rest::GivenUp { ends } else { Duration::MAX };
        let number = (phase.rate * phase.lasts.as_secs_f64()) as u32;
        due.extend((0..number).map(|place| (begins + phase.lasts * place / number, given_up)));
        begins = ends;
    }
    run(port, due, deliveries, connections)
}

/// What the connections of a round share.
struct Shared {
    begun: Instant,
    /// When each is due, and from when on it is not sent any more.
    due: Vec<(Duration, Duration)>,
    next: Cell<usize>,
    waiting: RefCell<VecDeque<Delivery>>,
    samples: RefCell<Vec<Sample>>,
}

fn run(port: u16, due: Vec<(Duration, Duration)>, deliveries: Vec<Delivery>, connections: usize) -> Round {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&tokio, async {
        let mut opened = Vec::new();
        for _ in 0..connections.min(due.len()) {
            let mut connection = Connection::to(port);
            connection.open().await.unwrap();
            opened.push(connection);
        }
        let samples = RefCell::new(Vec::with_capacity(due.len()));
        let begun = Instant::now();
        let shared = Rc::new(Shared { begun, due, next: Cell::new(0), waiting: RefCell::new(deliveries.into()), samples });
        let sending: Vec<_> = opened.into_iter().map(|connection| tokio::task::spawn_local(send(connection, shared.clone()))).collect();
        for one in sending {
            one.await.unwrap();
        }
        Round { took: begun.elapsed(), samples: shared.samples.take() }
    })
}

/// Sends one after the other until none is left.
async fn send(mut connection: Connection, shared: Rc<Shared>) {
    loop {
        let place = shared.next.get();
        let Some(&(due, given_up)) = shared.due.get(place) else { return };
        shared.next.set(place + 1);
        if shared.begun.elapsed() < due {
            tokio::time::sleep_until(shared.begun + due).await;
        }
        let sent = shared.begun.elapsed();
        // Where none is left to be sent, more was accepted than can be: the round counts it.
        let delivery = if sent < given_up { shared.waiting.borrow_mut().pop_front() } else { None };
        let end = match delivery {
            None => End::Unsent,
            Some(delivery) => match connection.exchange(&delivery).await {
                Ok(answer) if answer.status == 202 => End::Accepted,
                Ok(answer) if answer.status == 503 && answer.retry_after => {
                    shared.waiting.borrow_mut().push_back(delivery);
                    End::Busy
                }
                Ok(answer) => End::Other(answer.status),
                Err(_) => End::Broken,
            },
        };
        shared.samples.borrow_mut().push(Sample { due, sent, answered: shared.begun.elapsed(), end });
    }
}
