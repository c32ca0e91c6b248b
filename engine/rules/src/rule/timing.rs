//! When an action runs, as its rule says it, and with settings and records filled in.

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use zelo_core::timing::{IfLate, SendWindow};

use super::file::Draft;
use super::names::{Names, Reach};
use crate::diagnostic::{error, warning};
use crate::path::Path;
use crate::reader::{At, Item, Table};
use crate::source::{pick, zone};
use crate::template::{Template, Templates};
use crate::time;

/// The timing of an action as its rule says it.
#[derive(Clone, Debug)]
pub(crate) struct ActionTiming {
    /// What it counts from.
    pub(crate) anchor: Option<Anchor>,
    /// Negative for `before`.
    offset: Option<(Setable<SignedDuration>, Side)>,
    window: Option<(Setable<Time>, Setable<Time>, ZoneOf)>,
    if_late: IfLate,
    expires: Option<Setable<SignedDuration>>,
}

/// The instant that an action counts from.
#[derive(Clone, Debug)]
pub(crate) enum Anchor {
    /// What stands there in the payload.
    At(Path),
    /// The event itself.
    Event,
}

/// What `if_late` may say; the first where it is absent.
pub(crate) const IF_LATE: [(&str, IfLate); 2] = [("now", IfLate::Now), ("skip", IfLate::Skip)];

/// On which side of its anchor an action runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// A value that a template over settings may give.
#[derive(Clone, Debug)]
pub(super) enum Setable<T> {
    Fixed(T),
    From(Template),
}

/// Whose local time a window is in. Where it yields no zone, the clinic zone of the source holds.
#[derive(Clone, Debug)]
pub(crate) enum ZoneOf {
    Source,
    Fixed(TimeZone),
    Record { lookup: String, path: Path },
}

/// The timing of an action under the settings of one automation.
#[derive(Clone, Debug)]
pub(crate) struct SetTiming {
    pub(crate) offset: SignedDuration,
    pub(crate) window: Option<(SendWindow, ZoneOf)>,
    pub(crate) if_late: IfLate,
    pub(crate) expires: Option<SignedDuration>,
}

impl ActionTiming {
    /// Whose local time its window is in, where it has one.
    pub(crate) fn zone(&self) -> Option<&ZoneOf> {
        self.window.as_ref().map(|(_, _, zone)| zone)
    }

    /// Whether the hours in which it sends span midnight under `settings`; nothing where there are none, or these cannot be read. Until
    /// midnight is not over it.
    pub(crate) fn spans_midnight(&self, settings: &Map<String, Value>, templates: &Templates) -> Option<bool> {
        let (from, to, _) = self.window.as_ref()?;
        let read = |one: &Setable<Time>| one.get(settings, templates, time::time_of_day).ok();
        let (from, to) = (read(from)?, read(to)?);
        Some(to != Time::midnight() && to <= from)
    }

    /// The setting that says when the hours in which it sends end; where that is fixed, the one that says when they begin.
    pub(crate) fn hours_by(&self) -> Option<&str> {
        let (from, to, _) = self.window.as_ref()?;
        to.setting().or_else(|| from.setting())
    }

    /// Fills the settings in.
    pub(crate) fn set(&self, settings: &Map<String, Value>, templates: &Templates) -> Result<SetTiming, String> {
        let duration = |value: &Setable<SignedDuration>| value.get(settings, templates, time::duration);
        let offset = match &self.offset {
            None => SignedDuration::ZERO,
            Some((offset, Side::After)) => duration(offset)?,
            Some((offset, Side::Before)) => -duration(offset)?,
        };
        let window = match &self.window {
            None => None,
            Some((from, to, zone)) => {
                let from = from.get(settings, templates, time::time_of_day)?;
                let to = to.get(settings, templates, time::time_of_day)?;
                Some((SendWindow { from, to }, zone.clone()))
            }
        };
        let expires = self.expires.as_ref().map(duration).transpose()?;
        Ok(SetTiming { offset, window, if_late: self.if_late, expires })
    }
}

impl<T: Copy> Setable<T> {
    /// The setting that it is, where it is nothing else.
    fn setting(&self) -> Option<&str> {
        match self {
            Self::Fixed(_) => None,
            Self::From(template) => template.only()?.strip_prefix("settings."),
        }
    }

    pub(super) fn get(&self, settings: &Map<String, Value>, templates: &Templates, parse: fn(&str) -> Option<T>) -> Result<T, String> {
        match self {
            Self::Fixed(value) => Ok(*value),
            Self::From(template) => {
                let text = render(template, settings, templates)?;
                parse(&text).ok_or_else(|| format!("`{}` gives `{text}`, which cannot be read", template.text()))
            }
        }
    }
}

/// The text of a template over settings.
fn render(template: &Template, settings: &Map<String, Value>, templates: &Templates) -> Result<String, String> {
    templates.over_settings(template, settings).map(|value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    })
}

