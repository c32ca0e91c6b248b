//! A first source file for a provider that nobody has described yet, from deliveries that were caught.
//!
//! What it proposes is read off names and shapes, and says so in comments: whoever keeps the file has the provider's documentation beside
//! it. It never proposes more than is safe: what it does not know stays sensitive, and nothing goes unverified. Of the deliveries' values
//! only those stand in the result that name an event or its kind; samples keep the shape, not what people said.

mod guess;
mod proof;
mod shape;

use std::collections::BTreeMap;

use serde_json::Value;
use toml::Value as Toml;

use crate::document::read_document;
use crate::source::Format;
use crate::source::file::is_name;
use guess::{Guess, Kind};
use proof::Proof;

/// A delivery as it was caught.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// What follows `/hooks/{connection}/`.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A file to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The source file.
    pub text: String,
    /// Samples by the name of their file, in the folder that was named.
    pub samples: BTreeMap<String, Vec<u8>>,
}

/// A delivery that was read.
struct Seen<'c> {
    caught: &'c Caught,
    format: Format,
    document: Value,
}

/// Drafts the source `id` from `deliveries`, one of each kind at best. Its samples are called as if they stood in `folder`, seen from
/// the source file.
///
/// # Errors
/// There is nothing to draft from, or a body cannot be read: which one, and why.
pub fn draft(id: &str, folder: &str, deliveries: &[Caught]) -> Result<Draft, String> {
    if !is_name(id) {
        return Err(format!("`{id}` is not a name: it begins with a letter and has lower-case letters, digits, `-` and `_`"));
    }
    if deliveries.is_empty() {
        return Err("there is no delivery to draft from".to_owned());
    }
    let mut seen = Vec::with_capacity(deliveries.len());
    for (number, caught) in deliveries.iter().enumerate() {
        let format = format_of(caught);
        let document = read_document(&caught.body, format, None).map_err(|why| format!("the body of delivery {}: {why}", number + 1))?;
        seen.push(Seen { caught, format, document });
    }
    let guess = Guess::of(id, &seen);
    let proof = Proof::of(deliveries);
    let mut samples = BTreeMap::new();
    let mut named = Vec::new();
    for (seen, kind) in seen.iter().zip(&guess.kinds) {
        if named.iter().any(|(known, ..): &(&Kind, String)| *known == kind) {
            continue;
        }
        // Only JSON is written anew: of anything else the shape is not known well enough to take out what people said.
        let name = format!("{}.json", kind.name);
        if seen.format == Format::Json {
            let masked = shape::masked(&seen.document, &guess.public);
            let bytes = serde_json::to_vec_pretty(&masked).map_err(|error| error.to_string())?;
            samples.insert(name.clone(), bytes);
        }
        named.push((kind, name));
    }
    let text = written(id, folder, &seen, &guess, &proof, &named, &samples);
    Ok(Draft { text, samples })
}

/// By what the delivery says it is; else by how it begins.
fn format_of(caught: &Caught) -> Format {
    let said = caught.headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value.as_str());
    let xml = if said.is_empty() { caught.body.trim_ascii_start().starts_with(b"<") } else { said.contains("xml") };
    match said.contains("form-urlencoded") {
        true => Format::Form,
        false if xml => Format::Xml,
        false => Format::Json,
    }
}

fn text(value: &str) -> String {
    Toml::String(value.to_owned()).to_string()
}

fn list<'t>(values: impl Iterator<Item = &'t str>) -> String {
    values.map(text).collect::<Vec<_>>().join(", ")
}

fn written(
    id: &str,
    folder: &str,
    seen: &[Seen<'_>],
    guess: &Guess,
    proof: &Proof,
    named: &[(&Kind, String)],
    samples: &BTreeMap<String, Vec<u8>>,
) -> String {
    let mut lines = vec![
        format!("# {id}: drafted from {} by `zelo source new`.", count(seen.len(), "delivery", "deliveries")),
        "#".to_owned(),
        "# Everything here was read off names and shapes. Go through it with the provider's documentation: what is signed and how,"
            .to_owned(),
        "# what identifies a delivery (and not only the thing it is about), which times are meant, and of whom it speaks.".to_owned(),
        String::new(),
        format!("id       = {}", text(id)),
        format!("title    = {}", text(id)),
        "timezone = \"UTC\"   # of times that carry no offset".to_owned(),
        String::new(),
        "[receive]".to_owned(),
    ];
    let mut formats: Vec<&str> = Vec::new();
    for seen in seen {
        let word = match seen.format {
            Format::Json => "json",
            Format::Xml => "xml",
            Format::Form => "form",
        };
        if !formats.contains(&word) {
            formats.push(word);
        }
    }
    lines.push(format!("format = [{}]", list(formats.into_iter())));
    lines.extend(proof.lines());
    for (kind, sample) in named {
        lines.push(String::new());
        lines.push("[[events]]".to_owned());
        lines.extend(kind.matched.as_ref().map(|matched| format!("match    = {matched}")));
        lines.push(format!("type     = {}", text(&kind.name)));
        lines.push(format!(
            "title    = {{ pt-BR = {0}, en = {0} }}   # a piece of a sentence: \"um pagamento é confirmado\"",
            text(if kind.said.trim().is_empty() { &kind.name } else { &kind.said })
        ));
        lines.extend(guess.id.as_ref().map(|id| format!("id       = {}   # identifies the delivery?", text(id))));
        lines.extend(guess.time.as_ref().map(|time| format!("time     = {}", text(time))));
        lines.extend(guess.entity.as_ref().map(|(kind, id)| format!("entity   = {{ type = {}, id = {} }}", text(kind), text(id))));
        lines.extend(guess.person.as_ref().map(|person| format!("subjects = [{person}]")));
        if samples.contains_key(sample) {
            lines.push(format!("sample   = {}", text(&format!("{folder}/{sample}"))));
        }
    }
    lines.extend([
        String::new(),
        "# LGPD art. 5. What is not named here is sensitive, and a rule may hand it on only where it says why.".to_owned(),
        "[classes]".to_owned(),
        format!("public   = [{}]", list(guess.public.iter().map(String::as_str))),
        format!("personal = [{}]", list(guess.personal.iter().map(String::as_str))),
    ]);
    if !guess.unknown.is_empty() {
        lines.push(format!(
            "# sensitive as long as they stand nowhere: {}",
            guess.unknown.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
