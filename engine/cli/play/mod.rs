//! `zelo play`: a file of deliveries against the server that runs here, as if they happened now, and what comes of it.
//!
//! Only the server found through the control socket is played against, and only if no message of it reaches people.
//! `--demo` makes new people and things of those in the file and adds an appointment whose reminder is due within a minute.

mod day;
mod demo;
mod tell;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use jiff::tz::TimeZone;
use zelo_core::{Clock, Timestamp};
use zelo_rules::RuleSet;
use zelo_runtime::simulation;
use zelo_runtime::system::{SystemClock, SystemEntropy};

use super::control::{Followed, Here, Request, Way};
use super::http::{self, Sender};
use super::send::Letter;
use super::{Findings, serve, setup};
use crate::config::Config;
use day::{Line, Moves};
use tell::{Story, say};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One delivery a line, {at, source, path, body}, in order of arrival.
    file: PathBuf,
    /// Seconds between deliveries.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = pace)]
    pace: Duration,
    /// Play with people and things of this run's own, and with a reminder that is due within a minute.
    #[arg(long)]
    demo: bool,
}

/// No run takes longer.
const LONGEST: Duration = Duration::from_secs(120);
/// How often is looked what came of it.
const LOOK: Duration = Duration::from_millis(300);

fn pace(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse().context("a number of seconds, such as 0.5")?;
    ensure!((0.0..=60.0).contains(&seconds), "from 0 to 60 seconds");
    Ok(Duration::from_secs_f64(seconds))
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let text = std::fs::read_to_string(&arguments.file).with_context(|| format!("{} cannot be read", arguments.file.display()))?;
    let lines = simulation::read_day(&text).with_context(|| arguments.file.display().to_string())?;
    let tokio = super::tokio()?;
    let Some(way) = tokio.block_on(Way::to_server(&config))? else {
        bail!("no zelo runs here; start it first, in another terminal: `make run`, or `zelo serve`");
    };
    let here: Here = tokio.block_on(way.ask(&Request::Here))?;
    stays_here(&here.reaching)?;
    let mut player = Player {
        base: http::local(&config, here.address)?,
        sources: setup::sources(&config)?,
        config: &config,
        sender: Sender::new(),
        story: Story::new(here.since.clone()),
        here,
        tokio,
        way,
        sent: HashMap::new(),
        moves: Moves::default(),
        secrets: HashMap::new(),
        start: Instant::now(),
    };
    player.play(lines.into_iter().map(|(number, line)| Line::new(number, line)).collect(), arguments)
}

/// Refuses a server whose messages reach people, through the channels named: nobody is to hear of a day that is played.
fn stays_here(reaching: &[String]) -> Result<()> {
    let through = reaching.join(", ");
    ensure!(
        reaching.is_empty(),
        "this server's messages reach people, through {through}; a day is only played where they stay in an outbox"
    );
    Ok(())
}

struct Player<'a> {
    config: &'a Config,
    tokio: tokio::runtime::Runtime,
    way: Way,
    here: Here,
    base: String,
    sources: RuleSet,
    sender: Sender,
    story: Story,
    /// What was sent for which body of the file: the same delivery twice is the same bytes twice.
    sent: HashMap<(String, String), Vec<u8>>,
    moves: Moves,
    /// By connection.
    secrets: HashMap<String, Option<Vec<u8>>>,
    start: Instant,
}

