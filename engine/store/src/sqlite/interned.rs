//! Texts that come in row after row, bound without a copy each time.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo};
use sqlx::{Sqlite, Type};

/// As many texts a thread keeps, of so many bytes at most: what is beyond is copied like any other.
const MOST: usize = 1024;
const LONGEST: usize = 96;

thread_local! {
    static KEPT: RefCell<HashSet<Arc<str>>> = RefCell::default();
}

/// The name of a connection, a clinic or a rule, the type of an event, a state: a text that many rows have, and no patient's.
pub(crate) struct Interned<'a>(pub &'a str);

impl Type<Sqlite> for Interned<'_> {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Interned<'_> {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        shared(self.0).encode(buffer)
    }
}

/// The text as this thread keeps it.
fn shared(text: &str) -> Arc<str> {
    KEPT.with_borrow_mut(|kept| {
        if let Some(known) = kept.get(text) {
            return known.clone();
        }
        let new: Arc<str> = Arc::from(text);
        if text.len() <= LONGEST {
            if kept.len() >= MOST {
                kept.clear();
            }
            kept.insert(new.clone());
        }
        new
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_not_without_bound() {
        assert!(Arc::ptr_eq(&shared("clinicarx"), &shared("clinicarx")));
        assert_ne!(shared("clinicarx"), shared("plotado"));
        let long = "a".repeat(LONGEST + 1);
        assert!(*shared(&long) == *long && !Arc::ptr_eq(&shared(&long), &shared(&long)), "it is bound, and not kept");
        for number in 0..3 * MOST {
            assert_eq!(*shared(&number.to_string()), number.to_string());
            assert!(KEPT.with_borrow(HashSet::len) <= MOST);
        }
    }
}
