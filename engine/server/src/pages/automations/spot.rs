//! Where an automation may be on: a connection, or one clinic of it; and who is told of which.

use std::collections::{BTreeMap, BTreeSet};

use zelo_core::AutomationId;
use zelo_rules::{Rule, RuleSet};
use zelo_runtime::rulebook::reads;
use zelo_store::{AutomationRow, Page};

use crate::App;
use crate::access::Known;
use crate::pages::places::nameless;
use crate::pages::sent::address;
use crate::pages::words::Words;
use crate::problem::Problem;

/// More clinics than these are found by their address only.
const CLINICS_MAX: u32 = 200;

/// A connection, or one clinic of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) connection: String,
    pub(crate) clinic: Option<String>,
}

impl Spot {
    /// What is asked for, where `rule` reads what comes through that connection and `who` is told of it. A clinic of others is as one that
    /// is not there.
    ///
    /// # Errors
    /// There is no such place.
    pub(crate) fn asked(
        app: &App,
        rules: &RuleSet,
        rule: &Rule,
        who: &Known,
        connection: &str,
        clinic: Option<&str>,
    ) -> Result<Self, Problem> {
        let clinic = clinic.filter(|clinic| !clinic.is_empty());
        if !connections(app, rules, rule).any(|name| name == connection) || !who.clinics.include(connection, clinic) {
            return Err(Problem::not_found("There is no such connection or clinic for this automation."));
        }
        Ok(Self { connection: connection.to_owned(), clinic: clinic.map(str::to_owned) })
    }

    /// The automation of `rule` there.
    pub(super) fn id(&self, rule: &str) -> AutomationId {
        AutomationId::new(rule, &self.connection, self.clinic.as_deref())
    }

    /// The row of `rule` there.
    pub(super) fn row<'r>(&self, rule: &str, rows: &'r [AutomationRow]) -> Option<&'r AutomationRow> {
        let id = self.id(rule);
        rows.iter().find(|row| row.id == id)
    }

    /// The whole connection.
    pub(super) fn whole(&self) -> Self {
        Self { clinic: None, ..self.clone() }
    }

    /// The address of `page` below `/automations/` about this place.
    pub(super) fn address(&self, page: &str) -> String {
        let clinic = self.clinic.as_deref().unwrap_or_default();
        address(&format!("/automations/{page}"), &[("connection", &self.connection), ("clinic", clinic)])
    }
}

/// The connections whose events `rule` reads.
fn connections<'a>(app: &'a App, rules: &'a RuleSet, rule: &'a Rule) -> impl Iterator<Item = &'a str> {
    let reading = app.runtime.connections.values().filter(|one| rules.source(&one.source).is_some_and(|source| reads(rule, source)));
    reading.map(|one| one.name.as_str())
}

/// The places that a reader is told of, and what they are called.
pub(super) struct Spots {
    words: &'static Words,
    clinics: BTreeMap<Spot, String>,
}

impl Spots {
    /// All clinics that are known to whom `who` is told of: from their records, from what is switched for them, and from the credential.
    pub(super) async fn of(app: &App, words: &'static Words, who: &Known, rows: &[AutomationRow]) -> Result<Self, Problem> {
        let store = app.runtime.store.as_ref();
        let mut clinics = BTreeMap::new();
        if let Some(named) = who.clinics.named() {
            for one in named {
                let hash = store.indexer().record(&one.connection, "clinic", &one.clinic);
                let record = store.record_at(hash).await?;
                let name = record.as_ref().and_then(|record| record.document.get("name")?.as_str());
                let spot = Spot { connection: one.connection.clone(), clinic: Some(one.clinic.clone()) };
                clinics.insert(spot, name.map_or_else(|| nameless(words, &one.clinic), str::to_owned));
            }
            return Ok(Self { words, clinics });
        }
        for row in rows {
            if let Some(clinic) = &row.clinic {
                clinics.insert(Spot { connection: row.connection.clone(), clinic: Some(clinic.clone()) }, nameless(words, clinic));
            }
        }
        let page = Page { limit: CLINICS_MAX, ..Page::default() };
        for record in store.records(&page, Some("clinic")).await? {
            let name =
                record.document.get("name").and_then(|name| name.as_str()).map_or_else(|| nameless(words, &record.id), str::to_owned);
            clinics.insert(Spot { connection: record.connection, clinic: Some(record.id) }, name);
        }
        Ok(Self { words, clinics })
    }

    /// Where `rule` may be switched by `who`, each connection before its clinics.
    pub(super) fn for_rule(&self, app: &App, rules: &RuleSet, rule: &Rule, who: &Known) -> Vec<Spot> {
        let connections: BTreeSet<&str> = connections(app, rules, rule).collect();
        let whole = connections.iter().map(|name| Spot { connection: (*name).to_owned(), clinic: None });
        let clinics = self.clinics.keys().filter(|spot| connections.contains(spot.connection.as_str())).cloned();
        let all: BTreeSet<Spot> =
            whole.chain(clinics).filter(|spot| who.clinics.include(&spot.connection, spot.clinic.as_deref())).collect();
        all.into_iter().collect()
    }

    /// Whether there is anywhere that `rule` may be switched by `who`.
    pub(super) fn has_some(&self, app: &App, rules: &RuleSet, rule: &Rule, who: &Known) -> bool {
        let mut connections = connections(app, rules, rule);
        match who.clinics.named() {
            None => connections.next().is_some(),
            Some(named) => connections.any(|connection| named.iter().any(|one| one.connection == connection)),
        }
    }

    /// What people call a place; `every`, where it is all clinics of a connection.
    pub(super) fn name(&self, spot: &Spot, every: &str) -> String {
        let clinic = match &spot.clinic {
            None => every.to_owned(),
            Some(clinic) => self.clinics.get(spot).cloned().unwrap_or_else(|| nameless(self.words, clinic)),
        };
        format!("{} · {clinic}", spot.connection)
    }
}
