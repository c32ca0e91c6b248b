//! Tells what happens while a day is played, line by line, and sums it up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use zelo_core::{EventId, JobId, JobState};

use super::day::Line;
use super::demo::REMINDER;
use crate::cli::control::{Followed, JobSeen, Since};
use crate::cli::http::Answer;

const GOOD: Style = AnsiColor::Green.on_default();
const NOTE: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DOING: Style = AnsiColor::Cyan.on_default();
const QUIET: Style = Style::new().dimmed();
const LOUD: Style = Style::new().bold();

/// Characters of a text that are shown.
const SHOWN: usize = 140;
/// What is due within this time is waited for.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(3);

/// Prints a line: in colour on a terminal, unless `NO_COLOR` is set; quietly no more, if nobody reads it.
pub(super) fn say(line: &str) {
    if writeln!(anstream::stdout(), "{line}").is_err() {
        std::process::exit(0);
    }
}

fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// What has been told.
pub(super) struct Story {
    /// Times are told as they are there.
    pub(super) zone: TimeZone,
    since: Since,
    /// The events that this play is about: those that were sent, and those that came of them.
    ours: HashSet<EventId>,
    seen: HashSet<EventId>,
    jobs: HashMap<JobId, Known>,
    /// The event that was told of last.
    last: Option<EventId>,
    /// The event whose reminder is waited for.
    watched: Option<EventId>,
    reminded: bool,
    statuses: BTreeMap<String, u32>,
    messages: u32,
    /// Name and id.
    documents: Vec<(String, String)>,
    /// Records that have a stage, by type and id.
    stages: BTreeMap<(String, String), String>,
}

/// What was told of a job.
#[derive(Clone, PartialEq)]
struct Known {
    event: EventId,
    rule: String,
    state: JobState,
    run_at: Timestamp,
    waits: bool,
    attention: Option<String>,
}

impl Story {
    pub(super) fn new(since: Since) -> Self {
        Self {
            zone: TimeZone::UTC,
            since,
            ours: HashSet::new(),
            seen: HashSet::new(),
            jobs: HashMap::new(),
            last: None,
            watched: None,
            reminded: false,
            statuses: BTreeMap::new(),
            messages: 0,
            documents: Vec::new(),
            stages: BTreeMap::new(),
        }
    }

    pub(super) fn since(&self) -> Since {
        self.since.clone()
    }

    /// A delivery was answered.
    pub(super) fn received(&mut self, now: Timestamp, line: &Line, answer: &Answer, followed: &Followed) {
        let when = self.time(now);
        let head = |style, status: &str, tail: &str| format!("{when}  {:<22} {} {tail}", line.path, paint(style, &format!("{status:<9}")));
        if !answer.is_taken() {
            say(&head(BAD, "refused", &answer.refusal()));
            *self.statuses.entry("refused".to_owned()).or_default() += 1;
            return;
        }
        for receipt in answer.receipts() {
            let status = receipt["status"].as_str().unwrap_or("accepted").to_owned();
            let event = receipt["event_id"].as_str().and_then(|id| id.parse::<EventId>().ok());
            let (style, tail) = match (status.as_str(), event) {
                ("duplicate", _) => (NOTE, "the same delivery again: nothing new happens".to_owned()),
                ("accepted", Some(event)) => (GOOD, fires(event, followed)),
                (_, Some(event)) => (NOTE, fires(event, followed)),
                (_, None) => (NOTE, "of no type that the source names".to_owned()),
            };
            let tail = if line.watched { format!("{tail} (added for this demo)") } else { tail };
            say(&head(style, &status, &tail));
            if status != "duplicate" {
                self.ours.extend(event);
                if line.watched {
                    self.watched = event;
                }
            }
            self.last = event;
            *self.statuses.entry(status).or_default() += 1;
        }
    }

