//! Records that a person brings: what may be brought, and bringing it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zelo_core::decide::{Imported, OnKnown};
use zelo_core::{RecordRef, RecordRow, RecordWrite};
use zelo_rules::{RecordFacts, RuleSet};
use zelo_runtime::Connection;
use zelo_store::Import;

use super::Scene;
use crate::cli::meant::did_you_mean;

/// Some records of one type.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::cli) struct Batch {
    pub(in crate::cli) connection: String,
    pub(in crate::cli) record: String,
    /// Whose they are, where that is not the clinic of the connection.
    pub(in crate::cli) clinic: Option<String>,
    /// Whether they know better than what is known.
    pub(in crate::cli) replace: bool,
    /// Whether nothing is to be written, only counted.
    pub(in crate::cli) dry_run: bool,
    pub(in crate::cli) rows: Vec<Row>,
}

/// One record.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::cli) struct Row {
    pub(in crate::cli) id: String,
    pub(in crate::cli) fields: Map<String, Value>,
}

/// Prints sizes only.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} of {}, {} rows)", self.record, self.connection, self.rows.len())
    }
}

/// What became of some records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Tally {
    pub(in crate::cli) new: u64,
    pub(in crate::cli) changed: u64,
    pub(in crate::cli) same: u64,
}

impl Tally {
    fn count(&mut self, outcome: Imported) {
        match outcome {
            Imported::New => self.new += 1,
            Imported::Changed => self.changed += 1,
            Imported::Same => self.same += 1,
        }
    }

    pub(in crate::cli) fn add(&mut self, other: Self) {
        self.new += other.new;
        self.changed += other.changed;
        self.same += other.same;
    }
}

/// Where records of a type belong, and what is kept of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Fields {
    pub(in crate::cli) connection: String,
    pub(in crate::cli) source: String,
    /// The fields, and whether each is a list.
    pub(in crate::cli) fields: BTreeMap<String, bool>,
}

/// The connection that records of type `record` belong to: the one `wanted`, or the only one whose source feeds them.
pub(super) fn fields(scene: &Scene<'_>, record: &str, wanted: Option<&str>) -> Result<Fields> {
    let Scene { rules, connections, .. } = scene;
    if let Some(name) = wanted {
        let (connection, facts) = place(rules, connections, record, name)?;
        return Ok(told(connection, facts));
    }
    let mut found: Vec<(&Connection, RecordFacts)> =
        connections.values().filter_map(|connection| Some((connection, rules.source(&connection.source)?.record(record)?))).collect();
    found.sort_by(|one, other| one.0.name.cmp(&other.0.name));
    match found.len() {
        0 => {
            let sources = connections.values().filter_map(|connection| rules.source(&connection.source));
            let known: Vec<&str> = sources.flat_map(|source| source.record_types()).collect();
            bail!("no connection remembers records of type `{record}`{}", did_you_mean(record, known))
        }
        1 => {
            let (connection, facts) = found.remove(0);
            Ok(told(connection, facts))
        }
        _ => {
            let names: Vec<&str> = found.iter().map(|(connection, _)| connection.name.as_str()).collect();
            bail!("several connections remember records of type `{record}`; say which with --connection: {}", names.join(", "))
        }
    }
}

fn told(connection: &Connection, facts: RecordFacts) -> Fields {
    Fields { connection: connection.name.clone(), source: connection.source.clone(), fields: facts.fields }
}

fn place<'a>(
    rules: &RuleSet,
    connections: &'a HashMap<String, Connection>,
    record: &str,
    name: &str,
) -> Result<(&'a Connection, RecordFacts)> {
    let connection = connections
        .get(name)
        .with_context(|| format!("there is no connection `{name}`{}", did_you_mean(name, connections.keys().map(String::as_str))))?;
    let source = rules.source(&connection.source).with_context(|| format!("there is no source `{}`", connection.source))?;
    let facts = source.record(record).ok_or_else(|| {
        anyhow!("source `{}` remembers no records of type `{record}`{}", source.id, did_you_mean(record, source.record_types()))
    })?;
    Ok((connection, facts))
}

/// Brings the records of `batch`, or only says what would become of them.
pub(super) async fn import(scene: &Scene<'_>, batch: &Batch) -> Result<Tally> {
    let (connection, facts) = place(scene.rules, scene.connections, &batch.record, &batch.connection)?;
    for row in &batch.rows {
        let foreign = row.fields.keys().find(|name| !facts.fields.contains_key(*name));
        ensure!(foreign.is_none(), "`{}` is not a field of {}", foreign.map_or("", String::as_str), batch.record);
    }
    let records: Vec<RecordWrite> = batch.rows.iter().map(|row| write(scene, batch, connection, &facts, row)).collect();
    let now = scene.clock.now();
    let mut tally = Tally::default();
    if batch.dry_run {
        for record in &records {
            let known = scene.store.record_at(record.key.hash).await?;
            let row = RecordRow::imported(known.as_ref(), &record.fields, batch.replace);
            tally.count(match known {
                None => Imported::New,
                Some(known) if known.document != row.document => Imported::Changed,
                Some(_) => Imported::Same,
            });
        }
        return Ok(tally);
    }
    let on_known = if batch.replace { OnKnown::Replace } else { OnKnown::Keep };
    let import = Import { connection: connection.name.clone(), records, on_known, timetable: scene.in_force().await?, entry: None };
    for outcome in scene.store.import(import, now).await? {
        tally.count(outcome);
    }
    Ok(tally)
}

/// The write of one record, as an event of its source would have made it: sealed under the same person's key.
fn write(scene: &Scene<'_>, batch: &Batch, connection: &Connection, facts: &RecordFacts, row: &Row) -> RecordWrite {
    let index = scene.store.indexer();
    let name = &connection.name;
    RecordWrite {
        key: RecordRef { kind: batch.record.clone(), hash: index.record(name, &batch.record, &row.id) },
        id: row.id.clone(),
        fields: row.fields.clone(),
        subject: facts.is_person.then(|| index.subject(name, &row.id)),
        clinic: if facts.is_clinic { Some(row.id.clone()) } else { batch.clinic.clone().or_else(|| connection.clinic.clone()) },
    }
}
