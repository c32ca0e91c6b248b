//! `zelo send`: signed sample deliveries to a running server, as each provider would send them; or spoilt, or once more.

mod spoil;

use std::path::{Path as File, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use zelo_core::Clock;
use zelo_rules::{Added, Delivery, Headers, Path, RuleSet, Sample, Source};
use zelo_runtime::system::SystemClock;

use super::http::{self, Answer, Sender};
use super::meant::did_you_mean;
use super::{Findings, Format, print_line, setup};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A source: clinicarx. With --all it may be left out: all of them.
    #[arg(required_unless_present = "all")]
    source: Option<String>,
    /// An event type of it: appointment.created.
    #[arg(value_name = "TYPE", required_unless_present = "all")]
    kind: Option<String>,
    /// Send every sample that the source has, one after the other.
    #[arg(long, conflicts_with_all = ["kind", "settings", "body"])]
    all: bool,
    /// Send nothing good, but each delivery spoilt: signed with another secret, not signed, and with another body. All must be refused.
    #[arg(long, conflicts_with = "replay")]
    tamper: bool,
    /// Send each delivery twice, to the byte. The second must be a duplicate.
    #[arg(long)]
    replay: bool,
    /// Default: the connection that is called like the source, or the only one of it.
    #[arg(long)]
    connection: Option<String>,
    /// The server's address; default: where zelo.toml lets it listen.
    #[arg(long)]
    url: Option<String>,
    /// Put a value into the body: '$.data.id=7'. What is not JSON is text.
    #[arg(long = "set", value_name = "PATH=JSON", value_parser = setting)]
    settings: Vec<(Path, Value)>,
    /// Send this body instead of the sample.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A path and a value; the `=` between them is the first one that leaves a path before it.
fn setting(text: &str) -> Result<(Path, Value)> {
    let splits = text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
    let mut found = splits.filter_map(|(path, value)| Some((Path::parse(path.trim()).ok()?, value)));
    let (path, value) = found.next().with_context(|| format!("`{text}` is not PATH=JSON, such as $.data.id=7"))?;
    ensure!(path.is_singular(), "`{}` may stand for several places; name one", path.as_str());
    Ok((path, serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
}

pub(super) fn run(config: Option<&File>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let sources = setup::sources(&config)?;
    let base = match &arguments.url {
        Some(url) => http::base(url)?,
        None => http::local(&config, config.server.listen)?,
    };
    let chosen: Vec<&Source> = match &arguments.source {
        Some(id) => vec![source(&sources, id)?],
        None => sources.sources().filter(|source| source.events.iter().any(|event| event.sample.is_some())).collect(),
    };
    let sender = Sender::new();
    let mut findings = Findings::None;
    for source in chosen {
        let connection = connection(&config, source, arguments.connection.as_deref())?;
        let secret = setup::secret(&config, &connection, source).with_context(|| format!("connection `{connection}`"))?;
        let letters = match &arguments.kind {
            Some(kind) => vec![(kind.as_str(), sample(source, kind, arguments.body.as_ref())?)],
            None => samples(source),
        };
        let way = Way { config: &config, source, connection: &connection, base: &base, secret: secret.as_deref(), sender: &sender };
        for (kind, (sample, file)) in letters {
            let mine = Parcel::new(source, sample, body(&file, &arguments.settings)?)?;
            if !way.send(kind, &mine, arguments)? {
                findings = Findings::Some;
            }
        }
    }
    Ok(findings)
}

/// Where deliveries of a source go, and how.
struct Way<'a> {
    config: &'a Config,
    source: &'a Source,
    connection: &'a str,
    base: &'a str,
    secret: Option<&'a [u8]>,
    sender: &'a Sender,
}

/// What is sent, before it is signed.
struct Parcel {
    sample: Sample,
    body: Vec<u8>,
}

impl Parcel {
    fn new(source: &Source, mut sample: Sample, mut body: Vec<u8>) -> Result<Self> {
        if source.payload.is_some() {
            let payload = serde_json::from_slice(&body).context("a payload that is made of headers and parameters is JSON here")?;
            source.take_apart(&payload, &mut sample);
            body.clear();
        }
        Ok(Self { sample, body })
    }
}

impl Way<'_> {
    /// Sends `parcel` in the way that is wanted; whether it went as it should.
    fn send(&self, kind: &str, parcel: &Parcel, arguments: &Arguments) -> Result<bool> {
        let tell = |what: &str, answer: &Answer| tell(&Told { arguments, source: &self.source.id, kind, what }, answer);
        if arguments.tamper {
            let mut refused = true;
            for (what, added, body) in spoil::ways(self, parcel)? {
                let answer = self.post(parcel, &added, &body)?;
                tell(what, &answer);
                refused &= !answer.is_taken();
            }
            return Ok(refused);
        }
        let added = self.sealed(parcel, self.secret)?;
        let answer = self.post(parcel, &added, &parcel.body)?;
        tell("sent", &answer);
        if !arguments.replay || !answer.is_taken() {
            return Ok(answer.is_taken());
        }
        let again = self.post(parcel, &added, &parcel.body)?;
        tell("again", &again);
        // An exact answer says nothing of what became of it.
        let known = |receipt: &Value| receipt.is_null() || matches!(receipt["status"].as_str(), Some("duplicate" | "ignored"));
        Ok(again.is_taken() && again.receipts().iter().all(known))
    }

    /// What makes `parcel` verified for who knows `secret`.
    fn sealed(&self, parcel: &Parcel, secret: Option<&[u8]>) -> Result<Added> {
        let letter = Letter {
            path: &parcel.sample.path,
            // What is signed is the address that the provider was given.
            url: &self.url(parcel),
            headers: parcel.sample.headers.clone(),
            body: &parcel.body,
        };
        letter.sealed(self.source, secret)
    }

    /// The address as the provider was given it.
    fn url(&self, parcel: &Parcel) -> String {
        format!("{}{}", self.config.server.public_url.as_deref().unwrap_or(self.base).trim_end_matches('/'), self.place(parcel))
    }

    /// Whether the source itself takes `body` with what was `added`, for who knows `secret`.
    fn is_verified(&self, parcel: &Parcel, added: &Added, body: &[u8], secret: &[u8]) -> bool {
        let headers: Headers<'_> = added.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let delivery = Delivery { path: &parcel.sample.path, url: &added.url(&self.url(parcel)), headers: &headers, body };
        self.source.verify(&delivery, &[secret.to_vec()], SystemClock.now()).is_ok()
    }

    fn place(&self, parcel: &Parcel) -> String {
        format!("/hooks/{}/{}", self.connection, parcel.sample.address())
    }

    fn post(&self, parcel: &Parcel, added: &Added, body: &[u8]) -> Result<Answer> {
        let url = added.url(&format!("{}{}", self.base, self.place(parcel)));
        let answer = self.sender.post(&url, &added.headers, body);
        answer.with_context(|| format!("no server answers at {}; start one with `zelo serve`, or name another with --url", self.base))
    }
}

/// What an answer is about.
struct Told<'a> {
    arguments: &'a Arguments,
    source: &'a str,
    kind: &'a str,
    what: &'a str,
}

