//! How delicate what reaches each action is, and what care that takes: LGPD articles 7 and 11.
//!
//! What a plugin writes is as delicate as the most delicate that it was shown, so this is found over all rules together: what an
//! action is shown comes from sources, from the steps before it, and from records and events that other actions write, of
//! other rules too. Records and events stay within their connection, so only rules of one source reach each other.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::action::{Action, Places};
use super::{Catalog, Read, Rule, basis};
use crate::diagnostic::{Finding, Report, closest, error, warning};
use crate::path::Path;
use crate::source::{Class, Source};

/// Who says how delicate a field is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassFrom {
    /// The `[classes]` of this source, or those of one of its events.
    Source(String),
    /// Nobody: so it is sensitive.
    Nobody,
    /// This action may have written there what it was shown.
    Action { rule: String, action: String },
}

/// What care a value takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Care {
    #[default]
    None,
    /// A basis of article 7 or 11.
    Personal,
    /// Personal, and known to a health service: a basis of article 11.
    Health,
    /// A basis of article 11.
    Sensitive,
}

impl Care {
    fn of(class: Class, source: &Source) -> Self {
        match class {
            Class::Public => Self::None,
            Class::Personal if source.health => Self::Health,
            Class::Personal => Self::Personal,
            Class::Sensitive => Self::Sensitive,
        }
    }

    fn class(self) -> Class {
        match self {
            Self::None => Class::Public,
            Self::Personal | Self::Health => Class::Personal,
            Self::Sensitive => Class::Sensitive,
        }
    }
}

/// An action, by the place of its rule and its own place in that.
type ActionNo = (usize, usize);

/// Who brought something in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who<'s> {
    Source(&'s str),
    Nobody,
    Action(ActionNo),
}

#[derive(Clone, Copy, Debug)]
struct Found<'s> {
    care: Care,
    who: Who<'s>,
}

impl Found<'_> {
    const NOTHING: Self = Self { care: Care::None, who: Who::Nobody };
    const UNCLASSIFIED: Self = Self { care: Care::Sensitive, who: Who::Nobody };

    /// The one that takes more care; of two that take the same, the first.
    fn or_more(self, other: Self) -> Self {
        if other.care > self.care || self.care == Care::None { other } else { self }
    }
}

/// What actions write, for others of the same source to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Written<'s> {
    Records { source: &'s str, kind: &'s str },
    Events { source: &'s str, kind: &'s str },
}

/// By what something reaches an action.
#[derive(Clone, Copy, Debug)]
enum Way<'s> {
    /// The place of the field.
    Field(usize),
    /// The key of its lookup, which tells which record it is of.
    Key(usize, &'s str),
    Step(&'s str),
    /// It reads the records that it may write.
    Records(&'s str),
}

/// One thing that reaches an action.
struct Inflow<'s> {
    way: Way<'s>,
    /// What is known of it from the sources.
    given: Found<'s>,
    /// What others write there.
    written: Vec<Written<'s>>,
    /// The place of the step.
    step: Option<usize>,
}

/// One action.
struct Reached<'s> {
    inflows: Vec<Inflow<'s>>,
    writes: Vec<Written<'s>>,
    care: Care,
    /// The action that was shown the most delicate of it first: itself, or one whose traces it reads.
    root: ActionNo,
}

/// What became of an action: its care, and what reaches it.
struct Told<'s> {
    care: Care,
    ways: Vec<(Way<'s>, Found<'s>)>,
}

/// The class of an action, and those of its fields with who says so.
type Classified = (Class, Vec<(Class, ClassFrom)>);

