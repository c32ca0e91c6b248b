//! What an action says about events over time: `throttle`, `count` and `debounce`.
//!
//! Read and checked here, with settings filled in when an automation is joined; what comes of it is decided in
//! `zelo_core`. A further key of this kind needs: its reading here, its part of [`SetOverTime`], its hash in
//! `zelo_core::Indexer`, its decision in `zelo_core::decide`.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::SignedDuration;
use serde_json::{Map, Value};
use zelo_core::window::{By, Quiet};

use super::action::Action;
use super::fields::Field;
use super::file::Draft;
use super::names::Names;
use super::timing::{Setable, duration_of, setable};
use crate::diagnostic::{Report, error};
use crate::path::Path;
use crate::reader::{At, Item, Table};
use crate::template::Templates;
use crate::time;

/// The most that `limit` and `at_least` can be.
const AMOUNT_MAX: u32 = 1000;

/// The longest span of time, in seconds.
const SPAN_MAX_S: i64 = 366 * 86_400;

/// What an action says over time, as its rule says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActionOverTime {
    pub(crate) throttle: Option<Throttle>,
    pub(crate) count: Option<Count>,
    pub(crate) debounce: Option<Debounce>,
}

/// `throttle = { limit, per, by }`
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    limit: Setable<u32>,
    per: Setable<SignedDuration>,
    pub(crate) by: Option<Path>,
}

/// `count = { at_least, within, by }`
#[derive(Clone, Debug)]
pub(crate) struct Count {
    at_least: Setable<u32>,
    within: Setable<SignedDuration>,
    pub(crate) by: Option<Path>,
}

/// `debounce = { wait, max, by }`
#[derive(Clone, Debug)]
pub(crate) struct Debounce {
    wait: Setable<SignedDuration>,
    max: Option<Setable<SignedDuration>>,
    pub(crate) by: Option<Path>,
}

/// What an action says over time under the settings of one automation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SetOverTime {
    /// `limit` and `per`.
    pub(crate) throttle: Option<(u32, SignedDuration)>,
    /// `at_least` and `within`.
    pub(crate) count: Option<(u32, SignedDuration)>,
    pub(crate) quiet: Option<Quiet>,
}

impl ActionOverTime {
    /// Fills the settings in.
    pub(crate) fn set(&self, settings: &Map<String, Value>, templates: &Templates) -> Result<SetOverTime, String> {
        let number = |value: &Setable<u32>| value.get(settings, templates, amount);
        let length = |value: &Setable<SignedDuration>| value.get(settings, templates, span);
        let throttle = self.throttle.as_ref().map(|throttle| Ok::<_, String>((number(&throttle.limit)?, length(&throttle.per)?)));
        let count = self.count.as_ref().map(|count| Ok::<_, String>((number(&count.at_least)?, length(&count.within)?)));
        let quiet = self.debounce.as_ref().map(|debounce| {
            let max = debounce.max.as_ref().map(length).transpose()?;
            Ok::<_, String>(Quiet { wait: length(&debounce.wait)?, max })
        });
        Ok(SetOverTime { throttle: throttle.transpose()?, count: count.transpose()?, quiet: quiet.transpose()? })
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.throttle.is_none() && self.count.is_none() && self.debounce.is_none()
    }

    /// Each `by` with the key that it belongs to.
    pub(crate) fn by(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let throttle = self.throttle.as_ref().and_then(|throttle| Some(("throttle", throttle.by.as_ref()?)));
        let count = self.count.as_ref().and_then(|count| Some(("count", count.by.as_ref()?)));
        let debounce = self.debounce.as_ref().and_then(|debounce| Some(("debounce", debounce.by.as_ref()?)));
        [throttle, count, debounce].into_iter().flatten()
    }
}

/// What tells the windows of an action apart: its `by`, else its key, else nothing.
pub(crate) fn told_apart<'p>(by: Option<&'p Path>, key: Option<&'p Path>) -> (By, Option<&'p Path>) {
    match (by, key) {
        (Some(by), _) => (By::Path, Some(by)),
        (None, Some(key)) => (By::Key, Some(key)),
        (None, None) => (By::All, None),
    }
}

fn amount(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|amount| (1..=AMOUNT_MAX).contains(amount))
}

fn span(text: &str) -> Option<SignedDuration> {
    time::duration(text).filter(|span| (1..=SPAN_MAX_S).contains(&span.as_secs()))
}