/// Reads the keys of an action that are about time.
pub(super) fn read(table: &Table<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> ActionTiming {
    let at = table.get("at").and_then(|item| item.table("at"));
    let after = table.get("after");
    if let (Some(_), Some(after)) = (&at, after) {
        table.report().push(error("contradiction", after.span(), "an action runs `at` a time or `after` its event, not both"));
    }
    let (anchor, offset) = match (at, after) {
        (Some(at), _) => {
            let (path, offset) = anchor(&at, names, draft);
            (path.map(Anchor::At), offset)
        }
        (None, Some(after)) => (Some(Anchor::Event), duration(after, names, draft).map(|offset| (offset, Side::After))),
        (None, None) => (None, None),
    };
    let window = table.get("send_window").and_then(|item| item.table("send_window")).and_then(|table| window(&table, names, draft));
    let if_late = table.get("if_late").and_then(|item| pick(item, "if_late", &IF_LATE));
    let expires = table.get("expires").and_then(|item| duration(item, names, draft));
    ActionTiming { anchor, offset, window, if_late: if_late.unwrap_or(IfLate::Now), expires }
}

type Counted = (Option<Path>, Option<(Setable<SignedDuration>, Side)>);

fn anchor(table: &Table<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Counted {
    let path = table.need("time").and_then(Item::path);
    if let Some(path) = path.as_ref().filter(|path| !path.is_singular()) {
        let finding = error("not-singular", table.span.clone(), format!("`{}` may yield several times", path.as_str()));
        table.report().push(finding.help("`time` is a path of names and indexes"));
    }
    let (before, after) = (table.get("before"), table.get("after"));
    table.finish();
    if let (Some(_), Some(after)) = (before, after) {
        table.report().push(error("contradiction", after.span(), "`at` has `before` or `after`, not both"));
    }
    let offset = match (before, after) {
        (Some(item), _) => duration(item, names, draft).map(|offset| (offset, Side::Before)),
        (None, Some(item)) => duration(item, names, draft).map(|offset| (offset, Side::After)),
        (None, None) => None,
    };
    (path, offset)
}

fn window(table: &Table<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Option<(Setable<Time>, Setable<Time>, ZoneOf)> {
    let from = table.need("from").and_then(|item| time_of_day(item, names, draft));
    let to = table.need("to").and_then(|item| time_of_day(item, names, draft));
    let given = table.get("timezone");
    table.finish();
    let zone = match given {
        None => Some(ZoneOf::Source),
        Some(item) if item.is_table() => zone_of_record(item, names),
        Some(item) => zone(item).map(ZoneOf::Fixed),
    };
    if !matches!(zone, Some(ZoneOf::Fixed(_)) | None) && draft.clinic_timezone().is_none() && draft.sources_are_known() {
        let finding = error("no-zone", table.span.clone(), "nothing says in which time zone this window is where no record does");
        table.report().push(finding.help(
            "give the source a `clinic_timezone`, or this window a `timezone`; where several sources are meant, name one with `source`",
        ));
    }
    Some((from?, to?, zone?))
}

fn zone_of_record(item: Item<'_>, names: &Names) -> Option<ZoneOf> {
    let table = item.table("timezone")?;
    let record = table.need_string("record");
    let item = table.need("path");
    let path = item.and_then(Item::path);
    table.finish();
    let record = record?;
    let path = path?;
    names.check_lookup(table.report(), &record);
    names.check_kept(table.report(), record.value, &path, item.map_or(table.span.clone(), |item| item.span()));
    Some(ZoneOf::Record { lookup: record.value.to_owned(), path })
}

/// How a duration that cannot be read is reported.
const A_DURATION: (&str, &str, &str) = ("bad-duration", "a duration", "durations are written 90s, 15m, 24h, 2d or 1h30m");

/// A duration that no setting changes.
pub(super) fn fixed_duration(item: Item<'_>) -> Option<At<SignedDuration>> {
    let text = item.string()?;
    let (code, what, help) = A_DURATION;
    let Some(duration) = time::duration(text.value) else {
        item.report().push(error(code, text.span, format!("`{}` is not {what}", text.value)).help(help));
        return None;
    };
    Some(At { value: duration, span: text.span })
}

fn duration(item: Item<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Option<Setable<SignedDuration>> {
    duration_of(item, names, draft, time::duration, A_DURATION)
}

/// Reads a duration that `parse` knows, and warns of a setting that may make it none.
pub(super) fn duration_of(
    item: Item<'_>,
    names: &Names,
    draft: &mut Draft<'_, '_>,
    parse: fn(&str) -> Option<SignedDuration>,
    how: (&'static str, &str, &str),
) -> Option<Setable<SignedDuration>> {
    let value = setable(item, names, draft, parse, how)?;
    if let Setable::From(template) = &value {
        let signed = |name: &&String| name.strip_prefix("settings.").is_some_and(|name| draft.signed.contains(name));
        for name in template.names().iter().filter(signed) {
            let finding =
                warning("negative-duration", item.span(), format!("`{name}` may be chosen below 0, and then this is no duration"));
            item.report().push(finding.help(format!("give [{name}] a `min` of 0 or more")));
        }
    }
    Some(value)
}

fn time_of_day(item: Item<'_>, names: &Names, draft: &mut Draft<'_, '_>) -> Option<Setable<Time>> {
    setable(item, names, draft, time::time_of_day, ("bad-time", "a time of day", "times of day are written 08:00"))
}

/// Reads a value, or a template that gives one under the defaults.
pub(super) fn setable<T: Copy>(
    item: Item<'_>,
    names: &Names,
    draft: &mut Draft<'_, '_>,
    parse: fn(&str) -> Option<T>,
    (code, what, help): (&'static str, &str, &str),
) -> Option<Setable<T>> {
    let template = names.template(item, draft.templates, Reach::Settings)?;
    let text = if template.names().is_empty() {
        template.text().to_owned()
    } else {
        // Settings without a default are checked when somebody chooses them.
        match render(&template, &draft.defaults, draft.templates) {
            Ok(text) => text,
            Err(_) => return Some(Setable::From(template)),
        }
    };
    let Some(value) = parse(&text) else {
        item.report().push(error(code, item.span(), format!("`{text}` is not {what}")).help(help));
        return None;
    };
    Some(if template.names().is_empty() { Setable::Fixed(value) } else { Setable::From(template) })
}
