//! Notes which keys the readers ask of which tables, so that a test can hold the schemas against them. Nothing is noted
//! outside of tests.
//!
//! A table is known by its place in its file, since the readers give several kinds of tables the same name.

use toml::de::DeTable;

#[cfg(test)]
pub(crate) use notes::{Step, take};

/// A document is about to be read.
pub(super) fn begin(file: &str, document: &DeTable<'_>) {
    #[cfg(test)]
    notes::begin(file, document);
    let _ = (file, document);
}

/// A reader has finished with a table.
pub(super) fn note(table: &DeTable<'_>, keys: &[&'static str]) {
    #[cfg(test)]
    notes::note(table, keys);
    let _ = (table, keys);
}

#[cfg(test)]
mod notes {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use toml::de::{DeTable, DeValue};

    /// One part of the place of a table in its file.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) enum Step {
        Key(String),
        Index,
    }

    /// A table that a reader has finished with.
    #[derive(Clone, Debug)]
    pub(crate) struct Asked {
        pub(crate) file: String,
        pub(crate) place: Vec<Step>,
        pub(crate) keys: Vec<&'static str>,
    }

    #[derive(Default)]
    struct Notes {
        file: String,
        /// The tables of the document that is being read, by their address: it stays where it is as long as it is read.
        places: BTreeMap<usize, Vec<Step>>,
        asked: Vec<Asked>,
    }

    thread_local! {
        static NOTES: RefCell<Notes> = RefCell::default();
    }

    /// A document is about to be read.
    pub(super) fn begin(file: &str, document: &DeTable<'_>) {
        let mut places = BTreeMap::new();
        walk(document, &[], &mut places);
        NOTES.with_borrow_mut(|notes| {
            notes.file = file.to_owned();
            notes.places = places;
        });
    }

    /// A reader has finished with a table.
    pub(super) fn note(table: &DeTable<'_>, keys: &[&'static str]) {
        NOTES.with_borrow_mut(|notes| {
            let place = notes.places[&address(table)].clone();
            notes.asked.push(Asked { file: notes.file.clone(), place, keys: keys.to_vec() });
        });
    }

    /// What the readers asked on this thread since this was called last.
    pub(crate) fn take() -> Vec<Asked> {
        NOTES.with_borrow_mut(|notes| std::mem::take(&mut notes.asked))
    }

    fn address(table: &DeTable<'_>) -> usize {
        std::ptr::from_ref(table).addr()
    }

    fn walk(table: &DeTable<'_>, place: &[Step], places: &mut BTreeMap<usize, Vec<Step>>) {
        places.insert(address(table), place.to_vec());
        for (key, node) in table.iter() {
            walk_value(node.get_ref(), &[place, &[Step::Key(key.get_ref().to_string())]].concat(), places);
        }
    }

    fn walk_value(value: &DeValue<'_>, place: &[Step], places: &mut BTreeMap<usize, Vec<Step>>) {
        match value {
            DeValue::Table(table) => walk(table, place, places),
            DeValue::Array(items) => {
                let place = [place, &[Step::Index]].concat();
                items.iter().for_each(|item| walk_value(item.get_ref(), &place, places));
            }
            _ => {}
        }
    }
}
