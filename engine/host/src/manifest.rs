//! What a plugin says about itself: `plugin.toml`, which travels inside the component as a custom section.

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zelo_core::grants::Capability;

/// No manifest is larger, in bytes.
pub const MANIFEST_MAX: usize = 64 << 10;

/// What [`is_name`] asks for, in words.
pub const NAME_RULE: &str = "1 to 64 small letters, digits and hyphens, a letter first";

/// Whether a plugin may be called this.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 64 && name.chars().all(plain)
}

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How rules name it: small letters, digits and hyphens.
    pub name: String,
    /// `major.minor.patch` ([semver.org](https://semver.org)). Rules may pin the major: `receipt@1`.
    pub version: Version,
    pub title: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// What `[then.with]` may and must give it: a JSON Schema of an object.
    pub inputs: Value,
    /// The capabilities it needs, `log` aside, with the reasons that a clinic is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<Want>,
    /// What it gets by with, where that is less than the host allows.
    #[serde(default)]
    pub limits: Needs,
}

/// A text for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a text by language, as in { en = \"Greeter\", pt-BR = \"Saudação\" }")]
pub struct Text {
    pub en: String,
    #[serde(rename = "pt-BR", default, skip_serializing_if = "Option::is_none")]
    pub pt_br: Option<String>,
}

/// A capability that a plugin needs, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Want {
    pub capability: Capability,
    pub reason: Text,
}

/// What a plugin gets by with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u32>,
}

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("its manifest has {size} bytes; {MANIFEST_MAX} are allowed")]
    TooLarge { size: usize },
    #[error("its manifest is not UTF-8")]
    NotText,
    /// What is wrong stands in the message itself, and not once more as a source.
    #[error("its manifest cannot be read: {0}")]
    Toml(toml::de::Error),
    #[error("its manifest's `name` is `{0}`; it needs {NAME_RULE}")]
    Name(String),
    #[error("its manifest's `{field}` {problem}")]
    Field { field: &'static str, problem: &'static str },
    #[error("its manifest's `inputs` {0}")]
    Inputs(String),
}

impl From<toml::de::Error> for ManifestError {
    fn from(error: toml::de::Error) -> Self {
        Self::Toml(error)
    }
}

