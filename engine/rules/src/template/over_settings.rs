//! Templates that name settings alone: durations, limits, right sides of conditions.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{RenderError, Template, Templates, Values, find};

impl Templates {
    /// What `template` gives under `settings`: the setting itself, with its type, where the template is nothing else.
    ///
    /// # Errors
    /// Why it gives nothing.
    pub(crate) fn over_settings(&self, template: &Template, settings: &Map<String, Value>) -> Result<Value, String> {
        let names = Map::from_iter([("settings".to_owned(), Value::Object(settings.clone()))]);
        let missing = |name: &str| format!("`{}` needs {name}", template.text());
        if let Some(only) = template.only() {
            return find(&names, only).cloned().ok_or_else(|| missing(only));
        }
        let values = Values { names: &names, zone: &TimeZone::UTC, clinic_zone: None, locale: "en" };
        self.render(template, &values).map(Value::String).map_err(|error| match error {
            RenderError::Missing(name) => missing(&name.unwrap_or_default()),
            RenderError::Failed(why) => format!("`{}` fails: {why}", template.text()),
        })
    }
}
