//! Message budgets while jobs run: what the store has counted, and the places of messages that are not in it yet.
//!
//! A message counts from the moment its attempt may send it: it takes a [`Place`] in memory, which is given back when the
//! attempt has been settled (then the store counts the message, if it stands) or has ended in any other way. Whoever asks takes
//! a place first and asks the store afterwards, so each of two who ask at once sees the other, in one place or the other: the
//! last message of a budget is never given twice. A store has one process, and this lives in it.
//!
//! What the store counts, and what this very attempt has sent, is certain; what others are about to send is not. Only the
//! certain spends a budget; where it takes the others too, the asker comes again a little later.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use zelo_core::budget::contact;
use zelo_core::{AutomationId, Budget, Job, KeyHash, Timestamp};
use zelo_store::{Error, Store};

/// How long a job waits before it asks again, where others may be taking what is left of a budget.
pub(crate) const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The budgets of a runtime.
#[derive(Debug, Default)]
pub struct Budgets {
    /// Of every contact of every connection; none: as many messages as the rules send.
    of_contacts: Option<Budget>,
    /// Addresses that it is not for.
    except: BTreeSet<String>,
    held: Arc<Mutex<Held>>,
}

/// Who is about to send to whom.
#[derive(Debug, Default)]
struct Held {
    last: u64,
    by_contact: HashMap<KeyHash, Vec<Holder>>,
}

#[derive(Debug)]
struct Holder {
    place: u64,
    automation: AutomationId,
    action: String,
}

/// The places that an attempt holds. Keep them until its settlement is stored, and drop them then.
#[derive(Debug, Default)]
#[must_use = "what an attempt is about to send counts for as long as this lives"]
pub struct Places(Vec<Place>);

/// A place in the budgets of a contact. Dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place {
    held: Arc<Mutex<Held>>,
    place: u64,
    contact: KeyHash,
    /// Whether a message is for it; until then it is only kept free for one.
    used: bool,
}

/// One more message, as a job asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    automation: AutomationId,
    action: String,
    contact: KeyHash,
    of_contact: Option<Budget>,
    /// What the rule asks for.
    of_action: Option<Budget>,
    /// Messages to this contact that the attempt holds places for.
    mine: u32,
    now: Timestamp,
}

/// What the budgets say to it.
#[derive(Debug)]
pub(crate) enum Answer {
    Take(Place),
    /// Not now and not for this job: why, without any value.
    Spent(String),
    /// Perhaps, once others have come to their ends.
    Later,
}

impl Budgets {
    /// Each contact of a connection gets so many messages; none: any number. So do the addresses of `except`, however they are
    /// written. What a rule asks for holds for all of them.
    pub fn new<'a>(of_contacts: Option<Budget>, except: impl IntoIterator<Item = &'a str>) -> Self {
        Self { of_contacts, except: except.into_iter().map(contact).collect(), held: Arc::default() }
    }

    /// One more message of `job` to `to`; nothing where such messages are not counted.
    pub(crate) fn asking(&self, store: &dyn Store, job: &Job, to: &str, of_action: Option<Budget>, now: Timestamp) -> Option<Asking> {
        let of_contact = self.of_contacts.filter(|_| !self.except.contains(&contact(to)));
        of_contact.or(of_action)?;
        let contact = store.indexer().contact(&job.connection, to);
        Some(Asking { automation: job.automation.clone(), action: job.action.clone(), contact, of_contact, of_action, mine: 0, now })
    }

    /// Asks for one more message.
    pub(crate) async fn ask(&self, store: &dyn Store, asking: &Asking) -> Result<Answer, Error> {
        let Asking { automation, action, contact, of_contact, of_action, mine, now } = asking;
        let (place, others, of_same) = self.enter(asking);
        let of = || (automation.clone(), action.clone());
        let budgets = [(*of_contact, None, others, ""), (*of_action, of_action.map(|_| of()), of_same, " of this action")];
        let mut answer = Answer::Take(place);
        for (budget, of, others, whose) in budgets {
            let Some(budget) = budget else { continue };
            let certain = store.sent_since(*contact, of, budget.since(*now)).await?.saturating_add(*mine);
            if certain >= budget.limit() {
                return Ok(Answer::Spent(spent(budget, whose)));
            }
            if certain.saturating_add(others) >= budget.limit() {
                answer = Answer::Later;
            }
        }
        Ok(answer)
    }

    /// Takes a place; also how many others hold one for this contact, and how many of them for the same action.
    fn enter(&self, asking: &Asking) -> (Place, u32, u32) {
        let Asking { automation, action, contact, mine, .. } = asking;
        let mut held = lock(&self.held);
        held.last += 1;
        let place = held.last;
        let holders = held.by_contact.entry(*contact).or_default();
        let same = holders.iter().filter(|holder| holder.automation == *automation && holder.action == *action).count();
        let others = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_sub(*mine);
        let counted = (others(holders.len()), others(same));
        holders.push(Holder { place, automation: automation.clone(), action: action.clone() });
        (Place { held: self.held.clone(), place, contact: *contact, used: false }, counted.0, counted.1)
    }

    /// Contacts to whom somebody is about to send.
    #[cfg(test)]
    pub(crate) fn contacts_held(&self) -> usize {
        lock(&self.held).by_contact.len()
    }
}

/// "this contact had 20 messages within 24h, and no more are sent"
fn spent(budget: Budget, whose: &str) -> String {
    let told = budget.to_string();
    let (messages, within) = told.split_once(" within ").unwrap_or((&told, ""));
    format!("this contact had {messages}{whose} within {within}, and no more are sent")
}

impl Asking {
    pub(crate) fn contact(&self) -> KeyHash {
        self.contact
    }

    /// Asked by an attempt that holds `places`.
    pub(crate) fn beside(self, places: &Places) -> Self {
        let mine = places.0.iter().filter(|place| place.contact == self.contact).count();
        Self { mine: u32::try_from(mine).unwrap_or(u32::MAX), ..self }
    }
}

impl Places {
    /// Keeps a place free for a message.
    pub(crate) fn keep(&mut self, place: Place) {
        self.0.push(place);
    }

    /// Takes a place for a message.
    pub(crate) fn take(&mut self, mut place: Place) {
        place.used = true;
        self.0.push(place);
    }

    /// Takes the place that was kept free for a message to `contact`, if there is one.
    pub(crate) fn take_kept(&mut self, contact: KeyHash) -> bool {
        let kept = self.0.iter_mut().find(|place| place.contact == contact && !place.used);
        kept.map(|place| place.used = true).is_some()
    }

    /// The messages sent so far are on disk: the store counts them now.
    pub(crate) fn stored(&mut self) {
        self.0.retain(|place| !place.used);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        if let Some(holders) = held.by_contact.get_mut(&self.contact) {
            holders.retain(|holder| holder.place != self.place);
            if holders.is_empty() {
                held.by_contact.remove(&self.contact);
            }
        }
    }
}

/// Nothing that is done under this lock can leave it half done.
fn lock(held: &Mutex<Held>) -> std::sync::MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "budgets_tests.rs"]
mod tests;
