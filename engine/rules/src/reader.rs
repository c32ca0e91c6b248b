//! Reads TOML tables key by key and collects every mistake on the way.
//!
//! A reader asks a [`Table`] for the keys it knows; [`Table::finish`] then complains about every key that nobody asked
//! for. Nothing stops at the first mistake: a part that cannot be read is reported and left out, and whoever reads on
//! gets `None`.

pub(crate) mod asked;

use std::cell::RefCell;
use std::ops::Range;

use serde_json::{Map, Number, Value};
use toml::de::{DeArray, DeTable, DeValue};

use crate::diagnostic::{Report, closest, error};
use crate::path::{Path, PathError};

/// The values of a document, borrowed from its text.
type Node<'a> = toml::Spanned<DeValue<'a>>;

/// A table that is being read.
pub(crate) struct Table<'a> {
    report: &'a Report<'a>,
    values: &'a DeTable<'a>,
    /// Where a mistake about the table as a whole is shown.
    pub(crate) span: Range<usize>,
    /// How messages call it: `[[then]]`.
    name: String,
    asked: RefCell<Vec<&'static str>>,
}

/// A value that is being read.
#[derive(Clone, Copy)]
pub(crate) struct Item<'a> {
    report: &'a Report<'a>,
    node: &'a Node<'a>,
}

/// A value with its place in the file.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// No file is longer, in bytes.
const FILE_MAX: usize = 1 << 20;

/// Of a file that is not TOML no more is told.
const SYNTAX_MAX: usize = 3;

/// Parses the file of `report`, reporting what is not TOML.
pub(crate) fn parse<'a>(report: &Report<'a>) -> Option<toml::Spanned<DeTable<'a>>> {
    let text: &'a str = &report.file.text;
    if text.len() > FILE_MAX {
        report.push(error("too-long", 0..0, format!("a file has at most {} KiB", FILE_MAX >> 10)).help("split it"));
        return None;
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    // What follows the first few is mostly what comes of them.
    let mut found: Vec<_> = errors.iter().collect();
    found.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    for found in found.into_iter().take(SYNTAX_MAX) {
        let span = found.span().unwrap_or(0..0);
        report.push(error("invalid-toml", span, format!("this is not TOML: {}", found.message())));
    }
    errors.is_empty().then_some(document)
}

impl<'a> Table<'a> {
    /// The whole document.
    pub(crate) fn root(report: &'a Report<'a>, document: &'a toml::Spanned<DeTable<'a>>) -> Self {
        asked::begin(&report.file.name, document.get_ref());
        Self { report, values: document.get_ref(), span: 0..0, name: "the file".to_owned(), asked: RefCell::default() }
    }

    pub(crate) fn report(&self) -> &'a Report<'a> {
        self.report
    }

