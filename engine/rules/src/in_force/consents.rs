//! What an event says about the consent of the people it is about.

use std::cell::OnceCell;

use serde_json::Value;
use zelo_core::Event;

use super::InForce;
use crate::condition::{Circumstances, Condition, Documents};
use crate::facts::Facts;
use crate::path::{Nodes, Path};
use crate::source::{ConsentMapping, Source};

impl InForce {
    /// The topics that `event` gives (true) or takes (false) consent to, for the people it is about, as its source says it. Each topic
    /// stands once; where both hold, it is taken.
    ///
    /// Depends on nothing else, and costs nothing where the source has no `[[consents]]` about such events.
    pub fn consents(&self, event: &Event) -> Vec<(String, bool)> {
        if self.consents_about(event).next().is_none() {
            return Vec::new();
        }
        self.consents_of(event, &self.facts(event))
    }

    /// The same as [`InForce::consents`], of what the event says.
    pub fn consents_of(&self, event: &Event, facts: &Facts<'_>) -> Vec<(String, bool)> {
        let mut said: Vec<(String, bool)> = Vec::new();
        for (source, consent) in self.consents_about(event) {
            let delivery = Delivered { facts, event, source, circumstances: OnceCell::new() };
            let holds = |condition: &Option<Condition>| condition.as_ref().is_some_and(|condition| condition.holds(&delivery));
            let given = match (holds(&consent.withdrawn), holds(&consent.given)) {
                (true, _) => false,
                (false, true) => true,
                (false, false) => continue,
            };
            match said.iter_mut().find(|(topic, _)| *topic == consent.topic) {
                Some((_, before)) => *before &= given,
                None => said.push((consent.topic.clone(), given)),
            }
        }
        said
    }

    /// The `[[consents]]` that ask such events. What a plugin emitted is no word of the person's.
    fn consents_about<'f>(&'f self, event: &'f Event) -> impl Iterator<Item = (&'f Source, &'f ConsentMapping)> {
        let source = self.rules.source(&event.source).filter(|source| !source.consents.is_empty() && event.cause.is_none());
        let all = source.into_iter().flat_map(|source| source.consents.iter().map(move |consent| (source, consent)));
        all.filter(|(_, consent)| consent.on.contains(&event.kind))
    }
}

/// An event as its source sees it.
struct Delivered<'e> {
    facts: &'e Facts<'e>,
    event: &'e Event,
    source: &'e Source,
    /// Few conditions ask for them.
    circumstances: OnceCell<Circumstances<'e>>,
}

impl Documents for Delivered<'_> {
    fn event(&self, path: &Path) -> Nodes<'_> {
        self.facts.nodes(path)
    }

    fn record(&self, _: &str) -> Option<&Value> {
        None
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        self.circumstances.get_or_init(|| Circumstances {
            time: self.event.order(),
            zone: self.source.timezone.clone(),
            clinic_zone: self.source.clinic_timezone.clone(),
            changes: self.source.changes(&self.event.kind),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::rule::{PluginFacts, Plugins};
    use crate::{FileText, Files, load};

    struct Nothing;

    impl Plugins for Nothing {
        fn plugin(&self, _: &str) -> Option<PluginFacts> {
            None
        }

        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn what_consents_ask_is_walked_in_the_bytes() {
        let text = "id = \"s\"\n[receive]\nverify = { kind = \"token\", header = \"x\" }\n[[events]]\ntype = \"message.received\"\n\
                    [[consents]]\ntopic = \"news\"\non = \"message.received\"\n\
                    withdrawn = { path = \"$.a\", equals = { path = \"$.list[*].b\" } }\ngiven = { not = { path = \"$.c\", exists = true } }\n";
        let sources = vec![FileText { name: "s.toml".to_owned(), text: text.to_owned() }];
        let set = load(&Files { sources, rules: vec![], samples: vec![] }, &Nothing).set.unwrap();
        let asked = set.index().asked();
        for path in ["$.a", "$.list[*].b", "$.c"] {
            assert!(asked.slot_of(&crate::Path::parse(path).unwrap()).is_some(), "{path}");
        }
    }
}
