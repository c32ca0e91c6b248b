//! Types that keep a node from ever passing a test.

use serde_json::Value;

use super::operand::Operand;
use super::read::wanted;
use super::words::{Language, kind_name};
use super::{Clause, Documents, TestKind};

/// A node of a type that a test cannot pass, in English.
pub(crate) struct Mismatch {
    /// `a number`
    pub(crate) found: &'static str,
    /// `a text`
    pub(crate) wanted: String,
}

impl Clause {
    /// Whether `node` is of a type that could pass.
    pub(super) fn fits(&self, node: &Value, documents: &dyn Documents) -> bool {
        let convert = self.test.kind.converts(self.convert);
        let operand = Operand::of(node, convert, documents.circumstances());
        match &self.test.kind {
            TestKind::Exists | TestKind::Missing | TestKind::IsNull | TestKind::Changed { .. } => true,
            TestKind::Length(_) => matches!(node, Value::String(_) | Value::Array(_) | Value::Object(_)),
            TestKind::Contains(_) => node.is_array() || node.is_string() || operand.is_some_and(|operand| operand.text().is_some()),
            TestKind::StartsWith(_) | TestKind::EndsWith(_) | TestKind::Matches(_) | TestKind::Glob(_) => {
                operand.is_some_and(|operand| operand.text().is_some())
            }
            TestKind::Within(_) => node.as_str().is_some_and(super::date::is_moment),
            TestKind::Equals(_) | TestKind::In(_) if convert.is_none() => {
                let is_in = matches!(self.test.kind, TestKind::In(_));
                let rights = self.test.kind.rights();
                let values: Vec<Vec<&Value>> = rights.iter().map(|right| right.values(documents).iter().collect()).collect();
                // Where nothing is known of the right side, it may be of any type.
                values
                    .iter()
                    .any(|values| values.is_empty() || values.iter().any(|value| same_type(value, node) || (is_in && value.is_array())))
            }
            kind => wanted(kind, self.convert).fits(operand.as_ref()),
        }
    }

    /// What keeps `node` from passing, whatever its value; nothing where it is of a type that could.
    pub(crate) fn mismatch(&self, node: &Value, documents: &dyn Documents) -> Option<Mismatch> {
        if self.fits(node, documents) {
            return None;
        }
        let name = |value: &Value| kind_name(value, Language::English);
        let wanted = match &self.test.kind {
            TestKind::Length(_) => "the length of a text, a list or an object".to_owned(),
            TestKind::Contains(_) => "a part of a list or a text".to_owned(),
            TestKind::Within(_) => "the hours of a date and time".to_owned(),
            TestKind::Equals(_) | TestKind::In(_) if self.convert.is_none() => {
                let rights = self.test.kind.rights();
                let right = rights.iter().find_map(|right| right.values(documents).iter().next().map(name));
                right.unwrap_or("something else").to_owned()
            }
            kind => wanted(kind, self.convert).kind_name().to_owned(),
        };
        Some(Mismatch { found: name(node), wanted })
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}
