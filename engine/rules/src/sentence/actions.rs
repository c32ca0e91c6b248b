//! What is done: the doing of a plugin, to whom, with what is fixed.

use std::collections::BTreeSet;

use zelo_core::http::HttpGrant;

use super::speaker::Speaker;
use super::words::{capital, inner, list, quoted, value};
use crate::condition::{Condition, Spot};
use crate::rule::{Action, Consent, Input, MessageGrant};
use crate::template::Template;
use crate::text::Text;

impl Speaker<'_> {
    /// A rule's only action, with all that holds for it.
    pub(super) fn whole(&self, action: &Action) -> String {
        let types = action.on.as_ref().unwrap_or(&self.rule.on);
        let conditions: Vec<&Condition> = self.rule.when.iter().chain(&action.when).collect();
        self.sentence(&self.when(types, &conditions), action)
    }

    /// What holds for all actions: the events, unless actions take their own, and the rule's condition.
    pub(super) fn lead(&self) -> String {
        let conditions: Vec<&Condition> = self.rule.when.iter().collect();
        if !self.is_split() {
            return format!("{}:", self.when(&self.rule.on, &conditions));
        }
        match self.all(&conditions) {
            Some(condition) => format!("{} {condition}:", self.pick("se", "if")),
            None => self.pick("faz o seguinte:", "does the following:").to_owned(),
        }
    }

    /// One of several actions, under the lead.
    pub(super) fn step(&self, action: &Action) -> String {
        let own: Vec<&Condition> = action.when.iter().collect();
        let when = match (self.is_split(), self.all(&own)) {
            (true, _) => self.when(action.on.as_ref().unwrap_or(&self.rule.on), &own),
            (false, Some(condition)) => format!("{} {condition}", self.pick("se", "if")),
            (false, None) => String::new(),
        };
        self.sentence(&when, action)
    }

    /// Whether some action is for some of the rule's events only.
    fn is_split(&self) -> bool {
        self.rule.actions.iter().any(|action| action.on.is_some())
    }

    /// `quando um agendamento é criado e o título está informado`
    fn when(&self, types: &std::collections::BTreeSet<String>, conditions: &[&Condition]) -> String {
        let (events, several) = self.happens(types);
        let when = format!("{} {events}", self.pick("quando", "when"));
        match self.all(conditions) {
            None => when,
            Some(condition) if several => format!("{when}, {} {condition}", self.pick("e", "and")),
            Some(condition) => format!("{when} {} {condition}", self.pick("e", "and")),
        }
    }

    fn sentence(&self, when: &str, action: &Action) -> String {
        let mut parts: Vec<String> = Vec::new();
        parts.extend((!when.is_empty()).then(|| when.to_owned()));
        parts.extend(self.needs(action));
        parts.extend(self.times(action));
        parts.push(self.doing(action));
        let mut sentences = vec![format!("{}.", parts.join(", "))];
        sentences.extend(self.limits(action));
        sentences.extend(action.consent.as_ref().map(|consent| format!("{}.", capital(&self.heeds(consent)))));
        capital(&sentences.join(" "))
    }

    /// For whom it is done, by their own word.
    pub(super) fn heeds(&self, consent: &Consent) -> String {
        let whom = match consent.needed {
            true => self.pick("só é feito para quem consentiu com", "only done for who has given consent to"),
            false => self.pick("não é feito para quem retirou o consentimento para", "not done for who has withdrawn consent to"),
        };
        // The topic of the rules that ship; others are the words of who wrote them.
        let topic = match consent.topic.as_str() {
            "messages" => self.pick("mensagens", "messages").to_owned(),
            topic => quoted(topic),
        };
        format!("{whom} {topic}")
    }

    /// The actions that come before it, by their numbers.
    fn needs(&self, action: &Action) -> Option<String> {
        let number = |name: &String| self.rule.actions.iter().position(|other| other.name == *name).map(|place| (place + 1).to_string());
        let numbers: Vec<String> = action.needs.iter().filter_map(number).collect();
        let after = match numbers.len() {
            0 => return None,
            1 => self.pick("depois do item", "after item"),
            _ => self.pick("depois dos itens", "after items"),
        };
        Some(format!("{after} {}", list(&numbers, self.pick("e", "and"))))
    }

    fn doing(&self, action: &Action) -> String {
        let words = &action.plugin.words;
        let does = words.does.as_ref().and_then(|does| does.get(self.locale)).map(|does| inner(does));
        let granted = &action.grant;
        let only_messages = granted.http.is_empty() && !granted.documents && granted.records.is_empty() && granted.events.is_empty();
        let done = match (&granted.messages, does) {
            (Some(messages), _) if only_messages => self.sends(messages, action),
            (Some(messages), Some(does)) => format!("{does}, {} {}", self.pick("e", "and"), self.sends(messages, action)),
            (None, Some(does)) => does,
            (_, None) => format!("{} {}", self.pick("executa o plugin", "runs the plugin"), quoted(&action.plugin.name)),
        };
        let done = match self.requests(&granted.http) {
            Some(requests) => format!("{done}, {} {requests}", self.pick("e", "and")),
            None => done,
        };
        let title = words.title.as_ref().and_then(|title| title.get(self.locale)).filter(|title| !done.contains(&title.to_lowercase()));
        let title = title.filter(|_| only_messages && granted.messages.is_some()).cloned();
        let notes: Vec<String> = title.into_iter().chain(self.fixed(action)).collect();
        if notes.is_empty() { done } else { format!("{done} ({})", notes.join("; ")) }
    }

    /// Requests, and to whom.
    pub(super) fn requests(&self, grants: &[HttpGrant]) -> Option<String> {
        let hosts: BTreeSet<String> = grants.iter().map(|grant| grant.request.host()).collect();
        let hosts: Vec<String> = hosts.into_iter().map(|host| self.with("a", "to", &host)).collect();
        let sends = self.pick("faz pedidos pela internet", "makes requests over the internet");
        (!hosts.is_empty()).then(|| format!("{sends} {}", list(&hosts, self.pick("e", "and"))))
    }

    /// A message, to whom, through what.
    pub(super) fn sends(&self, grant: &MessageGrant, action: &Action) -> String {
        let to: Vec<String> = grant.to.iter().map(|to| self.with("a", "to", &self.filled(to, action))).collect();
        let channels: Vec<String> = grant.channels.iter().map(|channel| self.channel(channel)).collect();
        let otherwise = self.pick("ou, se não houver,", "or, where there is none,");
        let through = match channels.as_slice() {
            [first @ .., last] if !first.is_empty() => format!(" {} {otherwise} {last}", first.join(", ")),
            [only] => format!(" {only}"),
            _ => String::new(),
        };
        format!("{} {}{through}", self.pick("envia uma mensagem", "sends a message"), list(&to, self.pick("ou", "or")))
    }

    fn channel(&self, name: &str) -> String {
        let known = match name {
            "whatsapp" => Some(("pelo WhatsApp", "by WhatsApp")),
            "mail" | "email" => Some(("por e-mail", "by e-mail")),
            "sms" => Some(("por SMS", "by SMS")),
            "outbox" => Some(("pela caixa de saída", "through the outbox")),
            _ => None,
        };
        match known {
            Some((portuguese, english)) => self.pick(portuguese, english).to_owned(),
            None => format!("{} {}", self.pick("pelo canal", "through the channel"), quoted(name)),
        }
    }

    /// What a template of an action gives: a field, a setting, what a step gave, or its text.
    pub(super) fn filled(&self, template: &Template, action: &Action) -> String {
        let Some(only) = template.only() else { return quoted(template.text()) };
        let mut parts = only.split('.');
        match (parts.next().unwrap_or_default(), parts.next()) {
            ("settings", Some(name)) => self.settings.get(name).map_or_else(|| self.setting(name), |chosen| value(self.language, chosen)),
            ("steps", Some(step)) => {
                let place = self.rule.actions.iter().position(|other| other.name == step).map_or(0, |place| place + 1);
                self.pick(format!("o que o item {place} informa"), format!("what item {place} gives"))
            }
            (name, _) => match action.allow.iter().find(|field| field.name == name) {
                Some(field) => self.noun(&Spot { record: field.record.clone(), path: field.path.clone() }).text,
                None => quoted(template.text()),
            },
        }
    }

    /// The inputs that are always the same, and have a word for it: `etapa: “agendado”`.
    fn fixed(&self, action: &Action) -> Vec<String> {
        let told = action.with.iter().filter_map(|(name, input)| {
            let fixed = match input {
                Input::Template(text) => {
                    serde_json::Value::String(text.get(self.locale).filter(|text| text.names().is_empty())?.text().to_owned())
                }
                Input::Literal(literal) => literal.clone(),
                Input::List(_) | Input::Object(_) => return None,
            };
            let property = action.plugin.inputs.get("properties").and_then(|all| all.get(name));
            let label = property.and_then(|property| told_text(property.get("label")?)).and_then(|label| label.get(self.locale).cloned());
            let word = property.zip(fixed.as_str()).and_then(|(property, word)| told_text(property.get("words")?.get(word)?));
            let word = word.and_then(|word| word.get(self.locale).map(|word| quoted(word)));
            Some(format!("{}: {}", label.unwrap_or_else(|| name.clone()), word.unwrap_or_else(|| value(self.language, &fixed))))
        });
        told.collect()
    }
}

/// A text for people in a plugin's schema: one, or one by language.
fn told_text(value: &serde_json::Value) -> Option<Text> {
    match value {
        serde_json::Value::String(text) => Some(Text::Same(text.clone())),
        serde_json::Value::Object(each) => {
            let each = each.iter().filter_map(|(locale, text)| Some((locale.clone(), text.as_str()?.to_owned())));
            Some(Text::Each(each.collect())).filter(|text| text.values().next().is_some())
        }
        _ => None,
    }
}