    /// The value of a key that may be absent.
    pub(crate) fn get(&self, key: &'static str) -> Option<Item<'a>> {
        self.asked.borrow_mut().push(key);
        self.values.get(key).map(|node| Item { report: self.report, node })
    }

    /// The value of a key that must be there.
    pub(crate) fn need(&self, key: &'static str) -> Option<Item<'a>> {
        let found = self.get(key);
        if found.is_none() {
            self.report.push(error("missing-key", self.span.clone(), self.missing(key)));
        }
        found
    }

    fn missing(&self, key: &str) -> String {
        format!("`{key}` is missing in {}", self.name)
    }

    /// A string that may be absent.
    pub(crate) fn string(&self, key: &'static str) -> Option<At<&'a str>> {
        self.get(key)?.string()
    }

    /// A string that must be there.
    pub(crate) fn need_string(&self, key: &'static str) -> Option<At<&'a str>> {
        self.need(key)?.string()
    }

    /// A table that may be absent.
    pub(crate) fn table(&self, key: &'static str) -> Option<Table<'a>> {
        self.get(key)?.table(&format!("[{key}]"))
    }

    /// The tables of `[[key]]`.
    pub(crate) fn tables(&self, key: &'static str) -> Vec<Table<'a>> {
        let items = self.get(key).and_then(Item::array).unwrap_or_default();
        items.into_iter().filter_map(|item| item.table(&format!("[[{key}]]"))).collect()
    }

    /// All keys with their places and values, in the order of the file: for tables whose keys are names.
    pub(crate) fn entries(&self) -> Vec<(At<&'a str>, Item<'a>)> {
        let mut entries: Vec<_> = self
            .values
            .iter()
            .map(|(key, node)| (At { value: key.get_ref().as_ref(), span: key.span() }, Item { report: self.report, node }))
            .collect();
        entries.sort_by_key(|(key, _)| key.span.start);
        entries
    }

    /// Whether there are keys that nobody asked for yet.
    pub(crate) fn has_unknown_keys(&self) -> bool {
        let asked = self.asked.borrow();
        self.values.keys().any(|key| !asked.contains(&key.get_ref().as_ref()))
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        asked::note(self.values, &asked);
        for (key, _) in self.entries() {
            if self.report.is_full() {
                return;
            }
            if !asked.contains(&key.value) {
                // A key that is misspelt is not missing as well.
                if let Some(meant) = closest(key.value, &asked) {
                    self.report.retract("missing-key", &self.span, &self.missing(meant));
                }
                let finding = error("unknown-key", key.span, format!("`{}` is not a key of {}", key.value, self.name));
                self.report.push(finding.meant(key.value, asked.iter().copied()));
            }
        }
    }
}

impl<'a> Item<'a> {
    pub(crate) fn report(&self) -> &'a Report<'a> {
        self.report
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.node.span()
    }

    fn value(&self) -> &'a DeValue<'a> {
        self.node.get_ref()
    }

    /// Reports that the value is not what it should be.
    pub(crate) fn mismatch<T>(&self, wanted: &str) -> Option<T> {
        let found = match self.value().type_str() {
            "integer" | "array" | "offset datetime" => format!("an {}", self.value().type_str()),
            other => format!("a {other}"),
        };
        self.report.push(error("wrong-type", self.span(), format!("this must be {wanted}, not {found}")));
        None
    }

    pub(crate) fn at<T>(&self, value: T) -> At<T> {
        At { value, span: self.span() }
    }

    pub(crate) fn is_table(&self) -> bool {
        self.value().is_table()
    }

    pub(crate) fn is_array(&self) -> bool {
        self.value().is_array()
    }

    pub(crate) fn is_string(&self) -> bool {
        self.value().is_str()
    }

    pub(crate) fn is_datetime(&self) -> bool {
        matches!(self.value(), DeValue::Datetime(_))
    }

    pub(crate) fn string(self) -> Option<At<&'a str>> {
        match self.value().as_str() {
            Some(text) => Some(self.at(text)),
            None => self.mismatch("a string"),
        }
    }

    /// A JSONPath.
    pub(crate) fn path(self) -> Option<Path> {
        let text = self.string()?;
        let explain = |bad: PathError| {
            let file = self.report.file;
            let end = |at: usize| text.value.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |char| at + char.len_utf8());
            let span = bad.at.map_or(text.span.clone(), |at| file.within(&text.span, text.value, at..end(at)));
            self.report.push(error("bad-path", span, format!("this is not a JSONPath: {}", bad.message)));
        };
        Path::parse(text.value).map_err(explain).ok()
    }

    pub(crate) fn boolean(self) -> Option<bool> {
        self.value().as_bool().or_else(|| self.mismatch("true or false"))
    }

    pub(crate) fn integer(self) -> Option<i64> {
        let Some(integer) = self.value().as_integer() else { return self.mismatch("an integer") };
        i64::from_str_radix(integer.as_str(), integer.radix()).ok().or_else(|| self.mismatch("an integer of 64 bits"))
    }

    pub(crate) fn array(self) -> Option<Vec<Item<'a>>> {
        let Some(array): Option<&'a DeArray<'a>> = self.value().as_array() else { return self.mismatch("a list") };
        Some(array.iter().map(|node| Item { report: self.report, node }).collect())
    }

    /// A string, or a list of strings.
    pub(crate) fn strings(self) -> Option<Vec<At<&'a str>>> {
        if self.is_string() {
            return Some(self.string().into_iter().collect());
        }
        if !self.is_array() {
            return self.mismatch("a string or a list of strings");
        }
        Some(self.array()?.into_iter().filter_map(Item::string).collect())
    }

    pub(crate) fn table(self, name: &str) -> Option<Table<'a>> {
        match self.value().as_table() {
            Some(values) => {
                Some(Table { report: self.report, values, span: self.span(), name: name.to_owned(), asked: RefCell::default() })
            }
            None => self.mismatch("a table"),
        }
    }

    /// The text of an instant, written as a string or as a TOML date-time.
    pub(crate) fn instant_text(self) -> Option<At<String>> {
        match self.value() {
            DeValue::Datetime(datetime) => Some(self.at(datetime.to_string())),
            DeValue::String(text) => Some(self.at(text.clone().into_owned())),
            _ => self.mismatch("a date and time"),
        }
    }

    /// The value as JSON. Dates have no place in JSON and are reported.
    pub(crate) fn json(self) -> Option<Value> {
        match self.value() {
            DeValue::String(text) => Some(Value::String(text.clone().into_owned())),
            DeValue::Boolean(value) => Some(Value::Bool(*value)),
            DeValue::Integer(integer) => self.json_integer(integer.as_str(), integer.radix()),
            DeValue::Float(float) => {
                let number = float.as_str().parse().ok().and_then(Number::from_f64);
                number.map(Value::Number).or_else(|| self.mismatch("a finite number"))
            }
            DeValue::Datetime(_) => self.mismatch("a JSON value: write dates as strings"),
            DeValue::Array(_) => Some(Value::Array(self.array()?.into_iter().filter_map(Item::json).collect())),
            DeValue::Table(_) => {
                let table = self.table("a value")?;
                let values = table.entries().into_iter().filter_map(|(key, item)| Some((key.value.to_owned(), item.json()?)));
                Some(Value::Object(values.collect::<Map<_, _>>()))
            }
        }
    }

    fn json_integer(self, digits: &str, radix: u32) -> Option<Value> {
        let signed = i64::from_str_radix(digits, radix).map(Value::from);
        signed.or_else(|_| u64::from_str_radix(digits, radix).map(Value::from)).ok().or_else(|| self.mismatch("a number of 64 bits"))
    }
}
