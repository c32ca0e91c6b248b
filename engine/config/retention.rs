//! `[retention]`: how long what is kept, by class, kind and type, and what a law keeps although its person was erased. `[audit]`: who else holds the audit log's heads.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use zelo_core::{SignedDuration, Timestamp};
use zelo_rules::{Class, Classified};
use zelo_store::{Aged, Duties, REFUSED_LIFE, Retention};

/// `[retention]`: what is not named is kept for ever, except deliveries that were refused.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// What is of this class as a whole, of a kind or type that nothing below names. What nobody can tell is sensitive.
    pub sensitive: Option<Span>,
    pub personal: Option<Span>,
    pub public: Option<Span>,
    pub events: Events,
    /// Jobs that ended, with their journals and what their plugins said.
    pub jobs: Option<Span>,
    pub messages: Option<Kept>,
    pub documents: Option<Kept>,
    /// Values that actions keep between runs.
    pub state: Option<Span>,
    /// By type, from when they were last written.
    pub records: BTreeMap<String, Kept>,
    /// Deliveries that were refused: fourteen days at most.
    pub refused: Option<Span>,
}

/// A span for all events, or one for each type, with `default` for the rest.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Events {
    All(Span),
    ByType(BTreeMap<String, Span>),
}

impl Default for Events {
    fn default() -> Self {
        Self::ByType(BTreeMap::new())
    }
}

/// A span, and perhaps the law that asks for it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Kept {
    For(Span),
    ByLaw(ByLaw),
}

/// `{ keep = "5y", duty = "CTN, art. 195" }`: stays for so long although its person was erased.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByLaw {
    pub keep: Span,
    pub duty: String,
}

/// `90d` or `5y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub SignedDuration);

impl Events {
    /// The types that are named, with their spans, those first that are most about a type: the longest, and a name before a beginning; and
    /// the span of all others.
    fn named(&self) -> (Vec<(String, Span)>, Option<Span>) {
        let spans = match self {
            Self::All(span) => return (Vec::new(), Some(*span)),
            Self::ByType(spans) => spans,
        };
        let mut named: Vec<(String, Span)> =
            spans.iter().filter(|(name, _)| *name != "default").map(|(name, span)| (name.clone(), *span)).collect();
        named.sort_by_key(|(name, _)| (Reverse(name.trim_end_matches('*').len()), name.ends_with('*')));
        (named, spans.get("default").copied())
    }
}

/// Whether `pattern`, a name or a beginning and `*`, fits `name`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

impl Kept {
    fn span(&self) -> Span {
        match self {
            Self::For(span) | Self::ByLaw(ByLaw { keep: span, .. }) => *span,
        }
    }

