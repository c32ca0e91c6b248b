//! `zelo rules`: what is in force, and one rule on one screen, in words.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::control::{self, Request};
use super::{Findings, Format, print_line};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// One rule on one screen: what it does, what it shows to plugins and why, what can be chosen.
    Show {
        rule: String,
        #[command(flatten)]
        manner: Manner,
    },
}

/// How it is told.
#[derive(Debug, clap::Args)]
struct Manner {
    /// The language of what is told.
    #[arg(long, default_value = "pt-BR", value_parser = zelo_rules::LOCALES)]
    lang: String,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Texts are broken at this width, in characters.
const WIDTH: usize = 100;
/// Digits of a digest that are shown.
const DIGEST: usize = 12;

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let (request, manner) = match &arguments.command {
        None => (Request::Rules, &arguments.manner),
        Some(Command::Show { rule, manner }) => (Request::Rule { id: rule.clone() }, manner),
    };
    let (_, told) = control::run(config, &request)?;
    let lines = Lines { language: &manner.lang };
    if manner.format == Format::Json {
        print_line(&serde_json::to_string_pretty(&told)?);
    } else {
        let lines = if arguments.command.is_some() { lines.screen(&told) } else { lines.list(&told) };
        lines.iter().for_each(|line| print_line(line));
    }
    let fine = told["problem"].is_null() && told["idle"].as_array().is_none_or(Vec::is_empty);
    Ok(if fine { Findings::None } else { Findings::Some })
}

/// Writes what the server told, in one language.
struct Lines<'l> {
    language: &'l str,
}