/// The types of JSON Schema ([validation, 6.1.1](https://json-schema.org/draft/2020-12/json-schema-validation#section-6.1.1)).
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// What may be said of an input: the keywords of JSON Schema that say something of a value, and zelo's own `label` and `words`.
const KEYWORDS: [&str; 43] = [
    "$comment",
    "$defs",
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "contains",
    "contentEncoding",
    "contentMediaType",
    "default",
    "dependentRequired",
    "deprecated",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "items",
    "label",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "maxProperties",
    "multipleOf",
    "not",
    "oneOf",
    "pattern",
    "prefixItems",
    "properties",
    "required",
    "then",
    "title",
    "type",
    "uniqueItems",
    "words",
];
/// What is wrong with the schema of the inputs, as far as a misspelt word would go unnoticed.
fn misspelt(inputs: &Value) -> Option<String> {
    let properties = inputs.get("properties").and_then(Value::as_object);
    for (name, schema) in properties.into_iter().flatten() {
        let Some(schema) = schema.as_object() else { return Some(format!("says of `{name}` something that is no table")) };
        if let Some(strange) = schema.keys().find(|key| !KEYWORDS.contains(&key.as_str())) {
            return Some(format!("says `{strange}` of `{name}`, which JSON Schema does not know"));
        }
        let types = match schema.get("type") {
            Some(Value::Array(types)) => types.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        if let Some(strange) = types.iter().find(|kind| !kind.as_str().is_some_and(|kind| TYPES.contains(&kind))) {
            return Some(format!("gives `{name}` the type {strange}; types are {}", TYPES.join(", ")));
        }
    }
    let named = |name: &&Value| name.as_str().is_some_and(|name| properties.is_some_and(|all| all.contains_key(name)));
    let required = inputs.get("required").and_then(Value::as_array);
    let strange = required.into_iter().flatten().find(|name| !named(name))?;
    Some(format!("requires {strange}, which is not among its properties"))
}

impl Manifest {
    /// Reads a `plugin.toml`.
    ///
    /// # Errors
    /// The first thing that is wrong with it; TOML errors carry line and column.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        if text.len() > MANIFEST_MAX {
            return Err(ManifestError::TooLarge { size: text.len() });
        }
        let manifest: Self = toml::from_str(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), ManifestError> {
        if !is_name(&self.name) {
            return Err(ManifestError::Name(self.name.clone()));
        }
        if !self.version.pre.is_empty() || !self.version.build.is_empty() {
            return Err(ManifestError::Field { field: "version", problem: "is not `major.minor.patch`, and nothing more" });
        }
        if self.title.en.is_empty() {
            return Err(ManifestError::Field { field: "title", problem: "has no text in `en`" });
        }
        if self.inputs.get("type").and_then(Value::as_str) != Some("object") {
            return Err(ManifestError::Field { field: "inputs", problem: "is not a JSON Schema of `type = \"object\"`" });
        }
        if self.inputs.get("properties").is_some_and(|properties| !properties.is_object()) {
            return Err(ManifestError::Field { field: "inputs.properties", problem: "is not a table" });
        }
        if let Some(problem) = misspelt(&self.inputs) {
            return Err(ManifestError::Inputs(problem));
        }
        Ok(())
    }

    /// The capabilities it needs; `log` is always among them.
    pub fn wanted(&self) -> Vec<Capability> {
        let mut wanted: Vec<_> = self.wants.iter().map(|want| want.capability).chain([Capability::Log]).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// The inputs that the schema names, in its order.
    pub fn input_names(&self) -> Vec<&str> {
        self.inputs.get("properties").and_then(Value::as_object).map_or_else(Vec::new, |all| all.keys().map(String::as_str).collect())
    }

    /// The inputs that must be given.
    pub fn required_inputs(&self) -> Vec<&str> {
        self.inputs.get("required").and_then(Value::as_array).map_or_else(Vec::new, |all| all.iter().filter_map(Value::as_str).collect())
    }

    /// Whether the plugin takes an input called `name`.
    pub fn takes_input(&self, name: &str) -> bool {
        self.inputs.get("additionalProperties").is_none_or(|extra| extra != false) || self.input_names().contains(&name)
    }
}

impl Text {
    /// The text in the language of `locale` (BCP 47); English where there is none.
    pub fn in_locale(&self, locale: &str) -> &str {
        match &self.pt_br {
            Some(text) if locale.get(..2).is_some_and(|language| language.eq_ignore_ascii_case("pt")) => text,
            _ => &self.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "reminder"
        version = "1.2.3"
        title = { en = "Reminder", pt-BR = "Lembrete" }

        [inputs]
        type = "object"
        required = ["to"]
        additionalProperties = false
        properties.to = { type = "string" }

        [[wants]]
        capability = "messages"
        reason = { en = "Sends the reminder" }
    "#;

    fn error(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from));
        Manifest::parse(&GOOD.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn reads_what_a_plugin_says_about_itself() {
        let manifest = Manifest::parse(GOOD).unwrap();
        assert_eq!(manifest.version.major, 1);
        assert_eq!(manifest.wanted(), [Capability::Log, Capability::Messages]);
        assert_eq!((manifest.title.in_locale("pt-PT"), manifest.title.in_locale("en-US")), ("Lembrete", "Reminder"));
        assert_eq!(manifest.required_inputs(), ["to"]);
        assert!(manifest.takes_input("to") && !manifest.takes_input("cc"));
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(error("\"reminder\"", "\"Reminder\"").contains("`Reminder`"));
        assert!(error("1.2.3", "one").contains("line 3"));
        for more in ["1.2.3-beta.1", "1.2.3+a"] {
            assert!(error("1.2.3", more).contains("`version`"), "{more}");
        }
        for (from, to, why) in [
            ("properties.to = { type = \"string\" }", "properties.to = { type = \"strnig\" }", "the type \"strnig\"; types are array"),
            ("properties.to = { type = \"string\" }", "properties.to = { type = [\"string\", 1] }", "the type 1"),
            ("properties.to = { type = \"string\" }", "properties.to = { minLenght = 1 }", "says `minLenght` of `to`"),
            ("properties.to = { type = \"string\" }", "properties.to = 1", "no table"),
            ("required = [\"to\"]", "required = [\"to\", \"nmae\"]", "requires \"nmae\", which is not among"),
        ] {
            assert!(error(from, to).contains(why), "{}", error(from, to));
        }
        let plain = error("title = { en = \"Reminder\", pt-BR = \"Lembrete\" }", "title = \"Reminder\"");
        assert!(plain.contains("expected a text by language, as in { en ="), "{plain}");
        assert!(error("\"messages\"", "\"teleport\"").contains("teleport"));
        assert!(error("type = \"object\"", "type = \"array\"").contains("`inputs`"));
        assert!(error("version", "versoin").contains("versoin"));
        assert!(Manifest::parse(&" ".repeat(MANIFEST_MAX + 1)).unwrap_err().to_string().contains("65537"));
    }
}
