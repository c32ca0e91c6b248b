//! Templates: texts with `{{ names }}`, over a closed set of values.
//!
//! The language is minijinja's with its expressions, `if` and `for`, the filters of [`filters`] and nothing else: no
//! functions, no assignments, no inclusion, so what a template can reach is what it names. Rendering is strict (an absent
//! value is an error, not an empty text) and bounded: in depth and in what could make much of little before it loads
//! ([`bounds`]), in steps, values and output when it renders. What was rendered is never rendered again.

mod bounds;
mod filters;
mod over_settings;
mod scan;

use std::collections::HashMap;
use std::error::Error as _;
use std::io;
use std::ops::Range;

use jiff::tz::TimeZone;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, escape_formatter};
use serde_json::{Map, Value};

use crate::forms::Unfit;

/// No template is longer, in bytes.
const LENGTH_MAX: usize = 16 * 1024;
/// No text that comes of one is longer, in bytes.
const OUTPUT_MAX: usize = 64 * 1024;
/// The values that one names have no more bytes together, as texts. With what [`bounds`] allows and the steps below, the worst
/// template copies two gigabytes, a few megabytes at a time: a second or so.
const VALUES_MAX: usize = 64 * 1024;
/// No rendering takes more steps.
const STEPS_MAX: u64 = 20_000;

/// A checked template, to be rendered by the [`Templates`] that compiled it.
#[derive(Clone, Debug)]
pub struct Template {
    /// Its name among the compiled ones; none: the text has nothing to render.
    compiled: Option<String>,
    text: String,
    /// The values that it names, `phone` or `settings.language`, in the order of their first mention.
    names: Vec<String>,
    /// The value that the template is, where it is nothing else: `{{ phone }}`.
    only: Option<String>,
}

/// All templates of a rule set.
#[derive(Debug)]
pub(crate) struct Templates {
    environment: Environment<'static>,
    count: usize,
    /// By their texts: rules that say the same share what was compiled, which is many times the size of its text.
    kept: HashMap<String, Template>,
}

/// Why a text is not a template.
#[derive(Debug)]
pub(crate) struct TemplateError {
    pub(crate) message: String,
    /// In bytes of the text.
    pub(crate) at: Option<Range<usize>>,
    /// A word, and those that could be meant.
    pub(crate) meant: Option<(String, &'static [&'static str])>,
}

/// Why a template cannot be rendered now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RenderError {
    /// It needs values that are absent; they are named where they can be.
    Missing(Option<String>),
    /// It fails on the values there are. Never says what they are.
    Failed(String),
}

/// What the words of a template stand for.
pub(crate) struct Values<'v> {
    /// The allowed fields, and `settings`.
    pub(crate) names: &'v Map<String, Value>,
    /// Of times without an offset.
    pub(crate) zone: &'v TimeZone,
    /// Where a filter is given no zone.
    pub(crate) clinic_zone: Option<&'v TimeZone>,
    pub(crate) locale: &'v str,
}

