//! The same from a tree.

use serde_json::Value;

use super::asked::Asked;
use super::found::Found;
use super::node::Node;

/// Looks through `tree` for what is asked.
pub(super) fn walk<'v>(tree: &'v Value, asked: &Asked) -> Found<'v> {
    let mut found = Found::new(asked.slots());
    visit(0, tree, asked, &mut found);
    found
}

fn visit<'v>(at: u32, value: &'v Value, asked: &Asked, found: &mut Found<'v>) {
    let Some(branch) = asked.branch(at) else { return };
    if let Some(slot) = branch.slot {
        found.push(slot, Node::of(value));
    }
    match value {
        Value::Object(members) => {
            for (name, there) in branch.names() {
                if let Some(member) = members.get(name) {
                    visit(there, member, asked, found);
                }
            }
            if let Some(any) = branch.any {
                members.values().for_each(|member| visit(any, member, asked, found));
            }
        }
        Value::Array(elements) => {
            for (index, there) in branch.indexes() {
                if let Some(element) = elements.get(index) {
                    visit(there, element, asked, found);
                }
            }
            if let Some(any) = branch.any {
                elements.iter().for_each(|element| visit(any, element, asked, found));
            }
        }
        _ => {}
    }
}
