//! `zelo backtest`: what other rules would have done, beside those in force.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use zelo_core::retry::RetryPolicy;
use zelo_core::{Arrival, AutomationId, Cause, Clock, Entropy, Event, EventId, ManualClock, Person, SeededEntropy, Status};
use zelo_host::{Host, HostConfig, Limits};
use zelo_rules::{Delivery, Headers, InForce, RuleSet};
use zelo_runtime::backtest::{Backtest, Counted, Counts, replay};
use zelo_runtime::intake::Accepted;
use zelo_runtime::line::Line;
use zelo_runtime::rulebook::{self, Edition, everything_on};
use zelo_runtime::{Catalog, ChannelKind, Channels, Connection, Installed, Rulebook, Runtime, Shared, simulation};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Range};

use crate::days::{self, Day};
use crate::house::{House, Server};

/// The rules that ship, over a store in memory.
struct Ground {
    host: Arc<Host>,
    catalog: Arc<Catalog>,
    rules: Arc<RuleSet>,
}

impl Ground {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let host = Arc::new(Host::new(HostConfig::default()).unwrap());
        let catalog = Arc::new(Catalog::load(&host, &Installed::in_folder(root.join("plugins/dist"))).unwrap());
        let files = rulebook::read_files(&root.join("rules")).unwrap();
        let (rules, _) = rulebook::check(&files, &catalog).unwrap();
        Self { host, catalog, rules: Arc::new(rules) }
    }

    fn connections(&self) -> HashMap<String, Connection> {
        let of = |source: &str| Connection {
            name: source.into(),
            source: source.into(),
            secrets: Vec::new(),
            clinic: None,
            handshake: None,
            insecure: false,
            expect: None,
        };
        self.rules.sources().map(|source| (source.id.clone(), of(&source.id))).collect()
    }

    /// A runtime whose store is in `file`, or in memory.
    async fn runtime(&self, clock: &Arc<ManualClock>, seed: u64, file: Option<PathBuf>) -> Runtime {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed));
        let store =
            SqliteStore::open(SqliteConfig { path: file, ..SqliteConfig::default() }, MasterKey::from_bytes([7; 32]), entropy.clone())
                .await
                .unwrap();
        let connections = self.connections();
        let mut listed: Vec<&Connection> = connections.values().collect();
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        let rows = everything_on(&self.rules, &listed, clock.now());
        let edition = Edition::new(self.rules.clone(), self.catalog.clone(), &rows).unwrap();
        Runtime::new(Shared {
            store,
            host: self.host.clone(),
            rules: Rulebook::new(edition),
            connections,
            channels: outbox(),
            outbound: Arc::new(zelo_runtime::outbound::Answers::default()),
            secrets: zelo_runtime::Secrets::Unsaid,
            clock: clock.clone(),
            entropy,
            retry: RetryPolicy::default(),
            budgets: zelo_runtime::Budgets::new(None, []),
            limits: Limits::default(),
            line: Line::default(),
            bell: tokio::sync::Notify::new(),
            counts: Default::default(),
        })
    }
}

fn outbox() -> Channels {
    Channels([("outbox".to_owned(), ChannelKind::Outbox)].into())
}

async fn counted(runtime: &Runtime, new: Arc<InForce>) -> Counted {
    counted_in(runtime, new, Range { since: Timestamp::UNIX_EPOCH, until: Timestamp::MAX, connection: None }).await
}

async fn counted_in(runtime: &Runtime, new: Arc<InForce>, range: Range) -> Counted {
    let old = runtime.rules.current().in_force.clone();
    let backtest = Backtest::new(old, new, outbox(), runtime.store.indexer().clone());
    let (archive, handle) = (runtime.store.archive(), tokio::runtime::Handle::current());
    let count = move || replay(archive, &handle, &range, backtest, &mut |_| ControlFlow::Continue(()));
    tokio::task::spawn_blocking(count).await.unwrap().unwrap().unwrap()
}

