//! What care fields take: purposes and legal bases, also of what a plugin made of something delicate.

use zelo_rules::{Action, Class, ClassFrom, Consent, FileText, Files, RuleSet, load, render};

use super::common::{Installed, file, shipped};

/// A rule about finished attendances with these actions.
fn rule(id: &str, on: &str, then: &str) -> String {
    format!("id = \"{id}\"\ntitle = \"R\"\nsource = \"clinicarx\"\non = \"{on}\"\n{then}")
}

/// An action that shows `field` to the plugin that can do everything inside, which may do what `grant` says.
fn makes(name: &str, field: &str, more: &str, grant: &str) -> String {
    let all = "messages = { channels = [\"outbox\"], to = [\"x\"] }\ndocuments = true\nstate = true\n";
    let events = if grant.contains("events") { "" } else { "events = [\"any.other\"]\n" };
    let records = if grant.contains("records") { "" } else { "records = { other = [\"x\"] }\n" };
    let (allow, with) = if field.is_empty() { ("", "") } else { (field, "any = \"{{ it }}\"") };
    format!(
        "[[then]]\nname = \"{name}\"\nplugin = \"maker\"\n{more}\n[then.allow]\n{allow}\n[then.with]\n{with}\n[then.grant]\n{all}{events}{records}{grant}\n"
    )
}

const FOUNDED: &str = "purpose = \"p\"\nbasis = \"lgpd:11.II.f\"";
const SERVICES: &str = "it = \"$.data.services\"";
const NAME: &str = "it = \"$.data.patient.name\"";
const CLINIC: &str = "it = \"$.data.clinic.name\"";

fn files(rules: &[String]) -> Files {
    let rules = rules.iter().enumerate().map(|(at, text)| FileText { name: format!("{at}.toml"), text: text.clone() });
    Files {
        sources: vec![file("rules/sources/clinicarx.toml"), file("rules/sources/plotado.toml")],
        rules: rules.collect(),
        samples: vec![],
    }
}

/// What is said about these rules, without what tests are cut from.
fn said(rules: &[String]) -> Vec<String> {
    let found = load(&files(rules), &Installed).diagnostics.into_iter();
    let found = found.filter(|found| found.code != "unused-lookup");
    found.map(|found| format!("{}:{} {}: {}", found.file, found.line, found.code, found.message)).collect()
}

fn set(rules: &[String]) -> RuleSet {
    let files = files(rules);
    let loaded = load(&files, &Installed);
    loaded.set.unwrap_or_else(|| panic!("{}", render(&loaded.diagnostics, &files)))
}

fn action<'s>(set: &'s RuleSet, rule: &str, action: &str) -> &'s Action {
    set.rule(rule).unwrap().action(action).unwrap()
}

#[test]
fn only_bases_that_the_law_has_are_taken() {
    let with = |basis: &str, more: &str| {
        let text = rule("r", "attendance.finished", &makes("a", SERVICES, &format!("purpose = \"p\"\nbasis = \"{basis}\"\n{more}"), ""));
        load(&files(&[text]), &Installed).diagnostics
    };
    for letter in "abcdefg".chars() {
        assert!(with(&format!("lgpd:11.II.{letter}"), "").is_empty());
    }
    assert!(with("lgpd:11.I", "consent = \"messages\"").is_empty());
    for item in ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"] {
        let found = with(&format!("lgpd:7.{item}"), "consent = \"messages\"");
        assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["missing-basis"], "{item} is for what is not sensitive");
    }
    for (basis, meant) in [
        ("lgpd:7.XX", Some("lgpd:7.X")),
        ("lgpd:7.XI", Some("lgpd:7.X")),
        ("lgpd:11.II.z", Some("lgpd:11.II.g")),
        // What is left out nobody can guess.
        ("lgpd:11.II", None),
        ("lgpd:11.ii.f", Some("lgpd:11.II.f")),
        ("lgpd:7", None),
        ("lgpd:11.III", Some("lgpd:11.I")),
        ("gdpr:6", None),
    ] {
        let found = with(basis, "");
        let [found] = found.as_slice() else { panic!("{basis}: {found:?}") };
        assert_eq!((found.code, found.suggestion.as_deref()), ("bad-basis", meant), "{basis}");
    }
}

