mod bounds;
mod filters;
mod fuzz;

use serde_json::json;

use super::*;

fn compile(templates: &mut Templates, text: &str) -> Template {
    let (template, errors) = templates.compile(text);
    assert!(errors.is_empty(), "{errors:?}");
    template.unwrap()
}

fn render_in(text: &str, locale: &str) -> Result<String, RenderError> {
    let names = json!({
        "phone": "(11) 98765-4321", "starts_at": "2026-03-06 13:00:00", "tz": "America/Sao_Paulo", "bad_tz": "Mars/Olympus",
        "evil": "{{ phone }}", "long": "x".repeat(10_000), "huge": "x".repeat(66_000), "many": vec![1; 100], "list": ["a", "b"], "count": 98765, "settings": {"hours": 24},
        "money": {"float": 1.005, "tie": 2.675, "cents": 90_071_992_547_409_930_i64},
    });
    let zone = TimeZone::UTC;
    let clinic = TimeZone::get("America/Manaus").unwrap();
    let mut templates = Templates::new();
    let template = compile(&mut templates, text);
    templates.render(&template, &Values { names: names.as_object().unwrap(), zone: &zone, clinic_zone: Some(&clinic), locale })
}

#[test]
fn the_same_text_is_compiled_once() {
    let mut templates = Templates::new();
    let first = compile(&mut templates, "to {{ phone }}");
    let other = compile(&mut templates, "by {{ phone }}");
    let again = compile(&mut templates, "to {{ phone }}");
    assert_eq!((again.compiled.as_ref(), again.names()), (first.compiled.as_ref(), first.names()));
    assert_ne!(other.compiled, first.compiled);
    assert_eq!(templates.environment.templates().count(), 2);
    // What has mistakes has them wherever it stands.
    let wrong = "{{ phone | nofilter }}";
    assert_eq!(templates.compile(wrong).1.len(), templates.compile(wrong).1.len());
    assert!(!templates.compile(wrong).1.is_empty());
}

fn failed(why: &str) -> Result<String, RenderError> {
    Err(RenderError::Failed(why.to_owned()))
}

fn render(text: &str) -> Result<String, RenderError> {
    render_in(text, "pt-BR")
}

#[test]
fn texts() {
    for (template, text) in [
        ("plain { text }", "plain { text }"),
        ("to {{ phone }}", "to (11) 98765-4321"),
        ("{{ settings.hours }}h", "24h"),
        ("{{ settings.hours == 24 }}, {{ settings.hours == 1 }}", "true, false"),
        ("{{ evil }}", "{{ phone }}"),
        ("{{ starts_at | local_time(tz) }}", "06/03/2026 às 10:00"),
        ("{{ starts_at | local_time }}", "06/03/2026 às 09:00"),
        ("{{ starts_at | local_time(absent_tz) }}", "06/03/2026 às 09:00"),
        ("{{ starts_at | time(bad_tz) }}", "09:00"),
        ("{{ starts_at | weekday(tz) }}, {{ starts_at | date(tz) }}", "sexta-feira, 06/03/2026"),
        ("{{ starts_at | weekday(tz, 'en') }}, {{ starts_at | date(absent_tz, 'en') }}", "Friday, 6 March 2026"),
        ("{{ starts_at | instant }}", "2026-03-06T13:00:00Z"),
        ("{{ absent | default('-') }}{% if absent is defined %}x{% endif %}", "-"),
        ("{% for one in list %}{{ one | upper }}{% endfor %}", "AB"),
        ("{{ list | join(', ') }} {{ '|nofilter' }}", "a, b |nofilter"),
    ] {
        assert_eq!(render(template).as_deref(), Ok(text), "{template}");
    }
    assert_eq!(
        render_in("{{ starts_at | weekday(tz) }}, {{ starts_at | local_time(tz) }}", "en").as_deref(),
        Ok("Friday, 6 March 2026 at 10:00")
    );
}

