//! Mistakes in files: every `diagnostics/*.toml` is a file with some, the `.err` beside it is what is said about them.
//!
//! `UPDATE=1 cargo test -p zelo-rules` writes the `.err` files anew; read the difference before keeping it.

use std::path::{Path, PathBuf};

use zelo_rules::{FileText, Files, PluginFacts, Plugins, Severity, load, render};

use super::common::{Installed, file, loaded, root, samples_of, shipped};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/diagnostics")
}

/// The files of a case: `source-*` stands alone, `rule-*` stands beside the shipped source. Samples are
/// where the sources say.
pub(crate) fn case(path: &Path) -> Files {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let text = FileText { name: name.clone(), text: std::fs::read_to_string(path).unwrap() };
    if name.starts_with("source-") {
        let samples = samples_of(&text, &folder());
        return Files { sources: vec![text], rules: vec![], samples };
    }
    let shipped = file("rules/sources/clinicarx.toml");
    let samples = samples_of(&shipped, &root().join("rules/sources"));
    Files { sources: vec![shipped], rules: vec![text], samples }
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
            "copy-source.toml:10:19 there is another source with the id `clinicarx`",
            "copy.toml:9:15 there is another rule with the id `appointment-reminder`"
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
fn a_mistake_in_classes_or_records_makes_no_field_sensitive_or_unknown() {
    for (right, wrong) in [("\"$.data.clinic\",", "\"data.clinic\","), ("timezone = \"$.data.timezone\"", "timezone = \"data.timezone\"")] {
        let mut files = shipped();
        files.sources[0].text = files.sources[0].text.replacen(right, wrong, 1);
        let found = load(&files, &Installed).diagnostics;
        assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["bad-path"], "{}", render(&found, &files));
    }
}

#[test]
fn where_a_type_has_no_sample_nothing_is_said_of_its_paths() {
    let mut files = case(&folder().join("rule-lint-paths.toml"));
    let paths = |files: &Files| load(files, &Installed).diagnostics.iter().filter(|found| found.code == "no-such-path").count();
    assert!(paths(&files) > 10);
    files
        .samples
        .retain(|sample| !sample.name.contains("attendance") && !sample.name.contains("service") && !sample.name.contains("patient"));
    assert_eq!(paths(&files), 0);
}