impl Player<'_> {
    fn play(&mut self, mut lines: Vec<Line>, arguments: &Arguments) -> Result<Findings> {
        for line in &lines {
            self.connection(line)?;
        }
        let now = SystemClock.now();
        let mut zone = lines.first().and_then(|line| self.sources.source(&line.source)?.clinic_timezone.clone()).unwrap_or(TimeZone::UTC);
        say(&format!("playing {} deliveries of {} against {}", lines.len(), arguments.file.display(), self.base));
        let mut reminder = false;
        if arguments.demo {
            say("--demo: what follows writes made-up people and appointments into this server's data");
            if self.here.has_events {
                say("this server has received events before; the made-up ones will stand beside them");
            }
            let staged = demo::stage(&mut lines, &self.sources, now, &SystemEntropy)?;
            zone = staged.zone;
            say(&staged.said);
            reminder = self.reminder(&mut lines, staged.appointment)?;
        }
        self.story.zone = zone;
        say("");
        let mut refused = 0;
        for line in &lines {
            refused += u32::from(!self.deliver(line)?);
            self.pause(arguments.pace)?;
        }
        let came = self.wait(reminder)?;
        self.end(reminder, came)?;
        Ok(if refused == 0 && (came || !reminder) { Findings::None } else { Findings::Some })
    }

    /// Puts the appointment that is to be reminded of at once behind the one that it is made from;
    /// whether there is one.
    fn reminder(&mut self, lines: &mut Vec<Line>, place: Option<usize>) -> Result<bool> {
        let Some(place) = place else {
            say("there is no appointment in this day, so no reminder will come");
            return Ok(false);
        };
        let connection = self.connection(&lines[place])?;
        let Some(hours) = demo::hours_before(&self.here, &connection) else {
            say(&format!("{} is switched off here, so no reminder will come", demo::REMINDER));
            return Ok(false);
        };
        let added = demo::appointment(&lines[place], hours, &SystemEntropy)?;
        lines.insert(place + 1, added);
        Ok(true)
    }

    /// The connection that a line goes through: the one called like its source, or one of it.
    fn connection(&self, line: &Line) -> Result<String> {
        let connections = &self.here.connections;
        let of_source = || connections.iter().find(|(_, source)| **source == line.source).map(|(name, _)| name.clone());
        let found = connections.contains_key(&line.source).then(|| line.source.clone()).or_else(of_source);
        found.with_context(|| format!("line {}: this server has no connection or source `{}`", line.number, line.source))
    }

    /// Sends one line; whether it was taken.
    fn deliver(&mut self, line: &Line) -> Result<bool> {
        let connection = self.connection(line)?;
        let now = SystemClock.now();
        let moves = &self.moves;
        let body = self.sent.entry((line.path.clone(), line.text())).or_insert_with(|| line.body_at(now, moves)).clone();
        let source_id = self.here.connections.get(&connection).cloned().unwrap_or_default();
        let source = self.sources.source(&source_id).with_context(|| format!("there is no source `{source_id}`"))?;
        if !self.secrets.contains_key(&connection) {
            let secret = if self.here.insecure.contains(&connection) { None } else { setup::secret(self.config, &connection, source)? };
            self.secrets.insert(connection.clone(), secret);
        }
        let secret = self.secrets.get(&connection).and_then(Option::as_deref);
        let place = format!("/hooks/{connection}/{}", line.path);
        let url = format!("{}{place}", self.config.server.public_url.as_deref().unwrap_or(&self.base).trim_end_matches('/'));
        let path = line.path.split('?').next().unwrap_or_default();
        let letter = Letter { path, url: &url, headers: line.headers(), body: &body };
        let added = letter.sealed(source, secret)?;
        let answer = self
            .sender
            .post(&added.url(&format!("{}{place}", self.base)), &added.headers, &body)
            .context("the server does not answer any more")?;
        let followed = self.look()?;
        self.story.received(now, line, &answer, &followed);
        self.story.tell(now, &followed);
        Ok(answer.is_taken())
    }

    fn look(&self) -> Result<Followed> {
        self.tokio.block_on(self.way.ask(&Request::Follow(self.story.since()))).context("the server does not answer any more")
    }

    fn pause(&mut self, pace: Duration) -> Result<()> {
        let until = Instant::now() + pace;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
            let followed = self.look()?;
            self.story.tell(SystemClock.now(), &followed);
        }
    }

    /// Looks on until nothing moves any more, and the reminder has come where one is waited for; whether it has.
    fn wait(&mut self, reminder: bool) -> Result<bool> {
        loop {
            let followed = self.look()?;
            let now = SystemClock.now();
            self.story.tell(now, &followed);
            let settled = !reminder || self.story.reminder_ended();
            if (settled && !self.story.moves(now)) || self.start.elapsed() >= LONGEST {
                return Ok(reminder && self.story.reminded());
            }
            std::thread::sleep(LOOK);
        }
    }

    fn end(&mut self, reminder: bool, came: bool) -> Result<()> {
        if reminder && !came {
            say("");
            say(&self.story.why_no_reminder(LONGEST));
        }
        let link: serde_json::Value = self.tokio.block_on(self.way.ask(&Request::Link))?;
        let mut config = self.config.clone();
        config.server.listen = self.here.address;
        let pages = config.server.public_url.clone().unwrap_or_else(|| self.base.clone());
        config.server.public_url = Some(pages.trim_end_matches('/').to_owned());
        self.story.summary(&serve::address(&config), &serve::sign_in_link(&config, link["code"].as_str().unwrap_or_default()));
        Ok(())
    }
}

/// Now, to whole seconds: providers give no finer times.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_played_to_people() {
        assert!(stays_here(&[]).is_ok());
        assert!(stays_here(&["whatsapp".to_owned()]).unwrap_err().to_string().contains("through whatsapp"));
    }

    #[test]
    fn a_pace_is_a_number_of_seconds() {
        assert_eq!(pace("0.5").unwrap(), Duration::from_millis(500));
        assert!(pace("-1").is_err() && pace("61").is_err() && pace("fast").is_err() && pace("NaN").is_err());
    }
}