/// Finds how delicate the fields of all rules are, and reports what lacks a purpose or a basis.
pub(crate) fn settle(read: &mut [(&Report<'_>, Read)], catalog: &Catalog<'_>) {
    // Where a source has a mistake nothing loads, and what its file leaves unsaid is no mistake of a rule.
    if catalog.incomplete {
        return;
    }
    let topics: Vec<&str> = catalog.sources.values().flat_map(|source| &source.consents).map(|consent| consent.topic.as_str()).collect();
    let rules: Vec<&Rule> = read.iter().map(|(_, read)| &read.rule).collect();
    let told = told(&rules, catalog);
    let name = |(rule, action): ActionNo| {
        let action = rules.get(rule).and_then(|rule| Some((rule.id.clone(), rule.actions.get(action)?.name.clone())));
        action.unwrap_or_default()
    };
    let mut classes: Vec<Vec<Classified>> = Vec::with_capacity(told.len());
    for ((number, (report, read)), told) in read.iter().enumerate().zip(&told) {
        for (place, (action, told)) in read.rule.actions.iter().zip(told).enumerate() {
            if let Some(places) = read.places.get(place) {
                check(report, action, places, told, (number, place), &name);
                check_topic(report, action, places, &topics);
            }
        }
        let actions = read.rule.actions.iter().zip(told);
        classes.push(actions.map(|(action, told)| (told.care.class(), fields(action.allow.len(), told, &name))).collect());
    }
    for ((_, read), classes) in read.iter_mut().zip(classes) {
        for (action, (class, fields)) in read.rule.actions.iter_mut().zip(classes) {
            action.class = class;
            for (field, (class, from)) in action.allow.iter_mut().zip(fields) {
                (field.class, field.class_from) = (class, from);
            }
        }
    }
}

/// The classes of the fields of an action, in their order.
fn fields(fields: usize, told: &Told<'_>, name: &dyn Fn(ActionNo) -> (String, String)) -> Vec<(Class, ClassFrom)> {
    let of = |field: usize| {
        let ways = told.ways.iter().filter(|(way, _)| matches!(way, Way::Field(at) | Way::Key(at, _) if *at == field));
        // Of two that are as delicate as each other, the field itself comes first.
        ways.map(|(_, found)| *found).reduce(|field, key| if key.care > field.care { key } else { field }).unwrap_or(Found::NOTHING)
    };
    let told = (0..fields).map(of).map(|found| {
        let from = match found.who {
            Who::Source(source) => ClassFrom::Source(source.to_owned()),
            Who::Nobody => ClassFrom::Nobody,
            Who::Action(who) => {
                let (rule, action) = name(who);
                ClassFrom::Action { rule, action }
            }
        };
        (found.care.class(), from)
    });
    told.collect()
}

/// What reaches the actions of all rules.
fn told<'s>(rules: &[&'s Rule], catalog: &Catalog<'s>) -> Vec<Vec<Told<'s>>> {
    let reaches: Vec<Reach<'_>> = rules.iter().map(|rule| Reach::new(rule, catalog)).collect();
    let all: HashSet<Written<'_>> =
        rules.iter().zip(&reaches).flat_map(|(rule, reach)| rule.actions.iter().flat_map(|action| reach.writes(action))).collect();
    let mut actions: Vec<Vec<Reached<'_>>> = Vec::with_capacity(rules.len());
    for (number, (rule, reach)) in rules.iter().zip(&reaches).enumerate() {
        let reached = rule.actions.iter().enumerate().map(|(place, action)| Reached {
            inflows: reach.inflows(rule, action, &all, catalog),
            writes: reach.writes(action),
            care: Care::None,
            root: (number, place),
        });
        actions.push(reached.collect());
    }
    let flow = flow(&mut actions);
    let finished = |reached: &Reached<'s>, steps: &[Reached<'s>]| {
        let ways = reached.inflows.iter().map(|inflow| (inflow.way, inflow.found(&flow, steps))).collect();
        Told { care: reached.care, ways }
    };
    actions.iter().map(|steps| steps.iter().map(|reached| finished(reached, steps)).collect()).collect()
}

/// What is written, and by whom first.
type Flow<'s> = HashMap<Written<'s>, Found<'s>>;

/// Lets what actions were shown flow to those that read what they write, until nothing changes any more. It ends: care only
/// grows, and there are few kinds of it.
fn flow<'s>(actions: &mut [Vec<Reached<'s>>]) -> Flow<'s> {
    let mut flow = Flow::new();
    for reached in actions.iter().flatten() {
        for written in &reached.writes {
            flow.entry(*written).or_insert(Found { care: Care::None, who: Who::Action(reached.root) });
        }
    }
    loop {
        let mut changed = false;
        for (number, steps) in actions.iter_mut().enumerate() {
            for place in 0..steps.len() {
                let Some(reached) = steps.get(place) else { continue };
                let found = reached.inflows.iter().map(|inflow| inflow.found(&flow, steps)).fold(Found::NOTHING, Found::or_more);
                if found.care <= reached.care {
                    continue;
                }
                changed = true;
                let root = if let Who::Action(root) = found.who { root } else { (number, place) };
                for written in &reached.writes {
                    let now = Found { care: found.care, who: Who::Action(root) };
                    flow.entry(*written).and_modify(|before| *before = before.or_more(now)).or_insert(now);
                }
                if let Some(reached) = steps.get_mut(place) {
                    (reached.care, reached.root) = (found.care, root);
                }
            }
        }
        if !changed {
            return flow;
        }
    }
}

impl<'s> Inflow<'s> {
    fn nothing(way: Way<'s>) -> Self {
        Self { way, given: Found::NOTHING, written: Vec::new(), step: None }
    }

