//! `zelo send`: a signed sample delivery to a running server.

use std::path::{Path as File, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use zelo_core::Clock;
use zelo_rules::{Added, Delivery, Headers, Path, RuleSet, Sample, Source};
use zelo_runtime::system::SystemClock;

use super::http::{self, Sender};
use super::meant::did_you_mean;
use super::{Findings, Format, print_line, setup};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A source: clinicarx.
    source: String,
    /// An event type of it: appointment.created.
    #[arg(value_name = "TYPE")]
    kind: String,
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
    let source = source(&sources, &arguments.source)?;
    let connection = connection(&config, source, arguments.connection.as_deref())?;
    let base = match &arguments.url {
        Some(url) => http::base(url)?,
        None => http::local(&config, config.server.listen)?,
    };
    let (mut sample, file) = sample(source, arguments)?;
    let mut body = body(&file, &arguments.settings)?;
    if source.payload.is_some() {
        let payload = serde_json::from_slice(&body).context("a payload that is made of headers and parameters is JSON here")?;
        source.take_apart(&payload, &mut sample);
        body.clear();
    }
    let path = format!("/hooks/{connection}/{}", sample.address());
    let letter = Letter {
        path: &sample.path,
        // What is signed is the address that the provider was given.
        url: &format!("{}{path}", config.server.public_url.as_deref().unwrap_or(&base).trim_end_matches('/')),
        headers: sample.headers,
        body: &body,
    };
    let added = letter.sealed(source, setup::secret(&config, &connection, source)?.as_deref())?;
    let answer = Sender::new()
        .post(&added.url(&format!("{base}{path}")), &added.headers, &body)
        .with_context(|| format!("no server answers at {base}; start one with `zelo serve`, or name another with --url"))?;
    let taken = answer.is_taken();
    match arguments.format {
        Format::Json => {
            let name = if taken { "receipt" } else { "problem" };
            print_line(&json!({ "status": answer.status, name: answer.body }).to_string());
        }
        // What a provider wants to hear exactly says nothing more.
        Format::Text if taken && answer.body.is_null() => print_line(&format!("{} taken", answer.status)),
        Format::Text if taken => {
            for receipt in answer.receipts() {
                let text = |name: &str| receipt[name].as_str().unwrap_or("-").to_owned();
                let why = receipt["violation"].as_str().map(|why| format!("  {why}")).unwrap_or_default();
                print_line(&format!("{} {}  {}  rules: {}{why}", answer.status, text("status"), text("event_id"), receipt["rules"]));
            }
        }
        Format::Text => print_line(&answer.refusal()),
    }
    Ok(if taken { Findings::None } else { Findings::Some })
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
fn sample(source: &Source, arguments: &Arguments) -> Result<(Sample, PathBuf)> {
    let kind = &arguments.kind;
    let Some(event) = source.events.iter().find(|event| event.kind == *kind) else {
        bail!("`{}` names no event type `{kind}`{}", source.id, did_you_mean(kind, source.types()));
    };
    match (source.sample(kind), &arguments.body) {
        (Some(mut sample), given) => {
            let folder = File::new(&source.file).parent().unwrap_or(File::new(""));
            let file = given.clone().unwrap_or_else(|| folder.join(&sample.file));
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