fn tell(told: &Told<'_>, answer: &Answer) {
    let taken = answer.is_taken();
    // Of one delivery it goes without saying.
    let several = told.arguments.all || told.arguments.tamper || told.arguments.replay;
    let name = if several { format!("{} {}  {}: ", told.source, told.kind, told.what) } else { String::new() };
    match told.arguments.format {
        Format::Json => {
            let mut line = json!({ "status": answer.status, if taken { "receipt" } else { "problem" }: answer.body });
            if several {
                line["source"] = told.source.into();
                line["type"] = told.kind.into();
                line["what"] = told.what.into();
            }
            print_line(&line.to_string());
        }
        // What a provider wants to hear exactly says nothing more.
        Format::Text if taken && answer.body.is_null() => print_line(&format!("{name}{} taken", answer.status)),
        Format::Text if taken => {
            for receipt in answer.receipts() {
                let text = |name: &str| receipt[name].as_str().unwrap_or("-").to_owned();
                let why = receipt["violation"].as_str().map(|why| format!("  {why}")).unwrap_or_default();
                print_line(&format!("{name}{} {}  {}  rules: {}{why}", answer.status, text("status"), text("event_id"), receipt["rules"]));
            }
        }
        Format::Text => print_line(&format!("{name}{}", answer.refusal())),
    }
}

fn source<'s>(sources: &'s RuleSet, id: &str) -> Result<&'s Source> {
    let known = || sources.sources().map(|source| source.id.as_str());
    sources.source(id).with_context(|| format!("there is no source `{id}`{}", did_you_mean(id, known())))
}