#[test]
fn what_a_health_service_knows_of_a_person_takes_a_basis_of_article_11() {
    let with = |field: &str, more: &str| {
        let found = said(&[rule("r", "attendance.finished", &makes("a", field, more, ""))]).into_iter();
        found.map(|text| text.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
    };
    let wanted = |wanted: &str| format!("missing-basis: `it` is about a person, and of a health service, so the action needs {wanted}");
    assert_eq!(with(NAME, "\n"), [wanted("a `purpose` and a `basis` of LGPD article 11")]);
    assert_eq!(with(NAME, "purpose = \"p\"\nbasis = \"lgpd:7.V\""), [wanted("a `basis` of LGPD article 11")]);
    assert_eq!(with(NAME, "basis = \"lgpd:11.II.f\""), [wanted("a `purpose`")]);
    assert_eq!(with(NAME, FOUNDED), [""; 0]);
    assert_eq!(with(CLINIC, ""), [""; 0], "it is about nobody");
    assert_eq!(with("", ""), [""; 0]);
}

#[test]
fn what_is_known_of_a_person_elsewhere_takes_some_basis() {
    let lead = |field: &str, more: &str| {
        let text = rule("r", "lead.created", &makes("a", field, more, "")).replace("clinicarx", "plotado");
        load(&files(&[text]), &Installed)
    };
    let found = lead("it = \"$.nome\"", "");
    assert!(found.set.is_some(), "it is a warning");
    assert_eq!(found.diagnostics.iter().map(|found| (found.code, found.line)).collect::<Vec<_>>(), [("no-basis", 10)]);
    assert_eq!(lead("it = \"$.nome\"", "basis = \"lgpd:7.V\"").diagnostics, []);
    assert_eq!(lead("it = \"$.mensagem\"", "basis = \"lgpd:7.V\"").diagnostics[0].code, "missing-basis");
}

#[test]
fn what_a_step_gave_is_as_delicate_as_what_it_was_shown() {
    let issue = makes("issue", SERVICES, FOUNDED, "");
    let send = |more: &str| makes("send", "", &format!("needs = [\"issue\"]\n{more}"), "");
    let third = makes("third", "", "needs = [\"send\"]", "");
    let of = |then: &[String]| said(&[rule("r", "attendance.finished", &then.concat())]);
    assert_eq!(of(&[issue.clone(), send(FOUNDED)]), [""; 0]);
    let wanted = "so the action needs a `purpose` and a `basis` of LGPD article 11";
    let first = format!("`issue` was shown what is sensitive, {wanted}");
    assert!(of(&[issue.clone(), send("")]).iter().map(|text| text.rsplit_once(": ").unwrap().1).eq([first.as_str()]));
    let found = of(&[issue.clone(), send(FOUNDED), third]);
    let second = format!("missing-basis: `send` may carry what action `issue` of rule `r` was shown, which is sensitive, {wanted}");
    assert!(found.len() == 1 && found[0].ends_with(&second), "{found:?}");
    let set = set(&[rule("r", "attendance.finished", &[issue, send(FOUNDED)].concat())]);
    assert_eq!((action(&set, "r", "issue").class, action(&set, "r", "send").class), (Class::Sensitive, Class::Sensitive));
}

#[test]
fn a_record_is_as_delicate_as_what_its_writers_were_shown() {
    let records = "records = { note = [\"text\"] }";
    let writer = |field: &str| rule("writer", "attendance.finished", &makes("write", field, FOUNDED, records));
    let lookup = "[lookup.note]\nkey = \"$.data.id\"\n";
    let reader = |more: &str| {
        rule(
            "reader",
            "appointment.created",
            &format!("{lookup}{}", makes("read", "it = { record = \"note\", path = \"$.text\" }", more, "")),
        )
    };
    let found = said(&[writer(SERVICES), reader("")]);
    let wanted = "missing-basis: `it` may carry what action `write` of rule `writer` was shown, which is sensitive, so the action needs a `purpose` and a `basis` of LGPD article 11";
    assert_eq!(found, [format!("1.toml:12 {wanted}")], "in whatever order the files are read");
    assert_eq!(said(&[reader(""), writer(SERVICES)]).len(), 1);
    assert!(said(&[writer(NAME), reader("")])[0].contains("which is about a person, and of a health service"));
    assert_eq!(said(&[writer(CLINIC), reader("")]), [""; 0], "nothing about anybody was written");
    let set = set(&[writer(SERVICES), reader(FOUNDED)]);
    let read = action(&set, "reader", "read");
    assert_eq!((read.class, read.allow[0].class), (Class::Sensitive, Class::Sensitive));
    let from = ClassFrom::Action { rule: "writer".to_owned(), action: "write".to_owned() };
    assert_eq!(read.allow[0].class_from, from);
}

#[test]
fn an_action_reads_the_records_that_it_may_write() {
    let records = "records = { note = [\"text\"] }";
    let writer = rule("writer", "attendance.finished", &makes("write", SERVICES, FOUNDED, records));
    let other = rule("other", "clinic.created", &makes("also", "", "", records));
    let found = said(&[writer, other]);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("what records of type `note` have may carry what action `write` of rule `writer` was shown"), "{found:?}");
}