/// Every job has one end.
fn adds_up(counts: &Counts) -> bool {
    counts.made == counts.runs + counts.replaced + counts.cancelled + counts.skipped.values().sum::<u64>() + counts.failed
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_what_a_simulated_day_does() {
    let ground = Ground::new();
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-03-01T00:00:00Z".parse().unwrap()));
    let runtime = ground.runtime(&clock, 1, Some(folder.path().join("zelo.db"))).await;
    let mut rows = Vec::new();
    let day = simulation::read_day(&days::text(&days::shipped())).unwrap();
    simulation::simulate(&runtime, &clock, day, &mut |row| rows.push(serde_json::to_value(row).unwrap())).await.unwrap();

    // What each job came to at last, and which rules sent messages.
    let mut ends: BTreeMap<String, Value> = BTreeMap::new();
    let mut messages: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row["job"].is_null()) {
        ends.insert(row["job"].to_string(), row.clone());
        *messages.entry(row["rule"].as_str().unwrap().to_owned()).or_default() += u64::from(row["effect"]["kind"] == "message");
    }
    let stored = || ["zelo.db", "zelo.db-wal"].map(|name| fs::read(folder.path().join(name)).unwrap());
    let before = stored();
    let counted = counted(&runtime, runtime.rules.current().in_force.clone()).await;
    assert!(stored() == before, "not a byte was written");
    let rules: BTreeSet<&str> = counted.rules.keys().map(String::as_str).collect();
    assert_eq!(rules, ground.rules.rules().map(|rule| rule.id.as_str()).collect());
    assert_eq!(counted.unreadable, 0);
    let mut runs = 0;
    for (rule, compared) in &counted.rules {
        assert!(compared.is_same(), "{rule}: {compared:?}");
        let counts = compared.new.as_ref().unwrap();
        let ended = |state: &str| ends.values().filter(|row| row["rule"] == **rule && row["state"] == state).count() as u64;
        assert_eq!(counts.made, ends.values().filter(|row| row["rule"] == **rule).count() as u64, "{rule}");
        assert_eq!((counts.runs, counts.replaced + counts.cancelled), (ended("done"), ended("cancelled")), "{rule}: {counts:?}");
        assert_eq!(counts.skipped.values().sum::<u64>(), ended("skipped"), "{rule}: {counts:?}");
        assert_eq!(counts.messages.values().sum::<u64>(), messages.get(rule).copied().unwrap_or(0), "{rule}: {counts:?}");
        assert!(adds_up(counts), "{rule}: {counts:?}");
        runs += counts.runs;
    }
    assert!(runs >= 10, "the day is not empty: {runs}");
    runtime.store.close().await.unwrap();
}

