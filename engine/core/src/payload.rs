//! What a provider sent, as text until somebody needs the tree.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A JSON document that is cheap to hand on: its text, its tree, or both. As a value it is its tree, which is made when it is first asked for.
#[derive(Clone)]
pub struct Payload(Arc<Inner>);

struct Inner {
    text: Option<Arc<[u8]>>,
    tree: OnceLock<Value>,
}

impl Payload {
    /// A document that was read, and found to be JSON, without making a tree of it. What is no JSON would be null.
    pub fn of_text(text: Arc<[u8]>) -> Self {
        Self(Arc::new(Inner { text: Some(text), tree: OnceLock::new() }))
    }

    /// The text that it was read from, where it was.
    pub fn text(&self) -> Option<&Arc<[u8]>> {
        self.0.text.as_ref()
    }
}

impl From<Value> for Payload {
    fn from(tree: Value) -> Self {
        Self(Arc::new(Inner { text: None, tree: OnceLock::from(tree) }))
    }
}

impl Deref for Payload {
    type Target = Value;

    fn deref(&self) -> &Value {
        let read = || self.0.text.as_ref().and_then(|text| serde_json::from_slice(text).ok()).unwrap_or_default();
        self.0.tree.get_or_init(read)
    }
}

/// Equal are those that say the same.
impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Prints nothing of it.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Payload")
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_and_tree_are_the_same_document() {
        let text = Payload::of_text(Arc::from(&br#"{"a": [1, "x"]}"#[..]));
        assert_eq!(text, Payload::from(json!({"a": [1, "x"]})));
        assert_ne!(text, Payload::from(json!({"a": [1]})));
        assert_eq!(text["a"][1], "x");
        assert_eq!((text.text().map(|text| text.len()), Payload::from(json!(1)).text()), (Some(15), None));
        assert_eq!(serde_json::to_string(&text).unwrap(), r#"{"a":[1,"x"]}"#);
        assert_eq!(format!("{text:?}"), "Payload", "no values in logs");
    }
}