    /// What it brings, by what is known now.
    fn found(&self, flow: &Flow<'s>, steps: &[Reached<'s>]) -> Found<'s> {
        let written = self.written.iter().filter_map(|written| flow.get(written)).copied();
        let step = self.step.and_then(|step| steps.get(step)).map(|step| Found { care: step.care, who: Who::Action(step.root) });
        written.chain(step).fold(self.given, Found::or_more)
    }
}

/// Where a rule may read and write.
struct Reach<'s> {
    /// The sources whose events it is about.
    givers: Vec<&'s Source>,
    /// The sources on whose connections it may run.
    sources: Vec<&'s Source>,
}

impl<'s> Reach<'s> {
    fn new(rule: &Rule, catalog: &Catalog<'s>) -> Self {
        let named = |source: &&Source| rule.source.as_ref().is_none_or(|named| *named == source.id);
        let sources: Vec<&Source> = catalog.sources.values().filter(named).collect();
        let gives = |source: &&&Source| source.types().any(|kind| rule.on.contains(kind));
        let givers: Vec<&Source> = sources.iter().filter(gives).copied().collect();
        // What a plugin emits is an event of the source whose event led to it: that may be any of them.
        let sources = if rule.emitted { sources } else { givers.clone() };
        Self { givers, sources }
    }

    fn writes(&self, action: &'s Action) -> Vec<Written<'s>> {
        let each = |source: &&'s Source| {
            let source = source.id.as_str();
            let records = action.grant.records.iter().map(move |grant| Written::Records { source, kind: &grant.record });
            records.chain(action.grant.events.iter().map(move |kind| Written::Events { source, kind }))
        };
        self.sources.iter().flat_map(each).collect()
    }

    fn inflows(&self, rule: &'s Rule, action: &'s Action, all: &HashSet<Written<'s>>, catalog: &Catalog<'_>) -> Vec<Inflow<'s>> {
        let types: Vec<&'s str> = action.on.as_ref().unwrap_or(&rule.on).iter().map(String::as_str).collect();
        let looking = Looking { reach: self, types: &types, all, catalog };
        let fields = action.allow.iter().enumerate().flat_map(|(place, field)| {
            let way = Way::Field(place);
            let Some(lookup) = &field.record else { return vec![looking.event(&field.path, way)] };
            // A lookup that there is not has been reported.
            let Some(lookup) = rule.lookups.iter().find(|declared| declared.name == *lookup) else { return vec![Inflow::nothing(way)] };
            let key = looking.event(&lookup.key, Way::Key(place, &lookup.name));
            vec![looking.record(&lookup.record, &field.path, way), key]
        });
        let steps = action.needs.iter().map(|name| {
            let step = rule.actions.iter().position(|action| action.name == *name);
            Inflow { step, ..Inflow::nothing(Way::Step(name)) }
        });
        let records = action.grant.records.iter().map(|grant| {
            let written = self.sources.iter().map(|source| Written::Records { source: &source.id, kind: &grant.record }).collect();
            Inflow { written, ..Inflow::nothing(Way::Records(&grant.record)) }
        });
        fields.chain(steps).chain(records).collect()
    }
}

/// Looks for what stands at the paths of one action.
struct Looking<'l, 's> {
    reach: &'l Reach<'s>,
    /// The types of events that it is about.
    types: &'l [&'s str],
    /// All that is written by anybody.
    all: &'l HashSet<Written<'s>>,
    catalog: &'l Catalog<'l>,
}

impl<'s> Looking<'_, 's> {
    /// What stands at `path` in the events.
    fn event(&self, path: &Path, way: Way<'s>) -> Inflow<'s> {
        let mut inflow = Inflow::nothing(way);
        for kind in self.types {
            let mut givers = self.reach.givers.iter().filter(|source| source.types().any(|given| given == *kind)).peekable();
            if givers.peek().is_none() {
                let promised = self.catalog.promised.events.contains(*kind);
                self.written(promised, &|source| Written::Events { source, kind }, &mut inflow);
            }
            for source in givers {
                inflow.given = inflow.given.or_more(of_source(source, source.declared_class(kind, path)));
            }
        }
        inflow
    }

    /// What stands at `path` in records of type `kind`.
    fn record(&self, kind: &'s str, path: &Path, way: Way<'s>) -> Inflow<'s> {
        let mut inflow = Inflow::nothing(way);
        let mut feeders = self.reach.sources.iter().filter(|source| source.record_types().any(|fed| fed == kind)).peekable();
        if feeders.peek().is_none() {
            let promised = self.catalog.promised.records.contains(kind);
            self.written(promised, &|source| Written::Records { source, kind }, &mut inflow);
        }
        for source in feeders {
            inflow.given = inflow.given.or_more(of_source(source, source.declared_record_class(kind, path)));
        }
        inflow
    }

    /// What actions write there. What nobody writes is sensitive, unless who would could not be read, which has been reported.
    fn written(&self, promised: bool, written: &dyn Fn(&'s str) -> Written<'s>, inflow: &mut Inflow<'s>) {
        let before = inflow.written.len();
        let there = self.reach.sources.iter().map(|source| written(&source.id)).filter(|written| self.all.contains(written));
        inflow.written.extend(there);
        let known = !promised && !self.catalog.promised.incomplete;
        if inflow.written.len() == before && known {
            inflow.given = inflow.given.or_more(Found::UNCLASSIFIED);
        }
    }
}

