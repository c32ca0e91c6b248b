//! Documents that people look at with the eyes of a rule: read as deliveries are, their nodes named by where they stand.

use std::collections::HashMap;

use serde_json::Value;

use crate::encoding::unmarked;
use crate::path::{Path, TooMuch};
use crate::source::{Format, form};
use crate::{json, xml};

/// Reads a document as a delivery of `format` would be: strictly. The root element of XML is the only key of the document, or
/// `$` itself where it is called `root`.
///
/// # Errors
/// What is wrong and where, without any part of the document.
pub fn read_document(bytes: &[u8], format: Format, root: Option<&str>) -> Result<Value, String> {
    match format {
        Format::Json => json::parse(unmarked(bytes)?),
        Format::Xml => xml::parse(bytes, root),
        Format::Form => form::parse(bytes),
    }
}

/// The nodes that `path` yields in `document`, each with its normalized path (RFC 9535 §2.7): `$['phones'][0]`.
///
/// # Errors
/// Finding them takes too much.
pub fn placed<'v>(path: &Path, document: &'v Value) -> Result<Vec<(String, &'v Value)>, TooMuch> {
    let nodes: Vec<&Value> = path.try_nodes(document)?.iter().collect();
    let mut places: HashMap<*const Value, Option<String>> = nodes.iter().map(|node| (std::ptr::from_ref(*node), None)).collect();
    locate(document, &mut "$".to_owned(), &mut places);
    let place = |node: &Value| places.get(&std::ptr::from_ref(node)).cloned().flatten().unwrap_or_default();
    Ok(nodes.into_iter().map(|node| (place(node), node)).collect())
}

/// Fills in where the values stand that `places` asks for. `path` is that of `value`. Documents are nested 64 deep at most.
fn locate(value: &Value, path: &mut String, places: &mut HashMap<*const Value, Option<String>>) {
    if let Some(place) = places.get_mut(&std::ptr::from_ref(value)) {
        *place = Some(path.clone());
    }
    let length = path.len();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                locate(item, path, places);
                path.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                path.push_str("['");
                name.chars().for_each(|char| escape(path, char));
                path.push_str("']");
                locate(member, path, places);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// `normal-single-quoted` of RFC 9535 §2.7.
fn escape(path: &mut String, char: char) {
    match char {
        '\u{8}' => path.push_str("\\b"),
        '\t' => path.push_str("\\t"),
        '\n' => path.push_str("\\n"),
        '\u{c}' => path.push_str("\\f"),
        '\r' => path.push_str("\\r"),
        '\'' => path.push_str("\\'"),
        '\\' => path.push_str("\\\\"),
        control if control < ' ' => path.push_str(&format!("\\u{:04x}", u32::from(control))),
        other => path.push(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn paths(query: &str, document: &Value) -> Vec<String> {
        placed(&Path::parse(query).unwrap(), document).unwrap().into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn nodes_say_where_they_stand() {
        let document = json!({ "phones": [{ "n": 1 }, { "n": 1 }], "n": 1 });
        assert_eq!(paths("$..n", &document), ["$['n']", "$['phones'][0]['n']", "$['phones'][1]['n']"]);
        assert_eq!(paths("$.phones[-1]", &document), ["$['phones'][1]"]);
        assert_eq!(paths("$", &document), ["$"]);
        assert!(paths("$.nothing", &document).is_empty());
    }

    #[test]
    fn names_are_escaped_as_the_standard_says() {
        let document = json!({ "a'b\\c\n\u{b}\u{8}é\"": 1 });
        assert_eq!(paths("$[*]", &document), ["$['a\\'b\\\\c\\n\\u000b\\bé\"']"]);
    }

    proptest! {
        /// A normalized path is a query for the very node.
        #[test]
        fn a_place_leads_back(names in prop::collection::vec("[a-z'\\\\\"\\x00-\\x1fé ]{0,4}", 1..4)) {
            let mut document = json!(["x", "y", "z"]);
            for name in &names {
                document = json!({ name.as_str(): document, "other": 0 });
            }
            for (place, node) in placed(&Path::parse("$..*").unwrap(), &document).unwrap() {
                let back = Path::parse(&place).unwrap();
                prop_assert!(back.is_singular());
                prop_assert!(std::ptr::eq(back.first(&document).unwrap(), node), "{place}");
            }
        }
    }
}