#[test]
fn diagnostics_are_data() {
    let files = case(&folder().join("rule-unknown-keys.toml"));
    let json = serde_json::to_value(load(&files, &Installed).diagnostics).unwrap();
    assert_eq!(
        json[0],
        serde_json::json!({
            "code": "unknown-key", "severity": "error", "file": "rule-unknown-keys.toml", "span": {"start": 9, "end": 14},
            "line": 2, "column": 1, "end_line": 2, "end_column": 6, "message": "`titel` is not a key of the file",
            "suggestion": "title", "replace": {"start": 9, "end": 14},
        })
    );
    assert!(json.as_array().unwrap().iter().all(|found| found["code"] != "missing-key"), "a misspelt key is not missing as well");
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

/// The text that is left where every suggestion of `case` has been taken.
fn mended(path: &str) -> (Files, usize) {
    let mut files = case(&folder().join(path));
    let mut found = load(&files, &Installed).diagnostics;
    found.retain(|found| found.file == files.rules[0].name);
    found.sort_by_key(|found| std::cmp::Reverse(found.span.start));
    let mut taken = 0;
    for found in found {
        if let (Some(place), Some(text)) = (found.replace, found.suggestion) {
            files.rules[0].text.replace_range(place, &text);
            taken += 1;
        }
    }
    (files, taken)
}

#[test]
fn a_suggestion_taken_mends_its_finding() {
    for (path, codes) in [
        ("rule-lint-paths.toml", &["no-such-path"] as &[&str]),
        ("rule-templates.toml", &["unknown-setting"]),
        ("rule-chains.toml", &["unknown-action"]),
        ("rule-warnings.toml", &["unknown-field"]),
        ("rule-unknown-keys.toml", &["unknown-key"]),
    ] {
        let before = load(&case(&folder().join(path)), &Installed).diagnostics;
        let (files, taken) = mended(path);
        let after = load(&files, &Installed).diagnostics;
        let with = |found: &[zelo_rules::Diagnostic]| {
            found.iter().filter(|found| codes.contains(&found.code) && found.suggestion.is_some()).count()
        };
        assert!(taken > 0 && with(&before) > 0, "{path} has suggestions");
        assert_eq!(with(&after), 0, "{path}:\n{}", render(&after, &files));
    }
}

#[test]
fn colours_change_no_character() {
    let files = case(&folder().join("rule-warnings.toml"));
    let found = load(&files, &Installed).diagnostics;
    let mut coloured = zelo_rules::render_in(zelo_rules::Colours::Ansi, &found, &files);
    assert!(coloured.contains("\x1b["));
    while let Some(start) = coloured.find("\x1b[") {
        let end = start + coloured[start..].find('m').unwrap();
        coloured.replace_range(start..=end, "");
    }
    assert_eq!(coloured, render(&found, &files));
}

#[test]
fn findings_are_counted() {
    let count = |path: &str| zelo_rules::counts(&load(&case(&folder().join(path)), &Installed).diagnostics);
    assert_eq!(count("rule-no-actions.toml").unwrap(), "1 error");
    assert_eq!(count("source-last-resort.toml").unwrap(), "1 warning");
    assert_eq!(zelo_rules::counts(&[]), None);
}

#[test]
fn what_ships_has_no_finding() {
    let all = |folder: &str| {
        let mut names: Vec<String> =
            std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.into_iter().map(|name| file(&format!("{folder}/{name}"))).collect::<Vec<_>>()
    };
    let sources = all("rules/sources");
    let samples = sources.iter().flat_map(|source| samples_of(source, &root().join("rules/sources"))).collect();
    let files = Files { sources, rules: all("rules/automations"), samples };
    assert!(files.samples.iter().all(|sample| sample.text.is_ok()));
    // The plugins are built for another test: what is said about them is no matter here.
    let mut found = load(&files, &Installed).diagnostics;
    found.retain(|found| found.code != "unknown-plugin");
    assert!(found.is_empty(), "{}", render(&found, &files));
}

/// Where the codes are told.
fn table() -> String {
    file("rules/DIAGNOSTICS.md").text
}

/// The codes that the source of this crate gives.
fn codes() -> std::collections::BTreeSet<String> {
    let mut folders = vec![root().join("engine/rules/src")];
    let mut codes = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                codes.extend(codes_in(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    codes
}

/// What stands in quotes behind `error(` or `warning(`, or first in brackets where it looks like a code.
fn codes_in(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let after = |opening: &'static str| text.match_indices(opening).map(move |(at, _)| &text[at + opening.len()..]);
    let quoted = |rest: &str| Some(rest.trim_start().strip_prefix('"')?.split('"').next()?.to_owned());
    let is_word = |word: &String| word.chars().all(|char| char.is_ascii_lowercase() || char == '-');
    let given = after("error(").chain(after("warning(")).filter_map(quoted).filter(is_word);
    let is_code = |word: &String| is_word(word) && ["bad-", "missing-", "never-", "always-"].iter().any(|start| word.starts_with(start));
    given.chain(after("(").filter_map(quoted).filter(is_code)).collect()
}

#[test]
fn every_code_is_told() {
    let told: std::collections::BTreeSet<String> = table()
        .split("## Errors")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned()))
        .collect();
    let given = codes();
    for code in ["no-such-path", "bad-duration", "missing-sample", "never-holds", "invalid-toml"] {
        assert!(given.contains(code), "{code} is found in the source");
    }
    assert_eq!(given.difference(&told).collect::<Vec<_>>(), [""; 0], "codes without a line in rules/DIAGNOSTICS.md");
    assert_eq!(told.difference(&given).collect::<Vec<_>>(), [""; 0], "codes in rules/DIAGNOSTICS.md that nothing gives");
}