    /// What happened meanwhile.
    pub(super) fn tell(&mut self, now: Timestamp, followed: &Followed) {
        for event in followed.events.iter().filter(|event| event.cause.is_some()) {
            let ours = |job: &&JobSeen| Some(job.id) == event.cause && self.ours.contains(&job.event);
            if self.seen.contains(&event.id) || !followed.jobs.iter().any(|job| ours(&job)) {
                continue;
            }
            self.seen.insert(event.id);
            self.ours.insert(event.id);
            self.last = Some(event.id);
            let status = paint(GOOD, &format!("{:<9}", "emitted"));
            say(&format!("{}  {:<22} {status} {}", self.time(now), event.kind, fires(event.id, followed)));
        }
        for job in &followed.jobs {
            if self.ours.contains(&job.event) {
                self.tell_job(now, job);
            }
        }
    }

    fn tell_job(&mut self, now: Timestamp, job: &JobSeen) {
        let known = Known {
            event: job.event,
            rule: job.rule.clone(),
            state: job.state,
            run_at: job.run_at,
            waits: job.waits,
            attention: job.attention.clone(),
        };
        let before = self.jobs.insert(job.id, known.clone());
        if before.as_ref() == Some(&known) {
            return;
        }
        let name = format!("{}.{}", job.rule, job.action);
        let quietly = |what: String| say(&paint(QUIET, &format!("  · {name}: {what}")));
        match (job.state, &job.attention) {
            (JobState::Scheduled, Some(missing)) => {
                if before.is_none_or(|before| before.attention.is_none()) {
                    say(&format!("  · {name}: {}", paint(NOTE, &format!("needs attention: {missing}"))));
                }
            }
            (JobState::Scheduled, None) if !job.waits && job.run_at > now + AT_ONCE => {
                let again = before.filter(|before| before.run_at != job.run_at && before.state == JobState::Scheduled);
                let word = if again.is_some() { "now due" } else { "due" };
                quietly(format!("{word} {}", self.when(job.run_at, now)));
            }
            (JobState::Scheduled | JobState::Ready | JobState::Running, _) => {}
            (JobState::Done, _) => {
                self.since.told.push(job.id);
                self.done(now, job, &name);
            }
            (state, _) => {
                let why = job.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
                let told = format!("{}{why}", state.as_str());
                match state {
                    JobState::Dead | JobState::Unknown => say(&format!("  · {name}: {}", paint(BAD, &told))),
                    _ => quietly(told),
                }
            }
        }
    }

    fn done(&mut self, now: Timestamp, job: &JobSeen, name: &str) {
        if !job.effects.is_empty() && self.last != Some(job.event) {
            say(&format!("{}  {name}", self.time(now)));
            self.last = Some(job.event);
        }
        for effect in &job.effects {
            self.effect(job, effect);
        }
    }