/// A number below `limit`.
fn draw(entropy: &SeededEntropy, limit: usize) -> usize {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    u32::from_le_bytes(bytes) as usize % limit
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rules_make_no_difference_whatever_came() {
    let ground = Ground::new();
    let connections = ground.connections();
    let day = days::shipped();
    for seed in 0..25 {
        let entropy = SeededEntropy::new(seed);
        let clock = Arc::new(ManualClock::new("2026-03-01T00:00:00Z".parse().unwrap()));
        let runtime = ground.runtime(&clock, seed, None).await;
        for _ in 0..40 {
            let line = &day[draw(&entropy, day.len())];
            let mut body = line["body"].clone();
            // Some are edits of what has been, some are late.
            if draw(&entropy, 2) == 0 && !body["data"].is_null() {
                body["data"]["scheduled_start_at"] =
                    json!(format!("2026-03-{:02} {:02}:00:00", 1 + draw(&entropy, 20), draw(&entropy, 24)));
            }
            clock.set(clock.now() + SignedDuration::from_mins(draw(&entropy, 12 * 60) as i64));
            let (headers, body) = (Headers::default(), body.as_str().map_or_else(|| body.to_string(), str::to_owned));
            let delivery = Delivery { path: line["path"].as_str().unwrap(), url: "", headers: &headers, body: body.as_bytes() };
            runtime.accept(&connections[line["source"].as_str().unwrap()], &delivery, clock.now()).await.unwrap();
        }
        let counted = counted(&runtime, runtime.rules.current().in_force.clone()).await;
        for (rule, compared) in &counted.rules {
            assert!(compared.is_same(), "seed {seed}, {rule}: {compared:?}");
            assert!(adds_up(compared.new.as_ref().unwrap()), "seed {seed}, {rule}: {compared:?}");
        }
        // Without one of the rules, it is the only one that differs.
        let rows = everything_on(&ground.rules, &connections.values().collect::<Vec<_>>(), clock.now());
        let fewer: Vec<_> = rows.into_iter().filter(|row| row.rule != "contact-board").collect();
        let fewer = Edition::new(ground.rules.clone(), ground.catalog.clone(), &fewer).unwrap().in_force;
        let without = self::counted(&runtime, fewer).await;
        let differing: Vec<&str> =
            without.rules.iter().filter(|(_, compared)| !compared.is_same()).map(|(rule, _)| rule.as_str()).collect();
        assert_eq!(differing, ["contact-board"], "seed {seed}");
        runtime.store.close().await.unwrap();
    }
}

/// An appointment as the provider tells it.
fn appointment(timestamp: &str) -> Vec<u8> {
    let data = json!({
        "id": "apt-1", "event_status": "scheduled", "scheduled_start_at": "2026-03-20 15:00:00",
        "patient": { "id": "p-1", "name": "Íris Modelo" }, "clinic": { "id": "77", "name": "Clínica Aurora" },
    });
    json!({ "data": data, "timestamp": timestamp }).to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_knows_what_was_old_then_and_what_leads_back_to_itself() {
    let ground = Ground::new();
    let clock = Arc::new(ManualClock::new("2026-03-02T12:00:00Z".parse().unwrap()));
    let runtime = ground.runtime(&clock, 1, None).await;
    let connection = &ground.connections()["clinicarx"];
    let tell = async |body: &[u8]| {
        let headers = Headers::default();
        let delivery = Delivery { path: "appointment/new", url: "", headers: &headers, body };
        runtime.accept(connection, &delivery, clock.now()).await.unwrap()
    };
    tell(&appointment("2026-03-02 11:00:00")).await;
    clock.set(clock.now() + SignedDuration::from_hours(1));
    let since = clock.now();
    // Late: something newer is known, but from before the range.
    let Accepted::Recorded { event, decision, .. } = tell(&appointment("2026-03-02 10:00:00")).await.remove(0) else { unreachable!() };
    assert_eq!(decision.status, Status::Stale);
    // As if the reminder had led to another appointment.
    let index = runtime.store.indexer();
    let lineage = vec![AutomationId::new("appointment-reminder", "clinicarx", None)];
    let id = EventId::new(clock.now(), 9, &SeededEntropy::new(9));
    let emitted = Event { id, entity: None, cause: Some(Cause { job: decision.jobs[0].id, lineage }), ..*event };
    let arrival = Arrival {
        body: Arc::from(emitted.data.to_string().into_bytes()),
        delivery: index.delivery("clinicarx", "appointment.created", "emitted"),
        quarantined: false,
        entity: None,
        people: vec![Person::new(index.subject("clinicarx", "p-1"))],
        consents: Vec::new(),
        records: Vec::new(),
        candidates: Vec::new(),
        timetable: runtime.rules.current().in_force.clone(),
        event: emitted,
    };
    runtime.store.record(arrival).await.unwrap();

    let in_force = runtime.rules.current().in_force.clone();
    let counted = counted_in(&runtime, in_force, Range { since, until: Timestamp::MAX, connection: None }).await;
    assert_eq!(counted.events, 2);
    let reminder = counted.rules["appointment-reminder"].new.as_ref().unwrap();
    assert_eq!((reminder.events, reminder.fires, reminder.second_laps, reminder.made), (2, 1, 1, 0), "{reminder:?}");
    runtime.store.close().await.unwrap();
}

const REMINDER: &str = "rules/automations/appointment-reminder.toml";
const REMINDER_ON: &str = "[[automations]]\nrule = \"appointment-reminder\"\n";

/// At 06:00 UTC, 03:00 in São Paulo, in so many days.
fn early(days: i64) -> String {
    let now = Timestamp::from_second(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64).unwrap();
    let day = (now + SignedDuration::from_hours(24 * days)).to_zoned(jiff::tz::TimeZone::UTC).date();
    format!("{day} 06:00:00")
}

/// Six events about three appointments: moved once, of a patient whom nobody knows, cancelled. All of it is to come.
fn deliver(server: &Server) -> Vec<String> {
    let at = early(0).replace(' ', "T") + "Z";
    let at = at.parse::<Timestamp>().unwrap() - SignedDuration::from_hours(24);
    let at = |minutes: i64| (at + SignedDuration::from_mins(minutes)).to_string();
    let mut day = Day::new("America/Sao_Paulo").clinic(&at(0)).patient(&at(1), "Íris Modelo", Some("+55 11 90000-0001"));
    day = day.appointment(&at(2), &at(2), "appointment/new", &early(9));
    day = day.appointment(&at(3), &at(3), "appointment/edit", &early(10));
    (day.patient, day.appointment) = ("p-unknown", "apt-unknown");
    day = day.appointment(&at(4), &at(4), "appointment/new", &early(9));
    (day.patient, day.appointment) = ("p-19", "apt-off");
    day = day.appointment(&at(5), &at(5), "appointment/new", &early(9));
    day = day.appointment(&at(6), &at(6), "appointment/cancel", &early(9));
    let lines = day.lines.iter().map(|line| {
        let (status, answer) = server.deliver(&format!("clinicarx/{}", line["path"].as_str().unwrap()), &line["body"].to_string());
        assert_eq!((status, answer["status"].as_str()), (202, Some("accepted")), "{answer}");
        answer["event_id"].as_str().unwrap().to_owned()
    });
    lines.collect()
}

fn edited(house: &House, edits: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(house.path(REMINDER)).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "the shipped rule has {from}");
        text = text.replacen(from, to, 1);
    }
    // Its own tests speak of the rule as it was.
    text[..text.find("[[test]]").unwrap()].to_owned()
}

