use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::pages::words::called;

fn setting(name: &str, kind: SettingKind, default: Option<Value>) -> Setting {
    Setting { name: name.to_owned(), kind, default, label: None, description: None }
}

fn bounds(min: i64, max: i64) -> (Option<Number>, Option<Number>) {
    (Some(min.into()), Some(max.into()))
}

/// One of every kind.
fn settings() -> Vec<Setting> {
    let (min, max) = bounds(-5, 168);
    vec![
        setting("text", SettingKind::String, Some(json!("equipe"))),
        setting("hours", SettingKind::Integer { min: min.clone(), max: max.clone() }, Some(json!(24))),
        setting("price", SettingKind::Number { min, max }, Some(json!(1.5))),
        setting("on", SettingKind::Boolean, Some(json!(true))),
        setting("language", SettingKind::Choice { values: vec!["pt-BR".into(), "en".into()] }, Some(json!("pt-BR"))),
        setting("wait", SettingKind::Duration, Some(json!("24h"))),
        setting("from", SettingKind::TimeOfDay, Some(json!("08:00"))),
        setting("needed", SettingKind::Integer { min: None, max: None }, None),
    ]
}

/// What is in force where these are chosen.
fn filled(chosen: &Map<String, Value>) -> Map<String, Value> {
    let value = |setting: &Setting| chosen.get(&setting.name).or(setting.default.as_ref()).cloned();
    settings().iter().filter_map(|setting| Some((setting.name.clone(), value(setting)?))).collect()
}

proptest! {
    #[test]
    fn what_a_form_prints_reads_back(
        text in "[^\r]{0,80}", hours in -5_i64..=168, price in -5.0_f64..168.0, on: bool, english: bool, days in 1_u32..400, hour in 0_u32..24,
        minute in 0_u32..60, needed: i64, some in proptest::collection::vec(any::<bool>(), 7),
    ) {
        let all = json!({
            "text": text, "hours": hours, "price": price, "on": on, "language": if english { "en" } else { "pt-BR" },
            "wait": format!("{days}d"), "from": format!("{hour:02}:{minute:02}"),
        });
        let chosen = all.as_object().unwrap().iter().zip(some).filter(|(_, wanted)| *wanted);
        let mut chosen: Map<String, Value> = chosen.map(|((name, value), _)| (name.clone(), value.clone())).collect();
        chosen.insert("needed".into(), needed.into());
        let read = read(&settings(), &print(&settings(), &chosen)).unwrap();
        prop_assert_eq!(filled(&read), filled(&chosen));
    }
}

#[test]
fn what_cannot_be_taken_is_said_field_by_field() {
    let given = [("hours", "169"), ("price", "abc"), ("language", "fr"), ("wait", "soon"), ("from", "25:00"), ("needed", "")];
    let texts: Texts = given.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let refused = |refused| Wrong::Refused(refused);
    let wrongs = read(&settings(), &texts).unwrap_err();
    let expected = [
        ("from", refused(SettingRefused::NoTimeOfDay)),
        ("hours", refused(SettingRefused::AtMost(168.into()))),
        ("language", refused(SettingRefused::NoneOf(vec!["pt-BR".into(), "en".into()]))),
        ("needed", Wrong::Missing),
        ("price", refused(SettingRefused::NoNumber)),
        ("wait", refused(SettingRefused::NoDuration)),
    ];
    assert_eq!(wrongs.into_iter().collect::<Vec<_>>(), expected.map(|(name, wrong)| (name.to_owned(), wrong)));
}

#[test]
fn a_number_may_be_written_as_in_brazil() {
    let texts: Texts = [("price", "2,25"), ("needed", " 7 ")].map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let read = read(&settings(), &texts).unwrap();
    assert_eq!((&read["price"], &read["needed"]), (&json!(2.25), &json!(7)));
}

#[test]
fn a_default_is_not_kept() {
    let texts = print(&settings(), json!({ "needed": 1 }).as_object().unwrap());
    assert_eq!(Value::Object(read(&settings(), &texts).unwrap()), json!({ "needed": 1 }));
}

#[test]
fn a_field_says_what_is_wrong_with_it() {
    let (settings, common) = (settings(), called("pt-BR").unwrap());
    let texts = Texts::from([("hours".to_owned(), "\"><b>".to_owned())]);
    let wrongs = read(&settings, &texts).unwrap_err();
    let form =
        Form { words: super::super::words::words(common), common, settings: &settings, texts: &texts, wrongs: &wrongs, meanwhile: None };
    let drawn = form.fields().into_string();
    let field = "id=\"s-hours\" name=\"s.hours\" value=\"&quot;&gt;&lt;b&gt;\" step=\"1\" min=\"-5\" max=\"168\" aria-describedby=\"s-hours-hint s-hours-wrong\" aria-invalid=\"true\"";
    assert!(drawn.contains(field), "{drawn}");
    assert!(drawn.contains("<p class=\"error\" id=\"s-hours-wrong\">Escreva um número inteiro.</p>"), "{drawn}");
    assert!(drawn.contains("<p class=\"hint\" id=\"s-hours-hint\">De -5 a 168. Padrão: 24.</p>"), "{drawn}");
}
