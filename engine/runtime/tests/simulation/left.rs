//! What a story left: its store, read as everybody reads it; its notes; what other people's machines were asked; and what was
//! sent, for a plain model of what should be there.

use std::collections::{BTreeMap, HashMap};

use zelo_core::{Effect, EffectResult, Event, Job, JobId, JournalEntry, Timestamp};
use zelo_store::{AuditPage, AuditView, DocumentView, EventView, JobView, MessageView, Page, RecordView, Store};

use crate::destination::Asked;
use crate::store::{Note, to_its_end};
use crate::story::Told;
use crate::world::{Delivery, Word};

pub(crate) struct Left<'a> {
    pub(crate) told: &'a Told,
    pub(crate) notes: Vec<Note>,
    /// By address and key.
    pub(crate) asked: BTreeMap<(String, String), Asked>,
    deliveries: BTreeMap<u64, &'a Delivery>,
    pub(crate) stored: Stored,
}

/// All rows of a store.
pub(crate) struct Stored {
    /// In order of arrival.
    pub(crate) events: Vec<EventView>,
    pub(crate) jobs: Vec<JobView>,
    pub(crate) journals: HashMap<JobId, Vec<JournalEntry>>,
    pub(crate) messages: Vec<MessageView>,
    pub(crate) documents: Vec<DocumentView>,
    pub(crate) contacts: Vec<RecordView>,
    pub(crate) audit: Vec<AuditView>,
    /// What is wrong with the audit log.
    pub(crate) findings: Vec<String>,
}

impl Stored {
    async fn read(store: &dyn Store) -> Result<Self, zelo_store::Error> {
        let page = Page { limit: 10_000, ..Page::default() };
        let mut events = store.events(&page).await?;
        events.reverse();
        let jobs = store.jobs(&page, None).await?;
        let mut journals = HashMap::new();
        for view in &jobs {
            journals.insert(view.job.id, store.journal(view.job.id).await?);
        }
        Ok(Self {
            events,
            jobs,
            journals,
            messages: store.messages(&page).await?,
            documents: store.documents(&page).await?,
            contacts: store.records(&page, Some("contact")).await?,
            audit: store.audit(&AuditPage { page, ..AuditPage::default() }).await?,
            findings: store.verify_audit(Vec::new()).await?.findings.iter().map(ToString::to_string).collect(),
        })
    }
}

impl<'a> Left<'a> {
    pub(crate) fn of(told: &'a Told) -> Self {
        let store = told.store.clone();
        Self {
            told,
            notes: told.notes.all(),
            asked: told.destination.asked(),
            deliveries: told.deliveries.iter().map(|sent| (sent.delivery.number, &sent.delivery)).collect(),
            stored: to_its_end(async move { Stored::read(store.as_ref()).await }).unwrap(),
        }
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.stored.jobs.iter().map(|view| &view.job)
    }

    pub(crate) fn jobs_of(&self, event: &Event, action: &str) -> usize {
        self.jobs().filter(|job| job.event == event.id && job.action == action).count()
    }

    /// The delivery with this number.
    pub(crate) fn delivery(&self, number: u64) -> &'a Delivery {
        self.deliveries[&number]
    }

    /// What a provider sent, that led to `job`.
    pub(crate) fn delivery_of(&self, job: &Job) -> &'a Delivery {
        let view = self.stored.events.iter().find(|view| view.event.id == job.event).expect("an event outlives its jobs");
        self.delivery(number(&view.event).expect("a delivery of ours"))
    }

    /// The effects of a job that have a result, by their places.
    pub(crate) fn effects_of(&self, job: JobId) -> impl Iterator<Item = (u32, &Effect, &EffectResult)> {
        (0..).zip(&self.stored.journals[&job]).filter_map(|(place, entry)| match entry {
            JournalEntry::Effect { effect, result } => Some((place, effect, result)),
            JournalEntry::Invocation(_) | JournalEntry::Begun { .. } => None,
        })
    }

    /// The events of plugins.
    pub(crate) fn emitted(&self) -> impl Iterator<Item = &Event> {
        self.stored.events.iter().map(|view| &view.event).filter(|event| event.cause.is_some())
    }

    /// What was heard from the provider, in order of arrival, each with whether it had a say.
    pub(crate) fn heard(&self) -> Vec<Heard<'_>> {
        let mut newest: BTreeMap<Thing, Timestamp> = BTreeMap::new();
        let ours = self.stored.events.iter().filter_map(|view| Some((&view.event, self.delivery(number(&view.event)?))));
        ours.map(|(event, delivery)| {
            let newest = delivery.word.thing().map(|thing| newest.entry(thing).or_insert(delivery.at));
            let speaks = newest.as_ref().is_none_or(|newest| **newest <= delivery.at);
            if let Some(newest) = newest.filter(|_| speaks) {
                *newest = delivery.at;
            }
            Heard { event, delivery, speaks }
        })
        .collect()
    }
}

/// A word that was heard.
pub(crate) struct Heard<'a> {
    pub(crate) event: &'a Event,
    pub(crate) delivery: &'a Delivery,
    /// Whether it was newer than all that had been heard of the same thing.
    pub(crate) speaks: bool,
}

/// What is spoken about: all that is said of one thing has one key.
pub(crate) type Thing = (&'static str, u64);

impl Word {
    pub(crate) fn thing(&self) -> Option<Thing> {
        match self {
            Self::Booked { visit, .. } | Self::Canceled { visit } => Some(("visit", *visit)),
            Self::Sale { sale } => Some(("sale", *sale)),
            Self::Order | Self::Seen { .. } => None,
        }
    }

    /// What its jobs count from: of an action that counts from the word itself, nothing that another word could share.
    pub(crate) fn anchor(&self, action: &str) -> Option<Timestamp> {
        match self {
            Self::Booked { starts, .. } if action == "remind" => Some(*starts),
            _ => None,
        }
    }
}

/// The number of an event of ours.
pub(crate) fn number(event: &Event) -> Option<u64> {
    event.data["n"].as_u64()
}
