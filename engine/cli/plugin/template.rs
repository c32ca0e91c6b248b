//! What `zelo plugin new` writes. The files are those of `examples/plugins`, where the suite builds and runs them.

use super::language::Language;

/// What the examples are called, in every place where their name stands.
pub(super) const EXAMPLE: &str = "greeter";

/// A file of a new plugin: where it goes, and what it says.
pub(super) type File = (&'static str, &'static str);

macro_rules! files {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../", $folder, "/", $path)))),+]
    };
}

/// What a plugin has in every language.
const COMMON: &[File] = files!["examples/plugins": "plugin.toml", "cases.toml"];

const RUST: &[File] = files!["examples/plugins/rust":
    ".cargo/config.toml", ".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "src/lib.rs",
];

const JS: &[File] = files!["examples/plugins/js": ".gitignore", "README.md", "failures.js", "package.json", "plugin.js"];

const PYTHON: &[File] = files!["examples/plugins/python": ".gitignore", "README.md", "failures.py", "plugin.py", "requirements.txt"];

const C: &[File] = files!["examples/plugins/c":
    ".gitignore", "README.md", "bindings/README.md", "bindings/automation.c", "bindings/automation.h", "bindings/world.c", "json.c", "json.h",
    "plugin.c", "requirements.txt",
];

/// The SDK goes beside a plugin in Rust as long as no registry has it. It finds the contract under `wit/` of the plugin, where
/// it stands in `vendor/zelo-plugin` just as in zelo's own folders.
const SDK: &[File] = files!["plugins/sdk":
    "Cargo.toml", "src/backend.rs", "src/bindings.rs", "src/documents.rs", "src/events.rs",
    "src/http.rs", "src/lib.rs", "src/log.rs", "src/messages.rs",
    "src/records.rs", "src/refusals.rs", "src/state.rs", "src/testing.rs",
];
const SDK_FOLDER: &str = "vendor/zelo-plugin";

fn own(language: Language) -> &'static [File] {
    match language {
        Language::Rust => RUST,
        Language::Js => JS,
        Language::Python => PYTHON,
        Language::C => C,
    }
}

/// The files of a plugin of this name, in order.
pub(super) fn files(language: Language, name: &str) -> Vec<(String, String)> {
    let named = COMMON.iter().chain(own(language)).map(|(path, text)| ((*path).to_owned(), text.replace(EXAMPLE, name)));
    let contract = zelo_host::contract::FILES;
    let contract = contract.map(|(file, text)| (format!("wit/{}/{file}", zelo_host::contract::FOLDER), text.to_owned()));
    let sdk = if language == Language::Rust { SDK } else { &[] };
    let sdk = sdk.iter().map(|(path, text)| (format!("{SDK_FOLDER}/{path}"), (*text).to_owned()));
    let mut files: Vec<_> = named.chain(contract).chain(sdk).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The files below a folder of this repository: without links, and without what the tools put there.
    fn kept(folder: &Path, within: &str) -> BTreeSet<String> {
        let mut kept = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_symlink() || name.ends_with(".wasm") {
                continue;
            }
            if !path.is_dir() {
                kept.insert(format!("{within}{name}"));
            } else if !["target", "node_modules", "build", ".venv", "__pycache__"].contains(&name) {
                kept.extend(self::kept(&path, &format!("{within}{name}/")));
            }
        }
        kept
    }

    #[test]
    fn nothing_of_the_examples_is_left_out() {
        for (folder, files) in [
            ("examples/plugins/rust", RUST),
            ("examples/plugins/js", JS),
            ("examples/plugins/python", PYTHON),
            ("examples/plugins/c", C),
            ("plugins/sdk", SDK),
        ] {
            let there = kept(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), "");
            assert_eq!(files.iter().map(|(path, _)| (*path).to_owned()).collect::<BTreeSet<_>>(), there, "{folder}");
        }
    }

    #[test]
    fn the_name_stands_in_every_place() {
        for language in [Language::Rust, Language::Js, Language::Python, Language::C] {
            let files = files(language, "reminder-2");
            assert!(files.iter().all(|(_, text)| !text.contains(EXAMPLE)), "{language:?}");
            let named = |path: &str| files.iter().any(|(file, text)| file == path && text.contains("reminder-2"));
            assert!(named("plugin.toml") && named("README.md"), "{language:?}");
        }
    }
}