#[test]
fn an_absent_value_is_missing_by_name() {
    assert_eq!(render("{{ phone }} {{ absent }}"), Err(RenderError::Missing(Some("absent".to_owned()))));
    assert_eq!(render("{{ absent | local_time(tz) }}"), Err(RenderError::Missing(Some("absent".to_owned()))));
    assert_eq!(render("{% if absent %}x{% endif %}"), Err(RenderError::Missing(Some("absent".to_owned()))));
}

#[test]
fn a_failure_shows_no_value() {
    assert_eq!(render("{{ phone | local_time(tz) }}"), Err(RenderError::Failed(Unfit::Time.to_string())));
    // minijinja itself would say which numbers it cannot multiply.
    for text in ["{{ phone - 1 }}", "{{ count - -170141183460469231731687303715884105727 }}"] {
        let Err(RenderError::Failed(message)) = render(text) else { panic!("it rendered") };
        assert!(!message.contains("98765"), "{message}");
    }
}

#[test]
fn work_and_output_are_bounded() {
    let loops: String = ["a", "b", "c"].map(|name| format!("{{% for {name} in many %}}")).concat();
    assert_eq!(render(&format!("{loops}x{}", "{% endfor %}".repeat(3))), failed("it takes more than 20000 steps"));
    assert_eq!(render("{% for one in many %}{{ long }}{% endfor %}"), failed("its text is longer than 65536 bytes"));
    assert_eq!(render("{{ huge }}{{ list }}"), failed("its values have more than 65536 bytes"));
    assert_eq!(render("{{ many | join(long) }}"), failed(&Unfit::TooLong.to_string()));
    assert_eq!(render("{{ long | replace('x', long) }}"), failed(&Unfit::TooLong.to_string()));
}

#[test]
fn what_there_is_not_is_refused_before_rendering() {
    let mut templates = Templates::new();
    for (text, message, place) in [
        ("{{ phone | uper }}", "there is no filter `uper`", Some("uper")),
        ("{% set x = 1 %}", "there is no statement `set`", Some("set")),
        ("{%- include 'x' %}", "there is no statement `include`", Some("include")),
        ("{{ phone.split(' ') }}", "values have no method `split`; use a filter", Some("split")),
        ("{{ phone | upper.lower }}", "`upper` has no parts", Some("upper")),
        ("{{ range(9) }}", "there is no function `range`", Some("range")),
        ("{% if phone is number %}{% endif %}", "there is no test `number`", Some("number")),
    ] {
        let error = templates.compile(text).1.remove(0);
        assert_eq!((error.message.as_str(), error.at.and_then(|at| text.get(at))), (message, place), "{text}");
    }
    let zone = templates.compile("{{ at | local_time('America/Sao_Paolo') }} {{ at | date(\"UTC\", 'en') }}").1;
    assert_eq!((zone.len(), zone[0].at.clone()), (1, Some(20..37)), "{zone:?}");
    let (template, errors) = templates.compile("{% set x = y | nothing %}{{ x }}");
    assert_eq!((errors.len(), template.unwrap().names()), (2, ["y".to_owned()].as_slice()), "all at once, and what it names besides");
    for text in ["{{ phone", "{{ phone | }}", "{% if %}", "{{ 'x }}", "{% for x in %}"] {
        assert!(!templates.compile(text).1.is_empty(), "{text}");
    }
}

#[test]
fn a_template_knows_what_it_names() {
    let mut templates = Templates::new();
    let template = compile(&mut templates, "{{ to | default(settings.to) }} {% for x in list %}{{ x }}{{ loop.index }}{% endfor %}");
    assert_eq!(template.names(), ["to", "settings.to", "list"]);
    assert_eq!(template.only(), None);
    assert_eq!(compile(&mut templates, "{{phone}}").only(), Some("phone"));
    assert_eq!(compile(&mut templates, "{{ settings.to }}").only(), Some("settings.to"));
    assert_eq!(compile(&mut templates, "{{ phone }} ").only(), None);
    let text = "{{ phone | replace(tz, 'tz') }} {{ tz }}";
    let template = compile(&mut templates, text);
    assert_eq!(template.place("tz"), Some(19..21));
}