fn of_source<'s>(source: &'s Source, declared: Option<Class>) -> Found<'s> {
    match declared {
        Some(class) => Found { care: Care::of(class, source), who: Who::Source(&source.id) },
        None => Found::UNCLASSIFIED,
    }
}

/// Reports what an action lacks for what reaches it. `own` is its place among all.
fn check(
    report: &Report<'_>,
    action: &Action,
    places: &Places,
    told: &Told<'_>,
    own: ActionNo,
    name_of: &dyn Fn(ActionNo) -> (String, String),
) {
    let Some((way, found)) = told.ways.iter().find(|(_, found)| found.care == told.care && found.care > Care::None) else { return };
    let field = |place: &usize| action.allow.get(*place).map_or("", |field| field.name.as_str());
    let (name, span) = match way {
        Way::Field(place) => (format!("`{}`", field(place)), places.fields.get(field(place))),
        Way::Key(place, lookup) => (format!("the key of [lookup.{lookup}]"), places.fields.get(field(place))),
        Way::Step(name) => (format!("`{name}`"), places.steps.get(*name)),
        Way::Records(kind) => (format!("what records of type `{kind}` have"), places.records.get(*kind)),
    };
    let span = span.unwrap_or(&places.action).clone();
    let fits = match told.care {
        Care::None | Care::Personal => places.basis,
        // A basis that is none has been reported as such.
        Care::Health | Care::Sensitive => action.basis.as_deref().map_or(places.basis, basis::is_for_sensitive),
    };
    let what = match told.care {
        Care::None | Care::Personal => "about a person",
        Care::Health => "about a person, and of a health service",
        Care::Sensitive => "sensitive",
    };
    let matter = match found.who {
        Who::Action(root) if root != own => {
            let (rule, root_name) = name_of(root);
            match way {
                Way::Step(step) if root.0 == own.0 && root_name == *step => format!("{name} was shown what is {what}"),
                _ => format!("{name} may carry what action `{root_name}` of rule `{rule}` was shown, which is {what}"),
            }
        }
        _ => format!("{name} is {what}"),
    };
    if told.care == Care::Personal {
        if !fits {
            let finding = warning("no-basis", span, format!("{matter}, and the action names no `basis`"));
            report.push(finding.help("personal data takes a legal basis, such as `basis = \"lgpd:7.V\"`, and a `purpose` that says why"));
        }
        return;
    }
    let wanted = match (places.purpose, fits) {
        (true, true) => return,
        (false, true) => "a `purpose`",
        (true, false) => "a `basis` of LGPD article 11",
        (false, false) => "a `purpose` and a `basis` of LGPD article 11",
    };
    report.push(helped(error("missing-basis", span, format!("{matter}, so the action needs {wanted}")), found));
}

/// Says what can be done.
fn helped(finding: Finding, found: &Found<'_>) -> Finding {
    let written = "a basis is written `lgpd:11.II.f`";
    finding.help(match (found.who, found.care) {
        (Who::Action(_), _) => format!("what a plugin writes is as delicate as the most delicate that it was shown; {written}"),
        (Who::Nobody, _) => format!("nobody classified it, so it is sensitive: name it in the [classes] of its source; {written}"),
        (Who::Source(source), Care::Health) => {
            format!("with `health = true` in its [classes], all that `{source}` knows of people is of their health; {written}")
        }
        (Who::Source(source), _) => format!("the [classes] of `{source}` say so; {written}"),
    })
}

/// Warns of a topic that is nearly one of those which sources give and take. Any other may be one that people record by hand.
fn check_topic(report: &Report<'_>, action: &Action, places: &Places, topics: &[&str]) {
    let (Some(consent), Some(span)) = (&action.consent, &places.consent) else { return };
    if !topics.contains(&consent.topic.as_str()) && closest(&consent.topic, topics).is_some() {
        let finding = warning("unknown-topic", span.clone(), format!("no source gives or takes consent to `{}`", consent.topic));
        report.push(finding.meant(&consent.topic, topics.iter().copied()));
    }
}
