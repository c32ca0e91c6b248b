//! Whatever a template says, reading it and rendering it ends, on a small stack and with little memory.

use std::thread;

use super::*;

/// Half of what a thread of the runtime has.
const STACK: usize = 1024 * 1024;

/// The first error of `text`, or what it renders to.
fn outcome(text: String) -> Result<Result<String, RenderError>, String> {
    let work = move || {
        let mut templates = Templates::new();
        let (template, errors) = templates.compile(&text);
        if let Some(error) = errors.into_iter().next() {
            return Err(error.message);
        }
        let names = json!({"a": "abc", "b": {"b": 1}, "n": 7, "list": [1, 2], "empty": ""});
        let zone = TimeZone::UTC;
        let values = Values { names: names.as_object().unwrap(), zone: &zone, clinic_zone: None, locale: "en" };
        Ok(templates.render(&template.unwrap(), &values))
    };
    thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

#[test]
fn no_depth_is_a_stack_overflow() {
    let shapes: [(&str, &str, &str, &str, &str); 23] = [
        ("{{ ", "(", "a", ")", " }}"),
        ("{{ ", "[", "a", "]", " }}"),
        ("{{ ", "{", "1", "}", " }}"),
        ("{{ ", "a[", "1", "]", " }}"),
        ("{{ ", "a(", "1", ")", " }}"),
        ("{{ ", "[1:[", "a", "]]", " }}"),
        ("{{ ", "-", "n", "", " }}"),
        ("{{ ", "not ", "n", "", " }}"),
        ("{{ ", "n if n else ", "n", "", " }}"),
        ("{{ a", "", "", "|upper", " }}"),
        ("{{ b", "", "", ".b", " }}"),
        ("{{ a", "", "", "[0]", " }}"),
        ("{{ n", "", "", "+1", " }}"),
        ("{{ n", "", "", "-1", " }}"),
        ("{{ n", "", "", "~n", " }}"),
        ("{{ n", "", "", "<n", " }}"),
        ("{{ n", "", "", " or n", " }}"),
        ("{{ n", "", "", " is defined", " }}"),
        ("", "{% if n %}", "x", "{% endif %}", ""),
        ("", "{% for x in list %}", "x", "{% endfor %}", ""),
        ("{% for ", "(", "x", ")", " in list %}{% endfor %}"),
        ("{% if n %}", "", "", "{% elif n %}", "{% endif %}"),
        ("", "{% if n %}{% else %}", "", "{% endif %}", ""),
    ];
    for (before, open, middle, close, after) in shapes {
        for levels in [260, 800, 10_000] {
            let text = format!("{before}{}{middle}{}{after}", open.repeat(levels), close.repeat(levels));
            let outcome = outcome(text);
            assert!(outcome.is_err(), "{levels} of {open}{close}: {outcome:?}");
        }
    }
}

#[test]
fn what_is_within_the_bounds_needs_little_stack() {
    let brackets = format!("{}a{}", "(".repeat(16), ")".repeat(16));
    let filters = "|upper".repeat(50);
    let minus = "-".repeat(60);
    let open = format!("{{% if {brackets}{filters} == 'ABC' or {minus}n == 7 %}}");
    let text = format!("{}{{{{ {brackets}{filters} }}}}{}", open.repeat(32), "{% endif %}".repeat(32));
    assert_eq!(outcome(text), Ok(Ok("ABC".to_owned())));
    let elifs = format!("{{% if n == 0 %}}{}{{% else %}}y{{% endif %}}", "{% elif n == 0 %}x".repeat(31));
    assert_eq!(outcome(elifs), Ok(Ok("y".to_owned())));
}

#[test]
fn what_would_make_much_of_little_does_not_load() {
    for (text, message) in [
        ("{{ 'a' * 100000000 }}", "there is no `*` in templates: of a text or a list it would make many"),
        ("{{ [1] * 1000000000 }}", "there is no `*` in templates: of a text or a list it would make many"),
        ("{{ 9 ** 99 }}", "there is no `*` in templates: of a text or a list it would make many"),
        ("{{ 99999999999999999999999999999999999999999999 }}", "invalid integer (too large)"),
        ("{{ range(1000000000) }}", "there is no function `range`"),
        ("{% for x in list recursive %}{{ loop(list) }}{% endfor %}", "loops are not recursive"),
        ("{% for x in [a ~ a] %}{% endfor %}", "a loop goes over what there is; there is no sum in its list"),
        ("{% for x in list + list %}{% endfor %}", "a loop goes over what there is; there is no sum in its list"),
        ("{% for x in [[a, a]] %}{% endfor %}", "the list of a loop is flat"),
        (
            "{% for x in list %}{% if x %}{% for y in [x, x] %}{% endfor %}{% endif %}{% endfor %}",
            "the list of a loop inside another is a value, or what a filter with one argument makes of it",
        ),
        ("{{ {'a': 1} }}", "there are no maps in templates"),
        // minijinja panics on the last of these.
        ("{{ a[::2] }}", "a part of a text or list has no step: `[from:to]`"),
        ("{{ a[0:2:-1] }}", "a part of a text or list has no step: `[from:to]`"),
        ("{{ empty[::-1] }}", "a part of a text or list has no step: `[from:to]`"),
        // What stands in `raw` is read in another way: it could hide anything.
        ("{% raw %}{{ '{% endraw %}{{ ((a)) }}", "there is no statement `raw`"),
        ("{%- raw -%}x{% endraw %}", "there is no statement `raw`"),
    ] {
        assert_eq!(outcome(text.to_owned()), Err(message.to_owned()), "{text}");
    }
    let sums = format!("{{{{ a{} }}}}", "~a".repeat(9));
    assert_eq!(outcome(sums), Err("a block has at most 8 `~` and `+`; text may stand between blocks".to_owned()));
    assert_eq!(outcome(format!("{{{{ a }}}}{}", " ".repeat(LENGTH_MAX))), Err("a template has at most 16384 bytes".to_owned()));
}

#[test]
fn ordinary_templates_load() {
    for (text, rendered) in [
        ("{{ a[1:] }}{{ a[:1] }}{{ a[0:2] }}{{ list[0] }}{{ b['b'] }}", "bcaab11"),
        ("{{ empty[:3] }}", ""),
        ("{{ 'a' ~ (n + 1) }}", "a8"),
        ("{% for x in [a, n] %}{% for y in list %}{{ x }}{{ y }}{% endfor %}{% endfor %}", "abc1abc27172"),
        ("{% for x in list if x != (1) %}{{ loop.index }}{% else %}none{% endfor %}", "1"),
        ("{% if n in [7, 8] and not (n == 8) %}{{ '}}' }}{% elif n is defined %}no{% endif %}", "}}"),
    ] {
        assert_eq!(outcome(text.to_owned()), Ok(Ok(rendered.to_owned())), "{text}");
    }
}
