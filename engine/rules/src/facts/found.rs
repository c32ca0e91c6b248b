//! Where what was found is put: for each slot, the nodes in order.

use super::asked::Slot;
use super::node::Node;

const NONE: u32 = u32::MAX;

/// The nodes of all slots.
pub(super) struct Found<'e> {
    nodes: Vec<(Node<'e>, u32)>,
    /// Of each slot, the first node and the last.
    ends: Vec<(u32, u32)>,
}

impl<'e> Found<'e> {
    pub(super) fn new(slots: usize) -> Self {
        Self { nodes: Vec::with_capacity(32), ends: vec![(NONE, NONE); slots] }
    }

    #[inline]
    pub(super) fn push(&mut self, slot: Slot, node: Node<'e>) {
        let place = self.nodes.len() as u32;
        let Some((first, last)) = self.ends.get_mut(slot as usize) else { return };
        if *first == NONE {
            *first = place;
        } else if let Some((_, next)) = self.nodes.get_mut(*last as usize) {
            *next = place;
        }
        *last = place;
        self.nodes.push((node, NONE));
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The same, borrowed from nowhere.
    pub(super) fn into_owned(self) -> Found<'static> {
        Found { nodes: self.nodes.into_iter().map(|(node, next)| (node.into_owned(), next)).collect(), ends: self.ends }
    }

    /// What stands in a slot, in order.
    #[inline]
    pub(super) fn at(&self, slot: Slot) -> impl Iterator<Item = &Node<'e>> {
        let mut next = self.ends.get(slot as usize).map_or(NONE, |(first, _)| *first);
        std::iter::from_fn(move || {
            let (node, after) = self.nodes.get(next as usize)?;
            next = *after;
            Some(node)
        })
    }
}
