//! Mistakes in files: every `diagnostics/*.toml` is a file with some, the `.err` beside it is what is said about them.
//!
//! `UPDATE=1 cargo test -p zelo-rules` writes the `.err` files anew; read the difference before keeping it.

use std::path::{Path, PathBuf};

use zelo_rules::{FileText, Files, PluginFacts, Plugins, Severity, load, render};

use super::common::{Installed, file, loaded, shipped};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/diagnostics")
}

/// The files of a case: `source-*` stands alone, `rule-*` stands beside the shipped source.
fn case(path: &Path) -> Files {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let text = FileText { name: name.clone(), text: std::fs::read_to_string(path).unwrap() };
    let source = file("rules/sources/clinicarx.toml");
    if name.starts_with("source-") {
        Files { sources: vec![text], rules: vec![], samples: vec![] }
    } else {
        Files { sources: vec![source], rules: vec![text], samples: vec![] }
    }
}

#[test]
fn every_mistake_is_said_with_its_place() {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    cases.sort();
    assert!(cases.len() >= 20, "{} cases", cases.len());
    for path in cases {
        let files = case(&path);
        let loaded = load(&files, &Installed);
        let said = render(&loaded.diagnostics, &files);
        let expected = path.with_extension("err");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, &said).unwrap();
        }
        assert_eq!(said, std::fs::read_to_string(&expected).unwrap_or_default(), "{}", expected.display());
        let errors = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        assert_eq!(loaded.set.is_none(), errors, "{}: all or nothing", path.display());
    }
}

#[test]
fn one_mistake_keeps_the_whole_set_out() {
    let mut files = shipped();
    assert!(load(&files, &Installed).set.is_some());
    files.rules.push(FileText { name: "bad.toml".to_owned(), text: "id = 1".to_owned() });
    let loaded = load(&files, &Installed);
    assert!(loaded.set.is_none());
    assert!(loaded.diagnostics.iter().all(|diagnostic| diagnostic.file == "bad.toml"));
}

#[test]
fn ids_are_unique_over_files() {
    let mut files = shipped();
    files.rules.push(FileText { name: "copy.toml".to_owned(), ..files.rules[0].clone() });
    files.sources.push(FileText { name: "copy-source.toml".to_owned(), ..files.sources[0].clone() });
    let said: Vec<String> = load(&files, &Installed)
        .diagnostics
        .iter()
        .map(|found| format!("{}:{}:{} {}", found.file, found.line, found.column, found.message))
        .collect();
    assert_eq!(
        said,
        [
            "copy-source.toml:8:19 there is another source with the id `clinicarx`",
            "copy.toml:7:15 there is another rule with the id `appointment-reminder`"
        ]
    );
}

#[test]
fn a_broken_source_does_not_make_rules_look_broken() {
    let mut files = shipped();
    files.sources[0].text.insert(0, ']');
    let loaded = load(&files, &Installed);
    assert!(loaded.set.is_none());
    assert!(loaded.diagnostics.iter().all(|found| found.file == files.sources[0].name), "{}", render(&loaded.diagnostics, &files));
}

#[test]
fn diagnostics_are_data() {
    let files = case(&folder().join("rule-unknown-keys.toml"));
    let json = serde_json::to_value(load(&files, &Installed).diagnostics).unwrap();
    assert_eq!(
        json[1],
        serde_json::json!({
            "code": "unknown-key", "severity": "error", "file": "rule-unknown-keys.toml", "span": {"start": 9, "end": 14},
            "line": 2, "column": 1, "message": "`titel` is not a key of the file", "suggestion": "title",
        })
    );
}

#[test]
fn windows_line_ends_do_not_matter() {
    let mut files = shipped();
    for file in files.sources.iter_mut().chain(&mut files.rules) {
        file.text = file.text.replace('\n', "\r\n");
    }
    loaded(&files);
}

#[test]
fn a_window_needs_a_zone_from_somewhere() {
    let mut files = shipped();
    let without = files.sources[0].text.lines().filter(|line| !line.starts_with("clinic_timezone")).collect::<Vec<_>>().join("\n");
    files.sources[0].text = without;
    let codes: Vec<_> = load(&files, &Installed).diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["no-zone"], "a record may not name one");
    files.rules[0].text = files.rules[0].text.replace("{ record = \"clinic\", path = \"$.timezone\" } }", "\"America/Sao_Paulo\" }");
    assert!(load(&files, &Installed).set.is_some(), "a zone of its own is enough");
}

/// A house without plugins.
struct Nothing;

impl Plugins for Nothing {
    fn plugin(&self, _: &str) -> Option<PluginFacts> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn without_plugins_only_that_is_said() {
    let said: Vec<_> = load(&shipped(), &Nothing).diagnostics.into_iter().map(|found| (found.message, found.help)).collect();
    let help = "no plugins are installed; run plugins/build".to_owned();
    assert_eq!(said, [("there is no plugin `reminder`".to_owned(), Some(help))], "and nothing about the tests of the action");
}

#[test]
fn an_import_that_is_not_granted_is_named() {
    let mut files = shipped();
    files.rules[0].text = files.rules[0].text.replace("[then.grant]\nmessages", "[then.grant]\n# messages");
    let said: Vec<_> = load(&files, &Installed).diagnostics.into_iter().map(|found| found.message).collect();
    assert_eq!(said, ["plugin `reminder` imports `messages`, which [then.grant] does not grant"]);
}
