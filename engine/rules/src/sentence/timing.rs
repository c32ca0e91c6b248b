//! At what time an action is done, how late it may be, and what ends it.

use jiff::SignedDuration;
use jiff::civil::Time;
use zelo_core::Priority;
use zelo_core::timing::IfLate;

use super::speaker::Speaker;
use super::words::{duration, list};
use crate::rule::{Action, Anchor, Rule, SetTiming, ZoneOf};

impl Speaker<'_> {
    /// When it is done, in parts; none: at once.
    pub(super) fn times(&self, action: &Action) -> Vec<String> {
        let Ok(timing) = action.timing.set(&self.settings, self.rules.templates()) else {
            return vec![self.pick("no horário que for configurado", "at the time that is chosen in its settings").to_owned()];
        };
        self.due(action.timing.anchor.as_ref(), &timing).into_iter().chain(self.window(&timing)).collect()
    }

    fn due(&self, anchor: Option<&Anchor>, timing: &SetTiming) -> Option<String> {
        let length = duration(self.language, timing.offset);
        let path = match anchor? {
            Anchor::Event if timing.offset.is_zero() => return None,
            Anchor::Event => return Some(self.pick(format!("{length} depois"), format!("{length} later"))),
            Anchor::At(path) => path,
        };
        let noun = self.noun_at(None, path).text;
        let due = if timing.offset.is_zero() {
            self.with("em", "at", &noun)
        } else if timing.offset < SignedDuration::ZERO {
            format!("{length} {}", self.with("antes de", "before", &noun))
        } else {
            format!("{length} {}", self.with("depois de", "after", &noun))
        };
        let late = match timing.if_late {
            IfLate::Now => self.pick("ou na hora, se esse momento já passou", "or at once where that time has passed"),
            IfLate::Skip => self.pick("e nunca, se esse momento já passou", "and never where that time has passed"),
        };
        Some(format!("{due} ({late})"))
    }

    fn window(&self, timing: &SetTiming) -> Option<String> {
        let (window, zone) = timing.window.as_ref()?;
        let hour = |time: Time| format!("{:02}:{:02}", time.hour(), time.minute());
        let zone = match zone {
            ZoneOf::Source => self.pick("no horário da clínica", "in the clinic's time").to_owned(),
            ZoneOf::Fixed(zone) => self.zone(zone),
            ZoneOf::Record { lookup, path } => self.with("em", "in", &self.noun_at(Some(lookup), path).text),
        };
        let (from, to) = (hour(window.from), hour(window.to));
        Some(self.pick(format!("entre {from} e {to} {zone}"), format!("between {from} and {to} {zone}")))
    }

    /// What it makes of several events.
    fn over_time(&self, action: &Action) -> Vec<String> {
        let Ok(over) = action.over.set(&self.settings, self.rules.templates()) else { return Vec::new() };
        let span = |length| duration(self.language, length);
        let count = over.count.map(|(at_least, within)| {
            let within = span(within);
            self.pick(
                format!("Só é feito quando isso acontece {at_least} vezes em {within}, e então recomeça a contagem."),
                format!("Only done when this happens {at_least} times within {within}; then the count begins again."),
            )
        });
        let throttle = over.throttle.map(|(limit, per)| {
            let per = span(per);
            match limit {
                1 => self.pick(format!("No máximo uma vez em {per}."), format!("At most once within {per}.")),
                limit => self.pick(format!("No máximo {limit} vezes em {per}."), format!("At most {limit} times within {per}.")),
            }
        });
        let quiet = over.quiet.map(|quiet| {
            let wait = span(quiet.wait);
            let max = quiet.max.map(span);
            let max = max
                .map(|max| self.pick(format!(", no máximo {max} depois do primeiro"), format!(", at most {max} after the first")))
                .unwrap_or_default();
            self.pick(
                format!("Espera até nada mais chegar por {wait}{max}, e é feito uma vez para todos."),
                format!("Waits until nothing more comes for {wait}{max}, and is done once for all of them."),
            )
        });
        [count, throttle, quiet].into_iter().flatten().collect()
    }

    /// How many jobs of the whole rule run at once, as a sentence of its own.
    pub(super) fn all_at_once(&self, rule: &Rule) -> Option<String> {
        let limit = rule.concurrency?;
        let (portuguese, english) =
            (format!("De toda a regra, no máximo {limit} ao mesmo tempo."), format!("Of the whole rule, at most {limit} at once."));
        Some(self.pick(portuguese, english))
    }

    /// How it stands to the jobs beside its own.
    fn beside_others(&self, action: &Action) -> Vec<String> {
        let lane = &action.lane;
        let priority = match lane.priority {
            Priority::Normal => None,
            Priority::High => Some(self.pick("Tem prioridade alta.", "It has high priority.")),
            Priority::Low => Some(self.pick("Tem prioridade baixa.", "It has low priority.")),
        };
        let by = |path| self.with("conforme", "by", &self.noun_at(None, path).text);
        let order = lane.order_by.as_ref().map(by);
        let order = order.map(|by| self.pick(format!("Um de cada vez e em ordem, {by}."), format!("One at a time and in order, {by}.")));
        let at_once = lane.concurrency.as_ref().map(|at_once| {
            let by = at_once.by.as_ref().map(|path| format!(", {}", by(path))).unwrap_or_default();
            let limit = at_once.limit;
            self.pick(format!("No máximo {limit} ao mesmo tempo{by}."), format!("At most {limit} at once{by}."))
        });
        priority.map(str::to_owned).into_iter().chain(order).chain(at_once).collect()
    }

    /// What keeps it from being done at all, as sentences of their own.
    pub(super) fn limits(&self, action: &Action) -> Vec<String> {
        let mut told = Vec::new();
        if let Some(condition) = &action.only_if {
            let condition = self.alone(condition);
            told.push(self.pick(format!("Só é feito se, na hora, {condition}."), format!("Only done if, at that time, {condition}.")));
        }
        let timing = action.timing.set(&self.settings, self.rules.templates()).ok();
        if let Some(expires) = timing.and_then(|timing| timing.expires) {
            let length = duration(self.language, expires);
            told.push(self.pick(
                format!("Com mais de {length} de atraso, deixa de ser feito."),
                format!("More than {length} late, it is not done any more."),
            ));
        }
        told.extend(self.over_time(action));
        told.extend(self.beside_others(action));
        let cancelling: Vec<String> = action.cancel_on.iter().map(|cancel| self.happens_to_it(&cancel.types)).collect();
        if !cancelling.is_empty() {
            let events = list(&cancelling, self.pick("ou", "or"));
            told.push(self.pick(format!("Cancelado quando {events}."), format!("Cancelled when {events}.")));
        }
        told
    }
}
