//! Rule files.

use serde_json::{Value, json};

use super::table::{Keys, named};
use super::timing::at_once;
use super::values::{list, name, path, refers, some, string, text, types};
use super::{action, condition, setting, try_out};

/// The keys of a rule file.
pub(super) fn keys() -> Keys {
    Keys::new()
        .need("id", "Names the rule: automations, jobs and logs call it so.", name())
        .need("title", "What the rule is called on the pages.", text())
        .may("description", "What the rule does, for who may switch it on.", text())
        .may("source", "Only events of this source. Absent: of any that names the types.", string())
        .need("on", "The types of events that the rule is about; `appointment.*` stands for all that begin so.", types())
        .may("settings", "What a clinic may choose: one `[settings.NAME]` for each.", named(&name(), &refers("setting")))
        .may("when", "A condition over the event. Absent: always.", refers("condition"))
        .may("lookup", "Records that the actions may read: one `[lookup.NAME]` for each.", named(&name(), &lookup()))
        .may("concurrency", "At most so many jobs of this rule at once.", at_once())
        .need("then", "The actions, one `[[then]]` for each.", some(&refers("action")))
        .may("test", "The tests, which `zelo test` runs.", list(&refers("test")))
}

/// What the keys name.
pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    let mut definitions = vec![("action", action::action()), ("setting", setting::setting()), ("test", try_out::test())];
    definitions.push(("input", action::input()));
    definitions.extend(condition::definitions());
    definitions
}

fn lookup() -> Value {
    Keys::new()
        .need("key", "Path of the record's id. A singular path gives one record, any other a list of them.", path())
        .may("record", "The type of the records, where it is not the lookup's own name.", json!({ "type": "string" }))
        .schema()
}