/// Reads the keys of an action that are about events over time.
pub(super) fn read(table: &Table<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> ActionOverTime {
    let throttle = table.get("throttle").and_then(|item| item.table("throttle")).and_then(|table| {
        let limit = table.need("limit").and_then(|item| number(item, names, draft));
        let per = table.need("per").and_then(|item| length(item, names, draft));
        let by = by(&table);
        table.finish();
        Some(Throttle { limit: limit?, per: per?, by: by? })
    });
    let count = table.get("count").and_then(|item| item.table("count")).and_then(|table| {
        let at_least = table.need("at_least").and_then(|item| number(item, names, draft));
        let within = table.need("within").and_then(|item| length(item, names, draft));
        let by = by(&table);
        table.finish();
        Some(Count { at_least: at_least?, within: within?, by: by? })
    });
    let debounce = table.get("debounce").and_then(|item| item.table("debounce")).and_then(|table| {
        let wait = table.need("wait").and_then(|item| length(item, names, draft));
        let max = table.get("max").map(|item| length(item, names, draft));
        let by = by(&table);
        table.finish();
        // A `max` that cannot be read leaves nothing, as any other mistake does.
        let max = max.map_or(Some(None), |max| max.map(Some));
        Some(Debounce { wait: wait?, max: max?, by: by? })
    });
    ActionOverTime { throttle, count, debounce }
}

/// `None`: it is there and cannot be read. It has been reported then.
#[expect(clippy::option_option, reason = "absent is not the same as wrong")]
fn by(table: &Table<'_>) -> Option<Option<Path>> {
    let Some(item) = table.get("by") else { return Some(None) };
    let path = item.path()?;
    if !path.is_singular() {
        let finding = error("not-singular", item.span(), format!("`{}` may yield several values", path.as_str()));
        table.report().push(finding.help("`by` is a path of names and indexes"));
        return None;
    }
    Some(Some(path))
}

fn number(item: Item<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Option<Setable<u32>> {
    let help = "an amount is a whole number from 1 to 1000";
    if item.is_string() {
        return setable(item, names, draft, amount, ("bad-amount", "an amount", help));
    }
    let given = item.integer()?;
    let fits = u32::try_from(given).ok().filter(|amount| (1..=AMOUNT_MAX).contains(amount));
    if fits.is_none() {
        item.report().push(error("bad-amount", item.span(), format!("`{given}` is not an amount")).help(help));
    }
    fits.map(Setable::Fixed)
}

fn length(item: Item<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Option<Setable<SignedDuration>> {
    let help = "spans of time are written 90s, 15m, 24h, 2d or 1h30m; they are longer than nothing, and 366d at most";
    duration_of(item, names, draft, span, ("bad-duration", "a span of time", help))
}

/// Reports what cannot stand beside `debounce`, and a step that is debounced.
pub(super) fn check(table: &Table<'_>, over: &ActionOverTime, steps: &[At<&str>], above: &[Action]) {
    let report = table.report();
    if over.debounce.is_some() {
        let wrong = [
            ("key", "what is collected is told apart by its `by`"),
            ("at", "`wait` says when it runs"),
            ("after", "`wait` says when it runs"),
            ("count", "it runs however many events come"),
            ("needs", "a step is for one event, and this runs for several"),
        ];
        for (key, why) in wrong {
            if let Some(item) = table.get(key) {
                report.push(error("contradiction", item.span(), format!("an action with `debounce` has no `{key}`")).help(why));
            }
        }
    }
    let debounced = |step: &&At<&str>| above.iter().any(|action| action.name == step.value && action.over.debounce.is_some());
    for step in steps.iter().filter(debounced) {
        let finding = error("contradiction", step.span.clone(), format!("`{}` is debounced, so it runs for several events", step.value));
        report.push(finding.help("an action can need only what runs for the same one event"));
    }
}

/// Reports fields that are of all collected events where none are collected, or are not of events.
pub(super) fn check_fields(report: &Report<'_>, allow: &[Field], places: &BTreeMap<String, Range<usize>>, collects: bool) {
    for field in allow.iter().filter(|field| field.collected) {
        let span = || places.get(&field.name).cloned().unwrap_or(0..0);
        if !collects {
            let finding =
                error("contradiction", span(), format!("`{}` is of all collected events, but the action collects none", field.name));
            report.push(finding.help("give the action a `debounce`, or the field no `collected`"));
        }
        if field.record.is_some() {
            let finding = error("contradiction", span(), format!("`{}` is of a record, and records are not collected", field.name));
            report.push(finding.help("`collected = true` is for paths into the event"));
        }
    }
}