    fn duty(&self) -> Option<&String> {
        match self {
            Self::For(_) => None,
            Self::ByLaw(law) => Some(&law.duty),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A year is never shorter than a law's.
        let years = text.strip_suffix('y').and_then(|years| years.parse::<i64>().ok()).filter(|years| (1..=100).contains(years));
        let span = years.map(|years| SignedDuration::from_hours(years * 366 * 24)).or_else(|| zelo_rules::duration(text));
        let span = span.filter(|span| *span >= SignedDuration::from_hours(24));
        span.map(Self).ok_or_else(|| format!("`{text}` is not how long something is kept; write 90d or 5y, at least one day"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Keep {
    /// Whether everything that was accepted is kept for ever.
    pub fn is_for_ever(&self) -> bool {
        *self == Self::default()
    }

    /// What goes at `now`, of what is `classified` so.
    pub fn at(&self, now: Timestamp, classified: &Classified) -> Retention {
        let before = |span: Span| now.saturating_sub(span.0).unwrap_or(Timestamp::MIN);
        let Classified { events, records, actions } = classified;
        let of_actions = |kind: &str, named: Option<Span>| match named {
            Some(span) => vec![Aged::all(kind, before(span))],
            None => self.by_class(kind, now, actions, Vec::new()),
        };
        let kept = |kept: &Option<Kept>| kept.as_ref().map(Kept::span);
        let of_types = |kind: &str, types: &BTreeMap<String, Class>, named: Vec<(String, Span)>, rest: Option<Span>| {
            let names: Vec<String> = named.iter().map(|(name, _)| name.clone()).collect();
            // What a name before this one is about goes by that.
            let aged = |(place, (name, span)): (usize, &(String, Span))| Aged {
                only: Some(vec![name.clone()]),
                except: names.iter().take(place).filter(|other| fits(name, other)).cloned().collect(),
                ..Aged::all(&format!("{kind}.{name}"), before(*span))
            };
            let mut all: Vec<Aged> = named.iter().enumerate().map(aged).collect();
            let named = names;
            match rest {
                Some(span) => all.push(Aged { except: named, ..Aged::all(kind, before(span)) }),
                None => all.extend(self.by_class(kind, now, types, named)),
            }
            all
        };
        let (named, rest) = self.events.named();
        let named_records = self.records.iter().map(|(kind, kept)| (kind.clone(), kept.span())).collect();
        Retention {
            events: of_types("events", events, named, rest),
            jobs: of_actions("jobs", self.jobs),
            messages: of_actions("messages", kept(&self.messages)),
            documents: of_actions("documents", kept(&self.documents)),
            state: of_actions("state", self.state),
            records: of_types("records", records, named_records, None),
            refused: vec![Aged::all("refused", before(Span(self.refused.map_or(REFUSED_LIFE, |span| span.0.min(REFUSED_LIFE)))))],
        }
    }

    /// What goes of a `kind` by the class of its `types`, except of those that are `named` by themselves.
    fn by_class(&self, kind: &str, now: Timestamp, types: &BTreeMap<String, Class>, named: Vec<String>) -> Vec<Aged> {
        let is_named = |name: &str| named.iter().any(|pattern| fits(pattern, name));
        let of = |class: Class| types.iter().filter(move |(_, of)| **of == class).map(|(name, _)| name.clone());
        let spans = [(Class::Public, self.public), (Class::Personal, self.personal), (Class::Sensitive, self.sensitive)];
        let spans = spans.into_iter().filter_map(|(class, span)| Some((class, now.saturating_sub(span?.0).unwrap_or(Timestamp::MIN))));
        let aged = spans.map(|(class, before)| {
            let all = Aged::all(&format!("{kind} ({})", class.as_str()), before);
            match class {
                // What is in no list is sensitive too.
                Class::Sensitive => Aged {
                    except: {
                        let others = of(Class::Public).chain(of(Class::Personal)).filter(|name| !is_named(name));
                        named.iter().cloned().chain(others).collect()
                    },
                    ..all
                },
                Class::Public | Class::Personal => Aged { only: Some(of(class).filter(|name| !is_named(name)).collect()), ..all },
            }
        });
        aged.collect()
    }

    /// What stays of who is erased.
    pub fn duties(&self) -> Duties {
        let duty = |kept: &Option<Kept>| kept.as_ref().and_then(Kept::duty).cloned();
        let records = self.records.iter().filter_map(|(kind, kept)| Some((kind.clone(), kept.duty()?.clone())));
        Duties { documents: duty(&self.documents), messages: duty(&self.messages), records: records.collect() }
    }
}

/// `[audit]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// A file that signed heads are added to, one JSON object a line: on another disk, or one that is copied elsewhere.
    pub file: Option<PathBuf>,
    /// An address that signed heads are sent to.
    pub webhook: Option<String>,
    /// How long entries are kept. Nothing: for ever.
    pub keep: Option<Span>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(text: &str) -> Result<Keep, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_kept_for_how_long_is_read() {
        let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
        let types = ["appointment.created", "clinic.created", "clinic.updated"].map(|kind| (kind.to_owned(), Class::Sensitive));
        let types = Classified { events: types.into(), ..Classified::default() };
        let kept = keep(concat!(
            "jobs = \"30d\"\ndocuments = { keep = \"1y\", duty = \"CTN, art. 195\" }\n",
            "[events]\ndefault = \"90d\"\n\"clinic.*\" = \"2d\"\n\"clinic.created\" = \"1d\"\n[records]\npatient = \"2d\"\n"
        ))
        .unwrap();
        let found = kept.at(now, &types);
        let all = |name: &str, before: &str| Aged::all(name, before.parse().unwrap());
        let one = |name: &str, before: &str| Aged { only: Some(vec![name.split_once('.').unwrap().1.into()]), ..all(name, before) };
        assert_eq!(found.jobs, [all("jobs", "2026-06-01T00:00:00Z")]);
        let except = vec!["clinic.created".to_owned(), "clinic.*".to_owned()];
        assert_eq!(
            found.events,
            [
                one("events.clinic.created", "2026-06-30T00:00:00Z"),
                Aged { except: vec!["clinic.created".into()], ..one("events.clinic.*", "2026-06-29T00:00:00Z") },
                Aged { except, ..all("events", "2026-04-02T00:00:00Z") },
            ]
        );
        assert_eq!((found.messages, found.state, found.documents), (vec![], vec![], vec![all("documents", "2025-06-30T00:00:00Z")]));
        assert_eq!(found.records, [one("records.patient", "2026-06-29T00:00:00Z")]);
        assert_eq!(kept.duties(), Duties { documents: Some("CTN, art. 195".into()), ..Duties::default() });
        let both = keep("[events]\n\"clinic.patient\" = \"10d\"\n\"clinic.patient*\" = \"3d\"\n").unwrap().at(now, &types);
        assert_eq!(both.events[0].only, Some(vec!["clinic.patient".to_owned()]));
        assert_eq!(both.events[1].except, ["clinic.patient"], "a name goes before a beginning");
        assert_eq!(keep("events = \"1d\"").unwrap().at(now, &types).events, [all("events", "2026-06-30T00:00:00Z")]);
        assert!(keep("").unwrap().is_for_ever() && !kept.is_for_ever());
        for (text, before) in [("", "2026-06-17"), ("refused = \"5y\"", "2026-06-17"), ("refused = \"2d\"", "2026-06-29")] {
            let before = format!("{before}T00:00:00Z");
            assert_eq!(keep(text).unwrap().at(now, &types).refused, [all("refused", &before)], "never longer than fourteen days: {text}");
        }
    }

    #[test]
    fn what_nothing_names_goes_by_its_class() {
        let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
        let of = |all: &[(&str, Class)]| all.iter().map(|(name, class)| ((*name).to_owned(), *class)).collect::<BTreeMap<_, _>>();
        let classified = Classified {
            events: of(&[("service.created", Class::Public), ("user.created", Class::Personal), ("attendance.finished", Class::Sensitive)]),
            records: of(&[("user", Class::Personal), ("patient", Class::Sensitive), ("contact", Class::Personal)]),
            actions: of(&[("welcome/greet", Class::Personal), ("receipt/issue", Class::Sensitive)]),
        };
        let kept = keep("sensitive = \"10d\"\npersonal = \"30d\"\ndocuments = \"5y\"\n[records]\nuser = \"2d\"\n").unwrap();
        let found = kept.at(now, &classified);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let aged = |name: &str, days: i64, only: Option<&[&str]>, except: &[&str]| Aged {
            only: only.map(names),
            except: names(except),
            ..Aged::all(name, now - SignedDuration::from_hours(24 * days))
        };
        assert_eq!(
            found.events,
            [
                aged("events (personal)", 30, Some(&["user.created"]), &[]),
                aged("events (sensitive)", 10, None, &["service.created", "user.created"]),
            ],
            "what is public stays, and what is of an unknown type is sensitive"
        );
        assert_eq!(
            found.records,
            [
                aged("records.user", 2, Some(&["user"]), &[]),
                aged("records (personal)", 30, Some(&["contact"]), &[]),
                aged("records (sensitive)", 10, None, &["user", "contact"]),
            ]
        );
        assert_eq!(found.documents.len(), 1, "named");
        let of_actions = |kind: &str| {
            [
                aged(&format!("{kind} (personal)"), 30, Some(&["welcome/greet"]), &[]),
                aged(&format!("{kind} (sensitive)"), 10, None, &["welcome/greet"]),
            ]
        };
        assert_eq!(
            (found.jobs, found.messages, found.state),
            (of_actions("jobs").into(), of_actions("messages").into(), of_actions("state").into())
        );
    }

    #[test]
    fn a_mistake_deletes_nothing() {
        for bad in [
            "jobs = \"1h\"",
            "jobs = \"0d\"",
            "jobs = \"-3d\"",
            "jobs = 30",
            "job = \"3d\"",
            "documents = { keep = \"1y\" }",
            "jobs = \"999y\"",
        ] {
            assert!(keep(bad).is_err(), "{bad}");
        }
    }
}