impl Lines<'_> {
    /// One of two texts.
    fn pick(&self, portuguese: &'static str, english: &'static str) -> &'static str {
        if self.language == "en" { english } else { portuguese }
    }

    /// A text, or one by language.
    fn text<'v>(&self, told: &'v Value) -> &'v str {
        told.as_str()
            .or_else(|| told[self.language].as_str())
            .or_else(|| told["pt-BR"].as_str())
            .or_else(|| told["en"].as_str())
            .unwrap_or_default()
    }

    fn list(&self, told: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        for rule in items(&told["rules"]) {
            let from = rule["source"].as_str().map(|source| format!("{source}: ")).unwrap_or_default();
            lines.push(format!("{}  {}  {}", text(&rule["id"]), self.text(&rule["title"]), digest(rule)));
            lines.push(format!("    {from}{}", words(&rule["on"])));
            lines.extend(self.automations(rule).into_iter().map(|line| format!("    {line}")));
        }
        for idle in items(&told["idle"]) {
            lines.push(format!("{} {}: {}", self.pick("não funciona", "does not work"), text(&idle["automation"]), text(&idle["reason"])));
        }
        lines.extend(self.problem(told));
        lines
    }

    fn problem(&self, told: &Value) -> Vec<String> {
        let Some(problem) = told["problem"].as_str() else { return Vec::new() };
        let said = self.pick("Os arquivos em disco não estão em vigor:", "The files on disk are not in force:");
        vec![String::new(), said.to_owned(), problem.to_owned()]
    }

    /// Where a rule is on, and what was chosen there.
    fn automations(&self, rule: &Value) -> Vec<String> {
        let rows = items(&rule["automations"]);
        let told = rows.iter().map(|row| {
            let state = if row["enabled"] == true { self.pick("ligada   ", "on ") } else { self.pick("desligada", "off") };
            let clinic = row["clinic"].as_str().map(|clinic| format!(" ({} {clinic})", self.pick("clínica", "clinic"))).unwrap_or_default();
            let chosen = row["settings"].as_object().into_iter().flatten().map(|(name, value)| format!("  {name}={}", plain(value)));
            format!("{state} {}{clinic}{}", text(&row["connection"]), chosen.collect::<String>())
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() { vec![self.pick("nunca foi ligada", "never switched on").to_owned()] } else { told }
    }

    fn screen(&self, rule: &Value) -> Vec<String> {
        let mut lines = vec![format!("{}  ({})", self.text(&rule["title"]), text(&rule["id"])), String::new()];
        lines.extend(wrapped(self.text(&rule["sentence"])));
        lines.push(String::new());
        let from = rule["source"].as_str().map(|source| format!(" ({source})")).unwrap_or_default();
        lines.push(format!("{}  {}{from}", self.pick("Eventos", "Events "), words(&rule["on"])));
        for action in items(&rule["actions"]) {
            lines.extend(self.action(action));
        }
        lines.push(self.pick("Configurações", "Settings").to_owned());
        let settings: Vec<String> = items(&rule["settings"]).iter().map(|setting| self.setting(setting)).collect();
        lines.extend(if settings.is_empty() { vec![format!("  {}", self.pick("nenhuma", "none"))] } else { settings });
        lines.push(self.pick("Automações", "Automations").to_owned());
        for (line, row) in self.automations(rule).iter().zip(items(&rule["automations"]).iter().map(Some).chain([None])) {
            lines.push(format!("  {line}"));
            // Only where what was chosen makes it another sentence.
            let own = row.map(|row| self.text(&row["sentence"])).filter(|own| *own != self.text(&rule["sentence"]));
            lines.extend(own.into_iter().flat_map(wrapped).map(|line| format!("    {line}")));
        }
        let tests: Vec<&str> = items(&rule["tests"]).iter().map(text).collect();
        lines.push(format!("{} ({})", self.pick("Testes", "Tests"), tests.len()));
        lines.extend(tests.iter().map(|test| format!("  {test}")));
        lines.push(format!("{}  {}  {}", self.pick("Arquivo", "File"), text(&rule["file"]), digest(rule)));
        lines.extend(self.problem(rule));
        lines
    }

    /// What one action shows, why, and what it may do.
    fn action(&self, action: &Value) -> Vec<String> {
        let mut lines = vec![format!(
            "{} {}: {} {}",
            self.pick("Ação", "Action"),
            text(&action["action"]),
            text(&action["plugin"]),
            text(&action["version"])
        )];
        let (basis, words) = (text(&action["basis"]), self.text(&action["basis_words"]));
        let basis = if words.is_empty() { basis.to_owned() } else { format!("{basis} ({words})") };
        let why: Vec<&str> = [self.text(&action["purpose"]), &basis].into_iter().filter(|why| !why.is_empty()).collect();
        if !why.is_empty() {
            lines.push(format!("  {}  {}", self.pick("para", "for "), why.join(", ")));
        }
        if !action["consent"].is_null() {
            lines.push(format!("        {}", self.text(&action["consent"]["words"])));
        }
        lines.push(format!("  {}  {}", self.pick("trata", "takes"), self.treats(text(&action["class"]))));
        for field in items(&action["fields"]) {
            let made = field["as"].as_str().map(|made| format!("  as {made}")).unwrap_or_default();
            let record = field["record"].as_str().map(|record| format!("{record} ")).unwrap_or_default();
            lines.push(format!(
                "  {:<4}  {:<12} {:<9}  {}  {record}{}{made}{}",
                self.pick("vê", "sees"),
                text(&field["name"]),
                self.class(text(&field["class"])),
                self.text(&field["words"]),
                text(&field["path"]),
                self.class_from(field),
            ));
        }
        lines.extend(
            items(&action["grants"]).iter().map(|grant| format!("  {}  {}", self.pick("pode", "may "), self.text(&grant["words"]))),
        );
        lines
    }

    /// How delicate the most delicate is that reaches an action.
    fn treats(&self, class: &str) -> &'static str {
        match class {
            "public" => self.pick("nada sobre pessoas", "nothing about people"),
            "personal" => self.pick("dados pessoais", "personal data"),
            _ => self.pick("dados sensíveis", "sensitive data"),
        }
    }

    /// Who says how delicate a field is, where that is not its source.
    fn class_from(&self, field: &Value) -> String {
        let from = &field["class_from"];
        match from["action"]["action"].as_str() {
            Some(action) => format!("  {} {}/{action}", self.pick("de", "from"), text(&from["action"]["rule"])),
            None if from == "nobody" => format!("  {}", self.pick("ninguém classificou", "nobody classified it")),
            None => String::new(),
        }
    }

    fn class(&self, class: &str) -> &'static str {
        match class {
            "public" => self.pick("público", "public"),
            "personal" => self.pick("pessoal", "personal"),
            _ => self.pick("sensível", "sensitive"),
        }
    }

    /// What may be chosen: its type, limits and default.
    fn setting(&self, setting: &Value) -> String {
        let bound = |name: &str, sign: &str| (!setting[name].is_null()).then(|| format!("{sign} {}", setting[name]));
        let values: Vec<&str> = items(&setting["values"]).iter().map(text).collect();
        let values = (!values.is_empty()).then(|| values.join(" | "));
        let limits: Vec<String> = bound("min", ">=").into_iter().chain(bound("max", "<=")).chain(values).collect();
        let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join(", ")) };
        let default = if setting["default"].is_null() {
            self.pick("sem padrão: precisa ser escolhida", "no default: it must be chosen").to_owned()
        } else {
            format!("{} {}", self.pick("padrão", "default"), plain(&setting["default"]))
        };
        format!("  {:<12} {}{limits}, {default}  {}", text(&setting["name"]), text(&setting["type"]), self.text(&setting["label"]))
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn words(list: &Value) -> String {
    items(list).iter().map(text).collect::<Vec<_>>().join(", ")
}

/// A text without quotes; all else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn digest(rule: &Value) -> &str {
    let whole = text(&rule["digest"]);
    whole.get(..DIGEST).unwrap_or(whole)
}

/// Lines of at most [`WIDTH`] characters, broken between words.
fn wrapped(said: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in said.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let lines = wrapped(&format!("{}end\nnext", "wörd ".repeat(40)));
        assert_eq!((lines.len(), lines[2].as_str(), lines[3].as_str()), (4, "end", "next"));
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }
}
