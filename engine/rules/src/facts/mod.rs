//! What an event says at the paths that somebody asks about.
//!
//! Read in one pass over the bytes, without building a tree; or from a tree, where there is one already. Both say the same.

mod asked;
mod found;
mod name;
mod node;
mod scan;
mod tree;

use std::cell::OnceCell;
use std::fmt;

use serde_json::Value;

use crate::json;
use crate::number::equal;
use crate::path::{Nodes, Path};

pub(crate) use asked::{Asked, Query, Slot};
pub(crate) use node::Node;

use found::Found;

/// What one event says.
pub struct Facts<'e> {
    asked: &'e Asked,
    whole: Whole<'e>,
    found: Found<'e>,
    /// The tree of all, where somebody needed it.
    tree: OnceCell<Value>,
    /// Of slots and of queries, the values that somebody wanted.
    kept: OnceCell<Kept>,
}

enum Whole<'e> {
    Text(&'e str),
    Tree(&'e Value),
}

struct Kept {
    /// What stands in a slot, below which queries are evaluated.
    slots: Box<[OnceCell<Option<Value>>]>,
    /// Nothing where finding them takes too much.
    queries: Box<[OnceCell<Option<Vec<Value>>>]>,
}

/// Prints no values.
impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Facts({} slots)", self.asked.slots())
    }
}

impl<'e> Facts<'e> {
    /// Reads a JSON document.
    ///
    /// # Errors
    /// What is wrong with it and where, without any part of it.
    pub(crate) fn read(asked: &'e Asked, bytes: &'e [u8]) -> Result<Self, String> {
        let text = simdutf8::compat::from_utf8(bytes).map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to()))?;
        if u32::try_from(text.len()).is_err() {
            return Err("it is longer than 4 GiB".to_owned());
        }
        match scan::scan(text, asked) {
            Some((found, false)) => Ok(Self::new(asked, Whole::Text(text), found)),
            // Members of an object that a wildcard met are wanted in the order of their names.
            Some((_, true)) => {
                let tree = json::parse(bytes)?;
                let found = tree::walk(&tree, asked).into_owned();
                Ok(Self { tree: OnceCell::from(tree), ..Self::new(asked, Whole::Text(text), found) })
            }
            None => Err(json::parse(bytes).err().unwrap_or_else(|| "it is not strict JSON".to_owned())),
        }
    }

    /// Looks through a tree.
    pub(crate) fn of(asked: &'e Asked, tree: &'e Value) -> Self {
        Self::new(asked, Whole::Tree(tree), tree::walk(tree, asked))
    }

    fn new(asked: &'e Asked, whole: Whole<'e>, found: Found<'e>) -> Self {
        Self { asked, whole, found, tree: OnceCell::new(), kept: OnceCell::new() }
    }

    /// The text that it was read from.
    pub(crate) fn text(&self) -> &'e str {
        match self.whole {
            Whole::Text(text) => text,
            Whole::Tree(_) => "",
        }
    }

    /// What stands in a slot, in the order of RFC 9535.
    #[inline]
    pub(crate) fn at(&self, slot: Slot) -> impl Iterator<Item = &Node<'e>> {
        self.found.at(slot)
    }

    /// How many nodes stand in all slots.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// The nodes of `path`.
    pub(crate) fn nodes(&self, path: &Path) -> Nodes<'_> {
        if let Whole::Tree(tree) = self.whole {
            return path.nodes(tree);
        }
        let Some(query) = self.asked.query(path) else { return path.nodes(self.tree()) };
        match self.values(query) {
            None => Nodes::TooMuch,
            Some(nodes) if path.is_singular() => Nodes::One(nodes.first()),
            Some(nodes) => Nodes::Many(nodes.iter().collect()),
        }
    }

    /// The first node of `path`.
    pub(crate) fn first(&self, path: &Path) -> Option<&Value> {
        self.nodes(path).first()
    }

    /// What is read of the first node of `path`, without making a value of it where that can be done without.
    pub(crate) fn read_first<R>(&self, path: &Path, read: impl FnOnce(&Node<'_>) -> Option<R>) -> Option<R> {
        match self.asked.slot_of(path) {
            Some(slot) => self.at(slot).next().and_then(read),
            None => self.first(path).map(Node::of).as_ref().and_then(read),
        }
    }

    /// The same of all nodes.
    pub(crate) fn read_all<R>(&self, path: &Path, read: impl FnMut(&Node<'_>) -> Option<R>) -> Vec<R> {
        match self.asked.slot_of(path) {
            Some(slot) => self.at(slot).filter_map(read).collect(),
            None => self.nodes(path).iter().map(Node::of).collect::<Vec<_>>().iter().filter_map(read).collect(),
        }
    }

    /// The id that the first node of `path` is: see [`json::id_text`].
    pub(crate) fn id(&self, path: &Path) -> Option<String> {
        self.read_first(path, |node| node.id())
    }

    /// The ids among the nodes of `path`.
    pub(crate) fn ids(&self, path: &Path) -> Vec<String> {
        self.read_all(path, |node| node.id())
    }

    /// Whether some node of `path` is `value`.
    pub(crate) fn has(&self, path: &Path, value: &Value) -> bool {
        match (self.asked.slot_of(path), value) {
            (Some(slot), Value::String(text)) => self.at(slot).any(|node| node.text() == Some(text)),
            _ => self.nodes(path).iter().any(|node| equal(node, value)),
        }
    }

    /// What `path` yields as one value: see [`Path::value`].
    pub(crate) fn value(&self, path: &Path) -> Option<Value> {
        let question = match self.whole {
            Whole::Tree(tree) => return path.value(tree),
            Whole::Text(_) => self.asked.query(path).and_then(|query| self.asked.question(query)),
        };
        let Some(beginning) = question.and_then(|question| question.beginning) else { return path.value(self.tree()) };
        match self.nodes(path) {
            Nodes::One(node) => node.cloned(),
            Nodes::TooMuch => None,
            Nodes::Many(nodes) => self.at(beginning).next().map(|_| nodes.into_iter().cloned().collect()),
        }
    }

    /// The document as a tree. It is made where somebody asks for what nobody said they would ask for.
    pub(crate) fn tree(&self) -> &Value {
        match self.whole {
            Whole::Tree(tree) => tree,
            // It was checked when it was read.
            Whole::Text(text) => self.tree.get_or_init(|| serde_json::from_str(text).unwrap_or_default()),
        }
    }

    /// What a query yields; nothing where that takes too much.
    fn values(&self, query: Query) -> Option<&[Value]> {
        let question = self.asked.question(query)?;
        let kept = self.kept.get_or_init(|| Kept {
            slots: std::iter::repeat_with(OnceCell::new).take(self.asked.slots()).collect(),
            queries: std::iter::repeat_with(OnceCell::new).take(self.asked.queries()).collect(),
        });
        let values = kept.queries.get(query as usize)?.get_or_init(|| match &question.below {
            None => Some(self.found.at(question.slot).map(Node::value).collect()),
            Some(below) => {
                let base = kept.slots.get(question.slot as usize);
                let base = base.and_then(|cell| cell.get_or_init(|| self.found.at(question.slot).next().map(Node::value)).as_ref());
                let nodes = base.map_or(Nodes::One(None), |base| below.path.nodes_below(below.depth, base));
                (!nodes.is_too_much()).then(|| nodes.iter().cloned().collect())
            }
        });
        values.as_deref()
    }
}

#[cfg(test)]
mod tests;