#[test]
fn an_event_is_as_delicate_as_what_its_emitters_were_shown_through_any_number_of_hands() {
    let first = |field: &str| rule("first", "attendance.finished", &makes("a", field, FOUNDED, "events = [\"one.done\"]"));
    let second = rule("second", "one.done", &makes("b", "it = \"$.x\"", FOUNDED, "events = [\"two.done\"]\nrecords = { card = [\"x\"] }"));
    let caller = "[[then]]\nname = \"c\"\nplugin = \"caller\"\n[then.allow]\nit = \"$.y\"\n[then.with]\nany = \"{{ it }}\"\n[then.grant]\nhttp = [\"POST https://api.example.com/v1\"]\n";
    let third = rule("third", "two.done", caller);
    // Read in the order against the flow.
    let found = said(&[third.clone(), second.clone(), first(SERVICES)]);
    let wanted = "missing-basis: `it` may carry what action `a` of rule `first` was shown, which is sensitive, so the action needs a `purpose` and a `basis` of LGPD article 11";
    assert_eq!(found, [format!("0.toml:9 {wanted}")]);
    assert_eq!(said(&[third, second, first(CLINIC)]), [""; 0]);
}

#[test]
fn what_is_kept_of_rules_is_as_delicate_as_what_they_saw() {
    let writes = |field: &str| makes("a", field, FOUNDED, "events = [\"one.done\"]\nrecords = { card = [\"x\"] }");
    let first = |field: &str| rule("first", "attendance.finished", &writes(field));
    let second = rule("second", "one.done", &makes("b", "it = \"$.x\"", FOUNDED, "events = [\"two.done\"]"));
    let classified = |field: &str| set(&[first(field), second.clone()]).classified();
    for (field, class) in [(SERVICES, Class::Sensitive), (NAME, Class::Personal), (CLINIC, Class::Public)] {
        let found = classified(field);
        assert_eq!((found.actions["first/a"], found.events["one.done"], found.records["card"]), (class, class, class), "{field}");
        assert_eq!((found.actions["second/b"], found.events["two.done"]), (class, class), "{field}");
        assert_eq!((found.records["patient"], found.records["service"]), (Class::Personal, Class::Public));
        assert_eq!((found.events["patient.created"], found.events["service.created"]), (Class::Sensitive, Class::Public));
    }
}

#[test]
fn rules_that_feed_each_other_come_to_an_end() {
    let records = |kind: &str| format!("records = {{ {kind} = [\"x\"] }}");
    let reads = |id: &str, from: &str, to: &str, more: &str, on: &str| {
        let lookup = format!("[lookup.{from}]\nkey = \"$.data.id\"\n");
        let field = format!("it = {{ record = \"{from}\", path = \"$.x\" }}");
        rule(id, on, &format!("{lookup}{}", makes("a", &field, more, &records(to))))
    };
    let ring = |more: &str| [reads("one", "red", "blue", more, "clinic.created"), reads("two", "blue", "red", more, "clinic.updated")];
    assert_eq!(said(&ring("")), [""; 0], "nothing delicate goes round");
    let poison = rule("zzz", "attendance.finished", &makes("a", SERVICES, FOUNDED, &records("red")));
    let found = said(&[ring("").to_vec(), vec![poison]].concat());
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|text| text.contains("what action `a` of rule `zzz` was shown")), "{found:?}");
}