    fn effect(&mut self, job: &JobSeen, effect: &Value) {
        let text = |name: &str| effect[name].as_str().unwrap_or_default();
        let arrow = paint(DOING, "→");
        match text("kind") {
            "message" => {
                self.messages += 1;
                self.reminded |= self.watched == Some(job.event) && job.rule == REMINDER;
                let attached = match effect["attachments"].as_u64() {
                    None | Some(0) => "",
                    Some(1) => " (with a file)",
                    Some(_) => " (with files)",
                };
                say(&format!("  {arrow} message to {}: {}{attached}", text("to"), shortened(text("text"))));
            }
            "document" => {
                self.documents.push((text("name").to_owned(), text("id").to_owned()));
                say(&format!("  {arrow} document {}  {}", text("name"), shortened(text("text"))));
            }
            "record" => {
                let now = &effect["now"];
                let who = now["name"].as_str().unwrap_or(text("id"));
                let stage = now["stage"].as_str();
                if let Some(stage) = stage {
                    self.stages.insert((text("record").to_owned(), text("id").to_owned()), stage.to_owned());
                }
                let fields =
                    || effect["set"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
                let what = effect["set"]["stage"].as_str().map_or_else(fields, str::to_owned);
                say(&format!("  {arrow} {} {who}: {what}", text("record")));
            }
            "refused" => say(&format!("  {} {} refused: {}", paint(BAD, "!"), text("effect"), text("reason"))),
            _ => {}
        }
    }

    /// Whether something of this play is about to happen.
    pub(super) fn moves(&self, now: Timestamp) -> bool {
        self.jobs.values().any(|job| match job.state {
            JobState::Ready | JobState::Running => true,
            JobState::Scheduled => !job.waits && job.attention.is_none() && job.run_at <= now + AT_ONCE,
            _ => false,
        })
    }

    fn reminders(&self) -> impl Iterator<Item = &Known> {
        self.jobs.values().filter(|job| Some(job.event) == self.watched && job.rule == REMINDER)
    }

    /// Whether the reminder that is waited for was sent.
    pub(super) fn reminded(&self) -> bool {
        self.reminded
    }

    /// Whether there is nothing to wait for: it was sent, or it will not be.
    pub(super) fn reminder_ended(&self) -> bool {
        self.reminded || self.reminders().all(|job| !job.state.is_live())
    }

    /// Why the reminder that was waited for has not come.
    pub(super) fn why_no_reminder(&self, waited: Duration) -> String {
        let why = match self.reminders().next() {
            None => format!("{REMINDER} made no job of the added appointment"),
            Some(job) if job.attention.is_some() => "it needs attention".to_owned(),
            Some(job) if job.state == JobState::Scheduled => {
                format!("it is due {}; do the settings of {REMINDER} differ from its defaults?", self.zoned(job.run_at, "%d/%m %H:%M:%S"))
            }
            Some(job) => format!("it is {}", job.state.as_str()),
        };
        paint(NOTE, &format!("the reminder of the added appointment has not come within {} seconds: {why}", waited.as_secs()))
    }

    /// What it came to, and where to look at it.
    pub(super) fn summary(&self, pages: &str, link: &str) {
        let counted =
            |counts: &BTreeMap<String, u32>| counts.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ");
        say("");
        say(&format!("{}   {}", paint(LOUD, "received "), counted(&self.statuses)));
        say(&format!("{}   {}, in the outbox", paint(LOUD, "messages "), self.messages));
        if !self.documents.is_empty() {
            say(&format!("{}   {}", paint(LOUD, "documents"), self.documents.len()));
        }
        let mut by_stage: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for ((record, _), stage) in &self.stages {
            *by_stage.entry(record.clone()).or_default().entry(stage.clone()).or_default() += 1;
        }
        for (record, stages) in &by_stage {
            say(&format!("{}   {}", paint(LOUD, &format!("{:<9}", format!("{record}s"))), counted(stages)));
        }
        let later: Vec<Timestamp> = self.jobs.values().filter(|job| job.state == JobState::Scheduled).map(|job| job.run_at).collect();
        if let Some(next) = later.iter().min() {
            say(&format!("{}   {}, the next {}", paint(LOUD, "to come  "), later.len(), self.zoned(*next, "%d/%m %H:%M")));
        }
        say("");
        say(&format!("look at it: {}/", paint(LOUD, pages)));
        say(&format!("  sign in, once, within fifteen minutes: {link}"));
        for (name, id) in &self.documents {
            say(&format!("  {name}: {pages}/api/v1/documents/{id}"));
        }
    }

    fn time(&self, at: Timestamp) -> String {
        self.zoned(at, "%H:%M:%S")
    }

    /// A time of today without its date.
    fn when(&self, at: Timestamp, now: Timestamp) -> String {
        let same = at.to_zoned(self.zone.clone()).date() == now.to_zoned(self.zone.clone()).date();
        self.zoned(at, if same { "%H:%M:%S" } else { "%d/%m %H:%M:%S" })
    }

    fn zoned(&self, at: Timestamp, form: &str) -> String {
        at.to_zoned(self.zone.clone()).strftime(form).to_string()
    }
}

/// Which rules made jobs of an event.
fn fires(event: EventId, followed: &Followed) -> String {
    let mut rules: Vec<&str> = followed.jobs.iter().filter(|job| job.event == event).map(|job| job.rule.as_str()).collect();
    rules.sort_unstable();
    rules.dedup();
    if rules.is_empty() { "no rule fires".to_owned() } else { format!("fires {}", rules.join(", ")) }
}

/// One line of a text, not too long.
fn shortened(text: &str) -> String {
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" · ");
    if line.chars().count() <= SHOWN {
        return line;
    }
    let mut short: String = line.chars().take(SHOWN - 1).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}