/// The connection to send through.
fn connection(config: &Config, source: &Source, wanted: Option<&str>) -> Result<String> {
    let of_source: Vec<&str> =
        config.connections.iter().filter(|(_, given)| given.source == source.id).map(|(name, _)| name.as_str()).collect();
    // Without one in the file there is one by default, called like its source.
    let known = if of_source.is_empty() { vec![source.id.as_str()] } else { of_source };
    match wanted {
        Some(name) if known.contains(&name) => Ok(name.to_owned()),
        Some(name) => bail!("`{}` has no connection `{name}`{}", source.id, did_you_mean(name, known)),
        None => match known.iter().find(|name| **name == source.id).or(if known.len() == 1 { known.first() } else { None }) {
            Some(name) => Ok((*name).to_owned()),
            None => bail!("`{}` has several connections; say which with --connection: {}", source.id, known.join(", ")),
        },
    }
}

/// The example of the wanted type, and the file of its body, which may be another that was given instead.
fn sample(source: &Source, kind: &str, body: Option<&PathBuf>) -> Result<(Sample, PathBuf)> {
    let Some(event) = source.events.iter().find(|event| event.kind == kind) else {
        bail!("`{}` names no event type `{kind}`{}", source.id, did_you_mean(kind, source.types()));
    };
    match (source.sample(kind), body) {
        (Some(mut sample), given) => {
            let folder = File::new(&source.file).parent().unwrap_or(File::new(""));
            let file = given.cloned().unwrap_or_else(|| folder.join(&sample.file));
            // A body of one's own may be of the other format.
            let same = file.extension() == File::new(&sample.file).extension();
            sample.headers.retain(|(name, _)| same || !name.eq_ignore_ascii_case("content-type"));
            Ok((sample, file))
        }
        (None, Some(given)) => {
            let mut sample = event.sent(String::new());
            sample.file = given.display().to_string();
            Ok((sample, given.clone()))
        }
        (None, None) => bail!("`{}` has no sample of `{kind}`; send one of your own with --body", source.id),
    }
}

/// Every example that the source has.
fn samples(source: &Source) -> Vec<(&str, (Sample, PathBuf))> {
    let folder = File::new(&source.file).parent().unwrap_or(File::new(""));
    let samples = source.samples();
    samples
        .map(|(kind, sample)| {
            let file = folder.join(&sample.file);
            (kind, (sample, file))
        })
        .collect()
}

/// The body to send, with what was set in it.
fn body(file: &File, settings: &[(Path, Value)]) -> Result<Vec<u8>> {
    let body = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    if settings.is_empty() {
        return Ok(body);
    }
    let mut document: Value = serde_json::from_slice(&body).context("--set changes JSON, and this body is not")?;
    for (path, value) in settings {
        ensure!(path.assign(&mut document, value.clone()), "`{}` leads nowhere in this body", path.as_str());
    }
    Ok(serde_json::to_vec(&document)?)
}

/// A delivery that is about to be sent.
pub(super) struct Letter<'a> {
    /// What follows `/hooks/{connection}/`.
    pub(super) path: &'a str,
    /// The whole URL, as the provider was given it.
    pub(super) url: &'a str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: &'a [u8],
}

impl Letter<'_> {
    /// Its headers, and what makes it a verified delivery of `source`.
    pub(super) fn sealed(&self, source: &Source, secret: Option<&[u8]>) -> Result<Added> {
        let own = self.headers.clone();
        let Some(secret) = secret else { return Ok(Added { headers: own, query: Vec::new() }) };
        let headers: Headers<'_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let delivery = Delivery { path: self.path, url: self.url, headers: &headers, body: self.body };
        let signed = source.sign(&delivery, secret, SystemClock.now());
        let signed = signed.with_context(|| format!("deliveries of `{}` cannot be signed here", source.id))?;
        Ok(Added { headers: [own, signed.headers].concat(), query: signed.query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_paths_and_json() {
        let check = |text: &str| setting(text).map(|(path, value)| (path.as_str().to_owned(), value)).map_err(|error| error.to_string());
        assert_eq!(check("$.data.id=7"), Ok(("$.data.id".to_owned(), json!(7))));
        assert_eq!(check("$.data.phones=[{\"phone\": \"1=2\"}]"), Ok(("$.data.phones".to_owned(), json!([{ "phone": "1=2" }]))));
        assert_eq!(check("$['a=b']=x y"), Ok(("$['a=b']".to_owned(), json!("x y"))), "what is not JSON is text");
        assert!(check("$.data[*].id=7").unwrap_err().contains("several"));
        assert!(check("data.id=7").is_err() && check("$.data").is_err());
    }
}