#[test]
fn records_of_one_source_are_not_those_of_another() {
    let records = "records = { card = [\"x\"] }";
    let clinic = rule("clinic", "attendance.finished", &makes("a", SERVICES, FOUNDED, records));
    let lead =
        rule("lead", "lead.created", &makes("a", "it = \"$.nome\"", "basis = \"lgpd:7.V\"", records)).replace("clinicarx", "plotado");
    assert_eq!(said(&[clinic, lead]), [""; 0]);
}

#[test]
fn the_key_of_a_lookup_tells_which_record_it_is() {
    let lookup = "[lookup.services]\nrecord = \"service\"\nkey = \"$.data.services[*].service_code\"\n";
    let then = |more: &str| format!("{lookup}{}", makes("a", "it = { record = \"services\", path = \"$[*].price\" }", more, ""));
    let found = said(&[rule("r", "attendance.finished", &then(""))]);
    assert!(found.len() == 1 && found[0].contains("the key of [lookup.services] is sensitive"), "{found:?}");
    assert_eq!(said(&[rule("r", "attendance.finished", &then(FOUNDED))]), [""; 0]);
}

#[test]
fn what_nobody_classified_and_no_action_writes_is_sensitive() {
    let field = "it = \"$.data.something_new\"";
    let rule_of = |more: &str| rule("r", "attendance.finished", &makes("a", field, more, ""));
    assert!(said(&[rule_of("")])[0].contains("`it` is sensitive"));
    let set = set(&[rule_of(FOUNDED)]);
    assert_eq!(action(&set, "r", "a").allow[0].class_from, ClassFrom::Nobody);
    // What could not be read may have said so: no other file is to blame.
    let broken =
        rule("writer", "attendance.finished", "[[then]]\nname = \"w\"\nplugin = \"makr\"\ngrant = { records = { note = [\"x\"] } }\n");
    let lookup = "[lookup.note]\nkey = \"$.data.id\"\n";
    let reader =
        rule("reader", "clinic.created", &format!("{lookup}{}", makes("read", "it = { record = \"note\", path = \"$.x\" }", "", "")));
    let found = said(&[broken, reader]);
    assert!(found.len() == 1 && found[0].contains("unknown-plugin"), "{found:?}");
}

#[test]
fn a_field_has_the_class_of_the_types_that_its_action_is_for() {
    let field = "it = \"$.data.name\"";
    let of = |on: &str| format!("id = \"r\"\ntitle = \"R\"\non = [\"patient.created\", \"clinic.created\"]\n{}", makes("a", field, on, ""));
    assert_eq!(said(&[of("")]).len(), 1, "a patient's, or a clinic's");
    assert_eq!(said(&[of("on = \"clinic.created\"")]), [""; 0]);
    let set = set(&[of("on = \"clinic.created\"")]);
    let field = &action(&set, "r", "a").allow[0];
    assert_eq!((field.class, &field.class_from), (Class::Public, &ClassFrom::Source("clinicarx".to_owned())));
}

#[test]
fn a_consent_is_needed_where_it_is_the_basis() {
    let with = |more: &str| rule("r", "attendance.finished", &makes("a", NAME, &format!("purpose = \"p\"\n{more}"), ""));
    let consent = |more: &str| action(&set(&[with(more)]), "r", "a").consent.clone();
    assert_eq!(consent("basis = \"lgpd:11.II.f\""), None);
    let messages = |needed| Some(Consent { topic: "messages".to_owned(), needed });
    assert_eq!(consent("basis = \"lgpd:11.II.f\"\nconsent = \"messages\""), messages(false));
    assert_eq!(consent("basis = \"lgpd:11.I\"\nconsent = \"messages\""), messages(true));
    assert_eq!(said(&[with("basis = \"lgpd:11.I\"")]), ["0.toml:9 missing-consent: this basis is consent, and nothing says to what"]);
    let misspelt = said(&[with("basis = \"lgpd:11.I\"\nconsent = \"mesages\"")]);
    assert_eq!(misspelt, ["0.toml:10 unknown-topic: no source gives or takes consent to `mesages`"]);
    assert_eq!(said(&[with("basis = \"lgpd:11.I\"\nconsent = \"newsletter\"")]), [""; 0], "people may record it by hand");
    assert_eq!(load(&shipped(), &Installed).diagnostics, [], "and no source need tell of it");
}
