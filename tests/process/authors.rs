//! What authors of plugins do before there is a plugin. What the tools of each language make of it is tested by `tests/plugins`.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::house::{House, root};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_new_plugin_is_a_folder_with_everything_in_it() {
    let house = House::new("");
    for (language, source) in [("rust", "src/lib.rs"), ("js", "plugin.js"), ("python", "plugin.py"), ("c", "plugin.c")] {
        let name = format!("hello-{language}");
        let told = house.ok(&["plugin", "new", &name, "--lang", language, "--in", "mine/plugins"]);
        assert!(told.contains("zelo plugin build") && told.contains(&format!("zelo plugin test {name}.wasm cases.toml")), "{told}");
        let folder = house.path("mine/plugins").join(&name);
        for file in [source, "plugin.toml", "cases.toml", "README.md", "wit/zelo-automation-0.1.0/world.wit", ".gitignore"] {
            assert!(folder.join(file).is_file(), "{language}: {file}");
        }
        assert!(fs::read_to_string(folder.join("plugin.toml")).unwrap().starts_with(&format!("name    = \"{name}\"\n")));
    }
    // Where its Cargo.toml says that the SDK is, the SDK is; and it finds the contract from there.
    let rust = house.path("mine/plugins/hello-rust");
    let sdk = rust.join("vendor/zelo-plugin");
    assert!(fs::read_to_string(rust.join("Cargo.toml")).unwrap().contains("path = \"vendor/zelo-plugin\""));
    assert!(fs::read_to_string(sdk.join("src/bindings.rs")).unwrap().contains("\"../../wit/zelo-automation-0.1.0\""));
    assert!(fs::canonicalize(sdk.join("../../wit/zelo-automation-0.1.0/http.wit")).is_ok());
}

#[test]
fn what_cannot_become_a_plugin_is_refused_with_what_to_do() {
    let house = House::new("");
    for name in ["Greeter", "9lives", "under_score", "olá", "", "a/b", "..", &"x".repeat(65)] {
        let refused = house.zelo(&["plugin", "new", name, "--lang", "c"]);
        assert!(
            refused.status.code() == Some(2) && said(&refused).contains("small letters, digits and hyphens"),
            "{name}: {}",
            said(&refused)
        );
    }
    assert_eq!(house.zelo(&["plugin", "new", "hello", "--lang", "cobol"]).status.code(), Some(2));
    fs::create_dir(house.path("hello")).unwrap();
    fs::write(house.path("hello/mine"), "").unwrap();
    let refused = house.zelo(&["plugin", "new", "hello", "--lang", "c"]);
    assert!(refused.status.code() == Some(2) && said(&refused).contains("hello is there already"), "{}", said(&refused));
    assert_eq!(fs::read_dir(house.path("hello")).unwrap().count(), 1);

    // A folder that is none, one without a manifest, one of no language.
    assert!(said(&house.zelo(&["plugin", "build", "nowhere"])).contains("nowhere"));
    let without = house.zelo(&["plugin", "build", "hello"]);
    assert!(without.status.code() == Some(2) && said(&without).contains("hello/plugin.toml cannot be read"), "{}", said(&without));
    fs::copy(root().join("examples/plugins/plugin.toml"), house.path("hello/plugin.toml")).unwrap();
    let tongueless = house.zelo(&["plugin", "build", "hello"]);
    assert!(tongueless.status.code() == Some(2) && said(&tongueless).contains("Cargo.toml (Rust)"), "{}", said(&tongueless));
}

#[test]
fn a_tool_that_is_missing_is_named_with_the_way_to_it() {
    let house = House::new("");
    for (language, tool) in
        [("js", "npm is needed, and is not there: install Node.js"), ("python", "install Python 3"), ("c", "install Python 3")]
    {
        house.ok(&["plugin", "new", language, "--lang", language]);
        let output = house.without_programs(&["plugin", "build", language]);
        assert!(output.status.code() == Some(2) && said(&output).contains(tool), "{language}: {}", said(&output));
        assert!(!house.path(language).join(format!("{language}.wasm")).exists());
    }
}

#[test]
fn a_plugin_is_shown_in_the_language_that_is_asked_for() {
    let house = House::new("");
    let crm = house.ok(&["plugin", "inspect", "plugins/crm.wasm"]);
    let manifest: toml::Table = fs::read_to_string(root().join("plugins/crm/plugin.toml")).unwrap().parse().unwrap();
    let reason = |lang: &str| manifest["wants"][0]["reason"][lang].as_str().unwrap().to_owned();
    assert!(crm.contains(&reason("pt-BR")) && !crm.contains(&reason("en")), "{crm}");
    assert!(crm.contains("digest ") && crm.contains("imports ") && crm.contains("required") && crm.contains("limits "), "{crm}");
    assert!(house.ok(&["plugin", "inspect", "plugins/crm.wasm", "--lang", "en"]).contains(&reason("en")));

    let told: Value = serde_json::from_str(&house.ok(&["plugin", "inspect", "plugins/crm.wasm", "--format", "json"])).unwrap();
    assert_eq!(told["wants"][0]["reason"], reason("pt-BR"));
    assert_eq!(told["description"], manifest["description"]["pt-BR"].as_str().unwrap());
    assert_eq!(told["limits"]["memory_mib"], json!(manifest["limits"]["memory_mib"].as_integer()));
    assert_eq!(told["inputs"]["type"], "object");
}