fn backtest(house: &House, arguments: &[&str]) -> Value {
    let all = [&["backtest"], arguments, &["--format", "json"]].concat();
    serde_json::from_str(&house.ok(&all)).unwrap()
}

/// What is to hold whether a server has the store open or not.
fn compare(house: &House, events: &[String]) {
    // The rules as they are.
    let same = backtest(house, &["rules"]);
    assert_eq!(same["events"], 7);
    for rule in same["rules"].as_array().unwrap() {
        assert_eq!((&rule["difference"], &rule["old"]), (&json!({}), &rule["new"]), "{rule}");
    }
    let reminder = &same["rules"][0];
    assert_eq!(reminder["rule"], "appointment-reminder", "the only one that is on");
    let expected = json!({
        "events": 5, "fires": 4, "second_laps": 0, "made": 4, "runs": 1, "replaced": 1, "cancelled": 1, "skipped": { "missing": 1 },
        "failed": 0, "waited": 1, "messages": { "outbox": 1 }, "outside_hours": 0, "no_basis": 0,
    });
    assert_eq!(reminder["new"], expected);

    // At any hour.
    fs::write(
        house.path("night.toml"),
        edited(house, &[("default = \"08:00\"", "default = \"00:00\""), ("default = \"20:00\"", "default = \"00:00\"")]),
    )
    .unwrap();
    let night = backtest(house, &["night.toml", "--since", "12h"]);
    assert_eq!(night["rules"][0]["difference"], json!({ "outside_hours": 1 }), "{night}");
    assert_eq!(night["rules"][0]["new"]["messages"], json!({ "outbox": 1 }));

    // Without a legal basis, which personal fields may do without.
    fs::write(house.path("unfounded.toml"), edited(house, &[("basis   = \"lgpd:11.II.f\"", "")])).unwrap();
    assert_eq!(backtest(house, &["unfounded.toml"])["rules"][0]["difference"], json!({ "no_basis": 1 }));

    // About edits only.
    let only = edited(house, &[("[\"appointment.created\", \"appointment.updated\"]", "[\"appointment.updated\"]")]);
    fs::write(house.path("edits.toml"), only).unwrap();
    let edits = backtest(house, &["edits.toml"]);
    let reminder = &edits["rules"][0];
    let difference = json!({ "events": -3, "fires": -3, "made": -3, "replaced": -1, "cancelled": -1, "skipped.missing": -1, "waited": -1 });
    assert_eq!(reminder["difference"], difference, "{edits}");
    assert_eq!(reminder["only_old"], json!([events[2], events[4], events[5]]));
    assert_eq!(reminder["only_new"], json!([]));

    // A rule that is new, and one without a basis: only its first name is shown, so that it may be.
    fs::create_dir_all(house.path("other/automations")).unwrap();
    let other = edited(house, &[("\"appointment-reminder\"", "\"another-reminder\"")]);
    fs::write(house.path("other/automations/another.toml"), other).unwrap();
    let both = backtest(house, &["other"]);
    assert_eq!(both["as_if_on"], json!(["another-reminder"]));
    assert_eq!(both["rules"][0]["rule"], "another-reminder");
    assert_eq!((&both["rules"][0]["old"], &both["rules"][0]["new"]["fires"]), (&Value::Null, &json!(4)));
    assert_eq!((&both["rules"][1]["new"], &both["rules"][1]["difference"]["fires"]), (&Value::Null, &json!(-4)), "it is not in there");
    assert_eq!(both["rules"][0]["only_new"].as_array().unwrap().len(), 4);

    // For people.
    let said = house.ok(&["backtest", "edits.toml"]);
    assert!(said.contains("7 events from") && said.contains("fires") && said.contains(&events[2]), "{said}");
    for value in ["Íris", "90000-0001", "p-19", "apt-3"] {
        assert!(!said.contains(value) && !edits.to_string().contains(value), "no value of an event: {value}");
    }
    let none = house.ok(&["backtest", "rules", "--since", "2020-01-01", "--until", "2020-01-02"]);
    assert!(none.contains("no events are stored"), "{none}");

    // What is wrong is said.
    fs::write(house.path("wrong.toml"), edited(house, &[("\"reminder\"", "\"remindr\"")])).unwrap();
    let output = house.zelo(&["backtest", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("wrong.toml:") && said.contains("did you mean"), "{said}");
    for wrong in
        [&["backtest", "nowhere.toml"][..], &["backtest", "rules", "--connection", "clinic"], &["backtest", "rules", "--since", "soon"]]
    {
        assert_eq!(house.zelo(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

/// Everything that a server shows of its store.
fn shown(server: &Server, token: &str) -> Vec<Vec<Value>> {
    ["events", "jobs", "messages", "documents", "records"].iter().map(|list| server.list(&format!("/api/v1/{list}"), token)).collect()
}

#[test]
fn it_compares_and_changes_nothing_with_a_server_and_without() {
    let house = House::new(REMINDER_ON);
    // As if it were no health service: there, what is personal would not load without a basis.
    let source = house.path("rules/sources/clinicarx.toml");
    fs::write(&source, fs::read_to_string(&source).unwrap().replacen("health = true", "health = false", 1)).unwrap();
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let events = deliver(&server);
    let before = shown(&server, &token);
    let on = house.ok(&["automation", "list"]);
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>()[..2], [7, 4]);
    compare(&house, &events);
    assert_eq!(shown(&server, &token), before, "through the server");
    server.stop();

    compare(&house, &events);
    assert_eq!(shown(&house.serve(), &token), before, "on the store itself");
    assert_eq!(house.ok(&["automation", "list"]), on);
}

#[test]
fn without_a_store_there_is_nothing_to_count_and_none_is_made() {
    let house = House::new("");
    assert!(house.ok(&["backtest", "rules"]).contains("no events are stored"));
    assert!(!house.path("data").exists());
}
