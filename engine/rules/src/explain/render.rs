//! An explanation as text for a terminal.

use std::fmt::Write as _;

use super::{ActionTold, Explanation, JobTold, Outcome, RuleTold};
use crate::condition::{ClauseTold, Language, Seen, Told};
use crate::source::Class;

impl Explanation {
    /// The explanation as text, in its language: rules that fire first.
    pub fn render(&self) -> String {
        let language = Language::of(self.language);
        let mut out = String::new();
        let event = &self.event;
        let head = [event.id.as_deref(), Some(&event.kind), Some(&event.source), Some(&event.connection), event.clinic.as_deref()];
        let head = head.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        // Writing to a `String` cannot fail.
        let _ = writeln!(out, "{head} · {}", event.time);
        let rank = |rule: &&RuleTold| match rule.outcome {
            Outcome::Fires => 0,
            Outcome::Cancels => 1,
            Outcome::Silent if rule.when.is_some() || !rule.actions.is_empty() => 2,
            Outcome::Silent => 3,
        };
        let mut rules: Vec<&RuleTold> = self.rules.iter().collect();
        rules.sort_by_key(rank);
        for rule in rules {
            let _ = rule.render(&mut out, language);
        }
        out
    }
}

fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Fires => "✓",
        Outcome::Cancels => "−",
        Outcome::Silent => "✗",
    }
}

fn tick(holds: bool) -> &'static str {
    if holds { "✓" } else { "✗" }
}

impl RuleTold {
    fn render(&self, out: &mut String, language: Language) -> std::fmt::Result {
        let name = self.automation.as_ref().map_or(&self.rule, |automation| &automation.0);
        if self.when.is_none() && self.actions.is_empty() {
            return writeln!(out, "\n{} {name} · {}: {}", mark(self.outcome), self.title, self.why.as_deref().unwrap_or_default());
        }
        writeln!(out, "\n{} {name} · {}", mark(self.outcome), self.title)?;
        if let Some(why) = &self.why {
            writeln!(out, "  {}: {why}", language.pick("não dispara", "does not fire"))?;
        }
        if let Some(when) = &self.when {
            writeln!(out, "  {}", language.pick("quando", "when"))?;
            when.render(out, 2, language)?;
        }
        let (told, others): (Vec<&ActionTold>, Vec<_>) =
            self.actions.iter().partition(|action| action.about || action.outcome != Outcome::Silent);
        told.iter().try_for_each(|action| action.render(out, self.why.as_deref(), language))?;
        let others: Vec<&str> = others.iter().map(|action| action.action.as_str()).collect();
        if !others.is_empty() {
            writeln!(out, "  {} {}", language.pick("ações de outros eventos:", "actions of other events:"), others.join(", "))?;
        }
        Ok(())
    }
}

impl ActionTold {
    /// `said` is what was said of the whole rule.
    fn render(&self, out: &mut String, said: Option<&str>, language: Language) -> std::fmt::Result {
        write!(out, "  {} {} ({})", mark(self.outcome), self.action, self.plugin)?;
        match self.outcome {
            Outcome::Fires => {}
            Outcome::Cancels => {
                write!(out, ": {}", language.pick("cancela o que está pendente", "cancels what is pending"))?;
                if let Some(why) = self.why.as_deref().filter(|why| Some(*why) != said) {
                    write!(out, " ({why})")?;
                }
            }
            Outcome::Silent => {
                if let Some(why) = self.why.as_deref().filter(|why| Some(*why) != said) {
                    write!(out, ": {why}")?;
                }
            }
        }
        writeln!(out)?;
        if let Some(when) = &self.when {
            writeln!(out, "    {}", language.pick("quando", "when"))?;
            when.render(out, 3, language)?;
        }
        if let Some(only_if) = &self.only_if {
            writeln!(out, "    {}", language.pick("ao executar, só se", "when it runs, only if"))?;
            only_if.render(out, 3, language)?;
        }
        self.job.as_ref().map_or(Ok(()), |job| job.render(out, language))
    }
}

