//! What people see of others' data: written down before it is answered.
//!
//! A handler reads, says with [`Seen`] what it is about to show, and answers only when that is on disk.

use std::collections::BTreeSet;

use serde_json::json;
use zelo_core::{AuditEntry, AuditKind, Pseudonym};
use zelo_store::{DocumentView, EventView, JobView, MessageView, RecordView, RefusedView, SubjectView};

use crate::App;
use crate::access::Known;
use crate::problem::Problem;

/// Something that is shown of people.
pub(crate) trait Row {
    /// Its id, where zelo gave it one; a provider's id may name somebody.
    fn id(&self) -> Option<String>;
    fn about(&self) -> &[Pseudonym];
    fn connection(&self) -> &str;
    fn clinic(&self) -> Option<&str>;
}

/// What one request shows.
#[derive(Default)]
pub(crate) struct Seen {
    what: &'static str,
    ids: BTreeSet<String>,
    rows: usize,
    about: BTreeSet<Pseudonym>,
    /// Of which connections and clinics they are.
    places: BTreeSet<(String, Option<String>)>,
}

impl Seen {
    /// Rows of this word.
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, ..Self::default() }
    }

    /// These too.
    pub(crate) fn rows<'r, R: Row + 'r>(mut self, rows: impl IntoIterator<Item = &'r R>) -> Self {
        for row in rows {
            self.rows += 1;
            self.ids.extend(row.id());
            self.about.extend(row.about());
            self.places.insert((row.connection().to_owned(), row.clinic().map(str::to_owned)));
        }
        self
    }

    /// And what is known of these people.
    pub(crate) fn people(mut self, people: impl IntoIterator<Item = Pseudonym>) -> Self {
        self.about.extend(people);
        self
    }

    /// Writes down that `who` sees it; nothing where there is nothing to see.
    ///
    /// # Errors
    /// It is not on disk, so nothing may be shown.
    pub(crate) async fn by(self, who: &Known, app: &App) -> Result<(), Problem> {
        if self.rows == 0 { Ok(()) } else { self.written(AuditKind::Viewed, who, app).await }
    }

    /// Writes down that `who` has opened a page on it, whatever will come.
    ///
    /// # Errors
    /// As of [`Seen::by`].
    pub(crate) async fn opened(self, who: &Known, app: &App) -> Result<(), Problem> {
        self.written(AuditKind::Viewed, who, app).await
    }

    /// Writes down that `who` takes it away.
    ///
    /// # Errors
    /// As of [`Seen::by`].
    pub(crate) async fn exported(self, who: &Known, app: &App) -> Result<(), Problem> {
        self.written(AuditKind::Exported, who, app).await
    }

    async fn written(self, kind: AuditKind, who: &Known, app: &App) -> Result<(), Problem> {
        let Self { what, ids, rows, about, places } = self;
        // Nobody asks for what they are not told of: this is for the day when a handler forgets it.
        if !places.iter().all(|(connection, clinic)| who.clinics.include(connection, clinic.as_deref())) {
            tracing::error!(what, "what is of other clinics was about to be shown");
            return Err(Problem::internal());
        }
        let (connections, clinics): (BTreeSet<_>, BTreeSet<_>) = places.into_iter().unzip();
        let detail = json!({ "what": what, "ids": ids, "rows": rows });
        let entry = AuditEntry {
            connection: only(connections),
            clinic: only(clinics).flatten(),
            about: about.into_iter().collect(),
            ..AuditEntry::new(app.runtime.clock.now(), kind, who.actor(), &detail)
        };
        Ok(app.runtime.store.answer_for(vec![entry]).await?)
    }
}

/// The one that all have.
fn only<T>(all: BTreeSet<T>) -> Option<T> {
    let mut all = all.into_iter();
    all.next().filter(|_| all.next().is_none())
}

/// Nobody knows whom it is about: nobody has said who sent it.
impl Row for RefusedView {
    fn id(&self) -> Option<String> {
        Some(self.refused.trace.to_string())
    }

    fn about(&self) -> &[Pseudonym] {
        &[]
    }

    fn connection(&self) -> &str {
        &self.refused.connection
    }

    fn clinic(&self) -> Option<&str> {
        self.refused.clinic.as_deref()
    }
}

macro_rules! row {
    ($view:ty $(, $part:ident)?: $id:expr) => {
        impl Row for $view {
            fn id(&self) -> Option<String> {
                let id: fn(&Self) -> Option<String> = $id;
                id(self)
            }

            fn about(&self) -> &[Pseudonym] {
                &self.about
            }

            fn connection(&self) -> &str {
                &self$(.$part)?.connection
            }

            fn clinic(&self) -> Option<&str> {
                self$(.$part)?.clinic.as_deref()
            }
        }
    };
}

row!(EventView, event: |view| Some(view.event.id.to_string()));
row!(JobView, job: |view| Some(view.job.id.to_string()));
row!(MessageView: |view| Some(view.id.clone()));
row!(DocumentView: |view| Some(view.id.clone()));
row!(RecordView: |_| None);

impl Row for SubjectView {
    fn id(&self) -> Option<String> {
        None
    }

    fn about(&self) -> &[Pseudonym] {
        std::slice::from_ref(&self.pseudonym)
    }

    fn connection(&self) -> &str {
        &self.connection
    }

    fn clinic(&self) -> Option<&str> {
        self.clinic.as_deref()
    }
}
