//! `zelo plugin inspect`: what a plugin is, what it may do and why, what it takes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use zelo_host::Plugin;
use zelo_host::manifest::Text;
use zelo_runtime::installed;

use super::super::{Findings, Format, print_line, setup};
use super::load;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Arguments {
    /// The plugin.
    file: PathBuf,
    /// The language of its texts.
    #[arg(long, default_value = "pt-BR", value_parser = zelo_rules::LOCALES)]
    lang: String,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let plugin = load(&setup::host_for_tools()?, &arguments.file)?;
    let signature = signature(&Config::load(config)?, &arguments.file)?;
    match arguments.format {
        Format::Json => print_line(&serde_json::to_string_pretty(&whole(&plugin, &signature, &arguments.lang))?),
        Format::Text => lines(&plugin, &signature, &arguments.lang).iter().for_each(|line| print_line(line)),
    }
    Ok(Findings::None)
}

/// Who signed the plugin in a file, in words.
fn signature(config: &Config, file: &Path) -> Result<String> {
    let signers = &config.plugins.signed_by;
    if !installed::signature_of(file).exists() {
        return Ok(if signers.is_empty() { "no".to_owned() } else { "no, and zelo.toml asks for it: it would not run".to_owned() });
    }
    if signers.is_empty() {
        return Ok("a signature is there; `[plugins] signed_by` names no key to check it with".to_owned());
    }
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(match installed::signature(file, &bytes, signers) {
        Ok(said) => format!("yes: {said}"),
        Err(why) => format!("no: {why}"),
    })
}

fn imports(plugin: &Plugin) -> Vec<&str> {
    plugin.imports().iter().map(|capability| capability.as_str()).collect()
}

/// Everything, with the texts in one language.
fn whole(plugin: &Plugin, signature: &str, lang: &str) -> Value {
    let manifest = plugin.manifest();
    let wants = manifest.wants.iter().map(|want| json!({ "capability": want.capability.as_str(), "reason": want.reason.in_locale(lang) }));
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "title": manifest.title.in_locale(lang),
        "description": manifest.description.as_ref().map(|text| text.in_locale(lang)),
        "digest": plugin.digest(),
        "signature": signature,
        "bytes": plugin.size(),
        "imports": imports(plugin),
        "wants": wants.collect::<Vec<_>>(),
        "inputs": manifest.inputs,
        "limits": manifest.limits,
    })
}

fn lines(plugin: &Plugin, signature: &str, lang: &str) -> Vec<String> {
    let manifest = plugin.manifest();
    let mut lines = vec![format!("{} {}  {} bytes", manifest.name, manifest.version, plugin.size())];
    let mut line = |what: &str, says: String| lines.push(format!("{what:<9}{says}"));
    line("title", manifest.title.in_locale(lang).to_owned());
    if let Some(description) = &manifest.description {
        line("about", description.in_locale(lang).to_owned());
    }
    line("digest", plugin.digest().to_owned());
    line("signed", signature.to_owned());
    line("imports", imports(plugin).join(", "));
    for want in &manifest.wants {
        line("wants", format!("{}: {}", want.capability.as_str(), want.reason.in_locale(lang)));
    }
    let required = manifest.required_inputs();
    for (name, schema) in manifest.inputs.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let need = if required.contains(&name.as_str()) { "required" } else { "optional" };
        let about = about(schema, lang).map(|about| format!(": {about}")).unwrap_or_default();
        line("input", format!("{name} ({}, {need}){about}", kind(schema)));
    }
    let limits = &manifest.limits;
    let own = [(limits.memory_mib, "MiB of memory"), (limits.cpu_ms, "ms of computing"), (limits.wall_ms, "ms in all")];
    let own: Vec<String> = own.iter().filter_map(|(number, unit)| number.map(|number| format!("{number} {unit}"))).collect();
    if !own.is_empty() {
        line("limits", own.join(", "));
    }
    lines
}

/// What values an input has, by its JSON Schema: the values themselves, or their types.
fn kind(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(Value::to_string).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(word) if word == "array" && schema["items"].is_object() => format!("array of {}", kind(&schema["items"])),
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

/// What an input is for: its description, or else its label.
fn about(schema: &Value, lang: &str) -> Option<String> {
    let text = |key: &str| match &schema[key] {
        Value::String(text) => Some(text.clone()),
        table => serde_json::from_value::<Text>(table.clone()).ok().map(|text| text.in_locale(lang).to_owned()),
    };
    text("description").or_else(|| text("label"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_says_what_it_takes_and_what_for() {
        for (schema, takes, is_for) in [
            (json!({ "type": "string", "description": "Who." }), "string", Some("Who.")),
            (json!({ "type": ["string", "null"] }), "string or null", None),
            (json!({ "enum": ["a", 2] }), "\"a\" or 2", None),
            (json!({ "type": "array", "items": { "type": "number" } }), "array of number", None),
            (json!({ "label": { "en": "stage", "pt-BR": "etapa" } }), "anything", Some("etapa")),
            (json!({ "label": { "en": "stage" } }), "anything", Some("stage")),
        ] {
            assert_eq!((kind(&schema).as_str(), about(&schema, "pt-BR").as_deref()), (takes, is_for), "{schema}");
        }
    }
}