impl JobTold {
    fn render(&self, out: &mut String, language: Language) -> std::fmt::Result {
        let state = match self.state {
            "ready" => language.pick("executa já", "runs at once"),
            "scheduled" => language.pick("fica agendada", "is scheduled"),
            "waits" => language.pick("fica agendada e espera por um valor,", "is scheduled and waits for a value,"),
            "skipped" => language.pick("é pulada", "is skipped"),
            _ => language.pick("falha", "fails"),
        };
        write!(out, "    → {state}")?;
        if let Some(due) = self.due.filter(|_| self.state != "ready") {
            write!(out, " {} {due}", language.pick("para", "for"))?;
        }
        if let Some(expires) = self.expires {
            write!(out, ", {} {expires}", language.pick("expira em", "expires at"))?;
        }
        if let Some(reason) = &self.reason {
            write!(out, ": {}", reason.text)?;
        }
        if !self.fields.is_empty() {
            write!(out, "; {} {}", language.pick("mostra ao plugin:", "shows the plugin:"), self.fields.join(", "))?;
        }
        writeln!(out)?;
        self.provided.iter().try_for_each(|provided| writeln!(out, "      {provided}"))
    }
}

impl Told {
    fn render(&self, out: &mut String, depth: usize, language: Language) -> std::fmt::Result {
        let indent = "  ".repeat(depth);
        match self {
            Self::All { parts, .. } if depth <= 3 && parts.len() == 1 => {
                parts.iter().try_for_each(|part| part.render(out, depth, language))
            }
            Self::All { holds, parts } => {
                writeln!(out, "{indent}{} {}", tick(*holds), language.pick("tudo isto", "all of"))?;
                parts.iter().try_for_each(|part| part.render(out, depth + 1, language))
            }
            Self::Any { holds, parts } => {
                writeln!(out, "{indent}{} {}", tick(*holds), language.pick("algum destes", "any of"))?;
                parts.iter().try_for_each(|part| part.render(out, depth + 1, language))
            }
            Self::Not { holds, part } => {
                writeln!(out, "{indent}{} {}", tick(*holds), language.pick("não", "not"))?;
                part.render(out, depth + 1, language)
            }
            Self::Clause(clause) => clause.render(out, &indent, language),
        }
    }
}

impl ClauseTold {
    fn render(&self, out: &mut String, indent: &str, language: Language) -> std::fmt::Result {
        write!(out, "{indent}{} ", tick(self.holds))?;
        if let Some(record) = &self.record {
            write!(out, "{record} ")?;
        }
        write!(out, "{}", self.path)?;
        if self.every {
            write!(out, " every")?;
        }
        if let Some(convert) = self.convert {
            write!(out, " as {convert}")?;
        }
        write!(out, " {} {}", self.operator, self.right)?;
        write!(out, "   {} {}", language.pick("visto:", "seen:"), seen(&self.seen, self.more, language))?;
        if !self.against.is_empty() {
            write!(out, " {} {}", language.pick("contra", "against"), seen(&self.against, 0, language))?;
        }
        if let Some(why) = self.why.as_ref().filter(|_| self.decisive) {
            write!(out, "   ← {why}")?;
        }
        writeln!(out)
    }
}

fn seen(seen: &[Seen], more: usize, language: Language) -> String {
    if seen.is_empty() {
        return language.pick("nada", "nothing").to_owned();
    }
    let mut values: Vec<String> = seen.iter().map(|seen| value(seen, language)).collect();
    if more > 0 {
        values.push(format!("+{more}"));
    }
    values.join(", ")
}

fn value(seen: &Seen, language: Language) -> String {
    match seen {
        Seen::Shown { value } => value.to_string(),
        Seen::Redacted { kind: "null", .. } => language.pick("nulo", "null").to_owned(),
        Seen::Redacted { redacted, kind } => {
            let kind = match *kind {
                "string" => language.pick("texto", "text"),
                "number" => language.pick("número", "number"),
                "boolean" => language.pick("sim/não", "true/false"),
                "array" => language.pick("lista", "list"),
                "object" => language.pick("objeto", "object"),
                _ => language.pick("nulo", "null"),
            };
            let class = match redacted {
                Class::Public => language.pick("público", "public"),
                Class::Personal => language.pick("pessoal", "personal"),
                Class::Sensitive => language.pick("sensível", "sensitive"),
            };
            format!("‹{kind} {class}›")
        }
    }
}
