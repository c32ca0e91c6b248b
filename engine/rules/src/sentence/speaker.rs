//! Who tells one rule in one language: it knows how the rule's things are called.

use serde_json::{Map, Value};

use super::words::{Form, Noun, drawn, quoted, value};
use crate::condition::{Condition, Language, Right, Spot};
use crate::load::RuleSet;
use crate::path::Path;
use crate::rule::Rule;
use crate::source::{RecordMapping, Source};
use crate::template::Template;
use crate::text::Text;

/// One rule, one language.
pub(crate) struct Speaker<'s> {
    pub(super) rules: &'s RuleSet,
    pub(super) rule: &'s Rule,
    pub(super) language: Language,
    pub(super) locale: &'s str,
    /// As chosen, else defaults; what has neither is absent.
    pub(super) settings: Map<String, Value>,
}

impl<'s> Speaker<'s> {
    pub(crate) fn new(rules: &'s RuleSet, rule: &'s Rule, chosen: &Map<String, Value>, locale: &'s str) -> Self {
        let value = |name: &String, default: Option<&Value>| chosen.get(name).or(default).cloned();
        let settings = rule.settings.iter().filter_map(|setting| {
            let value = value(&setting.name, setting.default.as_ref())?;
            Some((setting.name.clone(), value))
        });
        Self { rules, rule, language: Language::of(locale), locale, settings: settings.collect() }
    }

    /// One of two texts.
    pub(super) fn pick<T>(&self, portuguese: T, english: T) -> T {
        self.language.pick(portuguese, english)
    }

    /// A Portuguese preposition with its noun, or an English one.
    pub(super) fn with(&self, portuguese: &str, english: &str, noun: &str) -> String {
        match self.language {
            Language::Portuguese => drawn(portuguese, noun),
            Language::English => format!("{english} {noun}"),
        }
    }

    /// The sources whose events the rule is about; of one that is about what plugins emit, all.
    pub(super) fn sources(&self) -> impl Iterator<Item = &'s Source> + use<'s> {
        let (rules, rule) = (self.rules, self.rule);
        let reads = move |source: &&Source| {
            let types = rule.types();
            source.types().any(|kind| types.contains(kind))
        };
        let any = rules.sources().any(|source| reads(&source));
        let named = rules.sources().filter(move |source| rule.source.as_ref().is_none_or(|id| *id == source.id));
        named.filter(move |source| !any || reads(source))
    }

    /// The condition under the settings; as it stands where they do not fill it.
    pub(super) fn bound(&self, condition: &Condition) -> Condition {
        condition.bound(&self.settings, self.rules.templates()).unwrap_or_else(|_| condition.clone())
    }

    /// What stands at a spot, as people call it.
    pub(super) fn noun(&self, spot: &Spot) -> Noun {
        self.noun_at(spot.record.as_deref(), &spot.path)
    }

    /// What stands at `path` in the event, or in the record of a lookup.
    pub(super) fn noun_at(&self, record: Option<&str>, path: &Path) -> Noun {
        let Some(lookup) = record else {
            let known = self.sources().find_map(|source| source.words.of(path));
            return known.map_or_else(|| self.unnamed(path), |text| self.named(text));
        };
        let found = self.rule.lookups.iter().find(|known| known.name == lookup);
        let kind = found.map_or(lookup, |lookup| lookup.record.as_str());
        let mappings = || self.sources().flat_map(|source| source.records.iter().map(move |record| (source, record)));
        let mappings = || mappings().filter(|(_, record)| record.kind == kind);
        if let Some(text) = mappings().find_map(|(_, record)| record.words.of(path)) {
            return self.named(text);
        }
        let fed = |(source, record): (&'s Source, &'s RecordMapping)| {
            let field = path.is_singular().then(|| path.name_at(0)).flatten()?;
            // The field alone, and nothing below it.
            (path.prefix().len() == 1).then_some(())?;
            source.words.of(record.keep.get(&field)?)
        };
        let field = mappings().find_map(fed).map_or_else(|| self.unnamed(path), |text| self.named(text));
        let of = self.record(kind);
        Noun { text: format!("{} {}", field.text, self.with("de", "of", &of.text)), form: field.form }
    }

    /// A type of records, as people call one of them.
    pub(super) fn record(&self, kind: &str) -> Noun {
        let known = self.sources().flat_map(|source| &source.records).filter(|record| record.kind == kind);
        let title = known.filter_map(|record| record.title.as_ref()).next();
        title.map_or_else(
            || Noun { text: format!("{} {}", self.pick("o registro", "the record"), quoted(kind)), form: Form::default() },
            |text| self.named(text),
        )
    }

    fn named(&self, text: &Text) -> Noun {
        let portuguese = text.get("pt-BR").map(String::as_str).unwrap_or_default();
        let said = text.get(self.locale).map(|text| text.trim().to_owned()).unwrap_or_default();
        Noun { text: said, form: Form::of(portuguese.trim()) }
    }

    /// What nobody has a word for.
    fn unnamed(&self, path: &Path) -> Noun {
        let plural = !path.is_singular();
        let what = match plural {
            true => self.pick("os valores em", "the values at"),
            false => self.pick("o valor em", "the value at"),
        };
        Noun { text: format!("{what} {}", quoted(path.as_str())), form: Form { feminine: false, plural } }
    }

    /// A setting that nobody chose.
    pub(super) fn setting(&self, name: &str) -> String {
        let found = self.rule.settings.iter().find(|setting| setting.name == name);
        let label = found.and_then(|setting| setting.label.as_ref()?.get(self.locale));
        format!("{} {}", self.pick("a configuração", "the setting"), quoted(label.map_or(name, String::as_str)))
    }

    /// A right side of the clause about `at`.
    pub(super) fn right(&self, right: &Right, at: &Spot) -> String {
        match right {
            Right::Literal(literal) => self.known_value(at, literal).unwrap_or_else(|| value(self.language, literal)),
            Right::At(spot) => self.noun(spot).text,
            Right::Setting(name) => self.setting(name),
            Right::Template(template) => self.unfilled(template),
        }
    }

    /// A text over settings that are not all chosen.
    pub(super) fn unfilled(&self, template: &Template) -> String {
        format!("{} {}", self.pick("o texto", "the text"), quoted(template.text()))
    }

    /// What a source calls a value that stands at a path.
    fn known_value(&self, at: &Spot, literal: &Value) -> Option<String> {
        let text = literal.as_str()?;
        let record = at.record.as_ref().map(|name| {
            let lookup = self.rule.lookups.iter().find(|lookup| lookup.name == *name);
            lookup.map_or(name.as_str(), |lookup| lookup.record.as_str())
        });
        let known = self.sources().find_map(|source| match record {
            None => source.words.value(&at.path, text),
            Some(kind) => {
                let mut records = source.records.iter().filter(|record| record.kind == kind);
                records.find_map(|record| record.words.value(&at.path, text))
            }
        });
        known.and_then(|known| known.get(self.locale)).map(|known| quoted(known))
    }
}