impl Templates {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(STEPS_MAX));
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // As JSON and TOML write them.
        environment.set_formatter(|out, state, value| match value.kind() {
            ValueKind::Bool => write!(out, "{}", value.is_true()).map_err(Error::from),
            _ => escape_formatter(out, state, value),
        });
        filters::add(&mut environment);
        Self { environment, count: 0, kept: HashMap::new() }
    }

    /// Checks and keeps `text`. Besides what is wrong with it there may be a template, for what it names to be checked.
    pub(crate) fn compile(&mut self, text: &str) -> (Option<Template>, Vec<TemplateError>) {
        let template = |compiled, names, only| Some(Template { compiled, text: text.to_owned(), names, only });
        if !["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) {
            return (template(None, Vec::new(), None), Vec::new());
        }
        if let Some(kept) = self.kept.get(text) {
            return (Some(kept.clone()), Vec::new());
        }
        if text.len() > LENGTH_MAX {
            let message = format!("a template has at most {LENGTH_MAX} bytes");
            return (None, vec![TemplateError { message, at: None, meant: None }]);
        }
        let tokens = scan::tokens(text);
        if let Some(error) = bounds::check(&tokens) {
            return (None, vec![error]);
        }
        let mut errors = scan::check(&tokens);
        errors.extend(scan::zones(text));
        let name = self.count.to_string();
        let names = self.compiled(&name, text);
        let Ok(names) = names.map_err(|error| errors.push(syntax(&error))) else { return (None, errors) };
        let only = scan::only_name(text).filter(|only| names == [*only]).map(str::to_owned);
        let template = template(Some(name), names, only);
        if errors.is_empty() {
            self.kept.extend(template.clone().map(|template| (text.to_owned(), template)));
        }
        (template, errors)
    }

    /// Compiles `text` as `name`; the names in it, in order.
    fn compiled(&mut self, name: &str, text: &str) -> Result<Vec<String>, minijinja::Error> {
        self.environment.add_template_owned(name.to_owned(), text.to_owned())?;
        self.count += 1;
        let mut names: Vec<String> = self.environment.get_template(name)?.undeclared_variables(true).into_iter().collect();
        names.sort_by_key(|name| (scan::place(text, name).map_or(usize::MAX, |place| place.start), name.clone()));
        Ok(names)
    }

    /// The text of `template`.
    pub(crate) fn render(&self, template: &Template, values: &Values<'_>) -> Result<String, RenderError> {
        let Some(name) = &template.compiled else { return Ok(template.text.clone()) };
        let failed = |error: minijinja::Error| match error.kind() {
            ErrorKind::UndefinedError => {
                RenderError::Missing(template.names.iter().find(|name| find(values.names, name).is_none()).cloned())
            }
            _ => RenderError::Failed(describe(&error)),
        };
        let size: usize = template.names.iter().filter_map(|name| find(values.names, name)).map(size).sum();
        if size > VALUES_MAX {
            return Err(RenderError::Failed(format!("its values have more than {VALUES_MAX} bytes")));
        }
        let compiled = self.environment.get_template(name).map_err(failed)?;
        let mut output = Bounded(Vec::new());
        compiled.render_captured_to(filters::context(values), &mut output).map_err(failed)?;
        String::from_utf8(output.0).map_err(|_| RenderError::Failed("it is not UTF-8".to_owned()))
    }
}

impl Template {
    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The values that it names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The value that it is, where it is nothing else.
    pub fn only(&self) -> Option<&str> {
        self.only.as_deref()
    }

    /// Where in the text a name stands.
    pub(crate) fn place(&self, name: &str) -> Option<Range<usize>> {
        scan::place(&self.text, name)
    }
}

/// The value that a dotted name stands for.
pub(crate) fn find<'v>(values: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    let mut parts = name.split('.');
    let first = values.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.as_object()?.get(part))
}

/// How many bytes a value has as a text, about.
fn size(value: &Value) -> usize {
    const PLAIN: usize = 8;
    match value {
        Value::String(text) => text.len() + PLAIN,
        Value::Array(values) => PLAIN + values.iter().map(size).sum::<usize>(),
        Value::Object(fields) => PLAIN + fields.iter().map(|(name, value)| name.len() + PLAIN + size(value)).sum::<usize>(),
        _ => PLAIN,
    }
}

fn syntax(error: &minijinja::Error) -> TemplateError {
    let detail = error.detail().unwrap_or("it cannot be read");
    TemplateError { message: detail.to_owned(), at: error.range(), meant: None }
}

/// What went wrong, without any value: only our own filters may say more than a kind.
fn describe(error: &minijinja::Error) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => format!("it takes more than {STEPS_MAX} steps"),
        ErrorKind::WriteFailure => format!("its text is longer than {OUTPUT_MAX} bytes"),
        kind => {
            let unfit = error.source().and_then(|source| source.downcast_ref::<Unfit>());
            unfit.map_or_else(|| kind.to_string(), Unfit::to_string)
        }
    }
}

/// Takes bytes up to a limit.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_MAX {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
