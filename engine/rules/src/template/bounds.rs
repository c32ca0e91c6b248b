//! What a template must not be, whatever its values: so deep that reading it takes more stack than there is, or able to
//! make much of little.
//!
//! minijinja bounds steps, not memory, and guards some of its recursion. So each block is short and flat; only a sum and a `~`
//! make a value longer than what it is made of, by as often as they stand in the block; and what a loop gives a name to is
//! something there was, so that no second block makes more of it.

use super::TemplateError;
use super::scan::Token;

/// No `{{ … }}` or `{% … %}` has more words and signs.
const TOKENS_MAX: usize = 256;
/// No brackets stand deeper in each other.
const BRACKETS_MAX: usize = 16;
/// No `{% if %}` and `{% for %}` stand deeper in each other; an `{% elif %}` counts as one more.
const STATEMENTS_MAX: usize = 32;
/// No block has more `+` and `~`.
const SUMS_MAX: usize = 8;

/// The first thing that is too much.
pub(super) fn check(tokens: &[Token<'_>]) -> Option<TemplateError> {
    let mut open = Vec::new();
    tokens.chunk_by(|one, next| one.block == next.block).find_map(|block| {
        let first = block.first().filter(|token| token.statement);
        match first.map(|token| token.text) {
            Some("for") => return whole(block).or_else(|| head(block, &open)).or_else(|| enter(block, &mut open, true)),
            Some("if") => return whole(block).or_else(|| enter(block, &mut open, false)),
            Some("elif") => {
                if let Some(opened) = open.last_mut() {
                    opened.levels += 1;
                }
                return whole(block).or_else(|| deep(block, &open));
            }
            Some("endif" | "endfor") => drop(open.pop()),
            // What stands inside would be read in another way.
            Some("raw" | "endraw") => return first.map(|token| error(token, "there is no statement `raw`".to_owned())),
            _ => {}
        }
        whole(block)
    })
}

/// An `{% if %}` or `{% for %}` whose end has not come yet.
struct Opened {
    is_loop: bool,
    levels: usize,
}

fn enter(block: &[Token<'_>], open: &mut Vec<Opened>, is_loop: bool) -> Option<TemplateError> {
    open.push(Opened { is_loop, levels: 1 });
    deep(block, open)
}

fn deep(block: &[Token<'_>], open: &[Opened]) -> Option<TemplateError> {
    let levels: usize = open.iter().map(|opened| opened.levels).sum();
    let first = block.first().filter(|_| levels > STATEMENTS_MAX)?;
    Some(error(first, format!("blocks stand at most {STATEMENTS_MAX} deep in each other")))
}

/// What is wrong with one block by itself.
fn whole(block: &[Token<'_>]) -> Option<TemplateError> {
    if let Some(token) = block.get(TOKENS_MAX) {
        return Some(error(token, format!("a block has at most {TOKENS_MAX} words and signs")));
    }
    let mut sums = 0;
    // How many colons stand in each bracket that is open.
    let mut brackets: Vec<usize> = Vec::new();
    block.iter().find_map(|token| {
        let message = match token.text {
            "(" | "[" => {
                brackets.push(0);
                (brackets.len() > BRACKETS_MAX).then(|| format!("brackets stand at most {BRACKETS_MAX} deep in each other"))
            }
            ")" | "]" => {
                brackets.pop();
                None
            }
            // They would also hide the end of a block.
            "{" | "}" => Some("there are no maps in templates".to_owned()),
            "*" => Some("there is no `*` in templates: of a text or a list it would make many".to_owned()),
            "~" | "+" => {
                sums += 1;
                (sums > SUMS_MAX).then(|| format!("a block has at most {SUMS_MAX} `~` and `+`; text may stand between blocks"))
            }
            ":" => brackets.last_mut().and_then(|colons| {
                *colons += 1;
                (*colons > 1).then(|| "a part of a text or list has no step: `[from:to]`".to_owned())
            }),
            _ => None,
        };
        message.map(|message| error(token, message))
    })
}

/// What is wrong with the list of a loop: it may not be longer than what there was.
fn head(block: &[Token<'_>], open: &[Opened]) -> Option<TemplateError> {
    let nested = open.iter().any(|opened| opened.is_loop);
    let list = block.iter().position(|token| token.text == "in").map_or(block.len(), |at| at + 1);
    let mut depth = 0_usize;
    block.get(list..)?.iter().find_map(|token| {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let message = match token.text {
            "+" | "~" => "a loop goes over what there is; there is no sum in its list",
            "," if nested => "the list of a loop inside another is a value, or what a filter with one argument makes of it",
            "," if depth > 1 => "the list of a loop is flat",
            "recursive" => "loops are not recursive",
            _ => return None,
        };
        Some(error(token, message.to_owned()))
    })
}

fn error(token: &Token<'_>, message: String) -> TemplateError {
    TemplateError { message, at: Some(token.place.clone()), meant: None }
}
