//! Every filter, in both languages.

use super::*;
use crate::template::filters::FILTERS;

/// Each with its value, and the text in Portuguese and in English.
const CASES: &[(&str, &str, &str)] = &[
    ("1234.5 | currency", "R$\u{a0}1.234,50", "R$1,234.50"),
    ("'1234.5' | currency('USD')", "US$\u{a0}1.234,50", "$1,234.50"),
    ("1234.5 | currency('JPY', 'pt-BR')", "JP¥\u{a0}1.235", "JP¥\u{a0}1.235"),
    ("-0.5 | currency('CHF', 'en')", "-CHF\u{a0}0.50", "-CHF\u{a0}0.50"),
    ("(0.1 + 0.2) | currency", "R$\u{a0}0,30", "R$0.30"),
    ("money.float | currency", "R$\u{a0}1,01", "R$1.01"),
    ("money.tie | currency", "R$\u{a0}2,68", "R$2.68"),
    ("money.cents | currency", "R$\u{a0}90.071.992.547.409.930,00", "R$90,071,992,547,409,930.00"),
    ("0 | plural('consulta', 'consultas')", "consulta", "consultas"),
    ("1 | plural('consulta', 'consultas')", "consulta", "consulta"),
    ("1.5 | plural('hora', 'horas')", "hora", "horas"),
    ("2 | plural('a', 'b')", "b", "b"),
    ("'1' | plural('a', 'b')", "a", "a"),
    ("0 | plural('a', 'b', 'en')", "b", "b"),
    ("0 | plural('a', 'b', 'pt-BR')", "a", "a"),
    ("list | plural('a', 'b')", "b", "b"),
    ("list[1:] | plural('a', 'b')", "a", "a"),
    ("[] | plural('a', 'b')", "a", "b"),
    ("'  Marina  Teste ' | first_name", "Marina", "Marina"),
    ("'(11) 98765-4321' | digits", "11987654321", "11987654321"),
    ("'a/b?c=d&e é~-._' | urlencode", "a%2Fb%3Fc%3Dd%26e%20%C3%A9~-._", "a%2Fb%3Fc%3Dd%26e%20%C3%A9~-._"),
    ("7 | urlencode", "7", "7"),
    ("11987654321 | digits", "11987654321", "11987654321"),
    ("phone | phone_e164", "+5511987654321", "+5511987654321"),
    ("11987654321 | phone_e164('BR')", "+5511987654321", "+5511987654321"),
    ("'+1 212 555 0123' | phone_e164('US')", "+12125550123", "+12125550123"),
    ("52998224725 | cpf", "529.982.247-25", "529.982.247-25"),
    ("'12abc34501de35' | cnpj", "12.ABC.345/01DE-35", "12.ABC.345/01DE-35"),
    ("starts_at | instant", "2026-03-06T13:00:00Z", "2026-03-06T13:00:00Z"),
    ("starts_at | local_time(tz)", "06/03/2026 às 10:00", "6 March 2026 at 10:00"),
    ("starts_at | date", "06/03/2026", "6 March 2026"),
    ("starts_at | time", "09:00", "09:00"),
    ("starts_at | weekday", "sexta-feira", "Friday"),
    ("absent | default('-')", "-", "-"),
    ("list | first", "a", "a"),
    ("list | last", "b", "b"),
    ("list | length", "2", "2"),
    ("[1, 'é', 2.5] | join(' e ')", "1 e é e 2.5", "1 e é e 2.5"),
    ("list | join", "ab", "ab"),
    ("'abc' | join('-')", "a-b-c", "a-b-c"),
    ("'ÁGUA' | lower", "água", "água"),
    ("'água' | upper", "ÁGUA", "ÁGUA"),
    ("'ana maria' | title", "Ana Maria", "Ana Maria"),
    ("'  a ' | trim", "a", "a"),
    ("'a.b.' | replace('.', '-')", "a-b-", "a-b-"),
    ("'ab' | replace('', '.')", ".a.b.", ".a.b."),
    ("1.5 | replace('.', ',')", "1,5", "1,5"),
];

#[test]
fn every_filter_in_both_languages() {
    for (expression, portuguese, english) in CASES {
        let text = format!("{{{{ {expression} }}}}");
        assert_eq!(render_in(&text, "pt-BR").as_deref(), Ok(*portuguese), "{expression}");
        assert_eq!(render_in(&text, "en").as_deref(), Ok(*english), "{expression}");
    }
    for filter in FILTERS {
        assert!(CASES.iter().any(|(expression, ..)| expression.contains(&format!("| {filter}"))), "{filter} has no case");
    }
}

#[test]
fn what_does_not_fit_says_what_was_expected() {
    for (expression, unfit) in [
        ("'caro' | currency", Unfit::Amount),
        ("list | currency", Unfit::Amount),
        ("none | currency", Unfit::Amount),
        ("1 | currency('real')", Unfit::Currency),
        ("'many' | plural('a', 'b')", Unfit::Count),
        ("true | plural('a', 'b')", Unfit::Count),
        ("settings | plural('a', 'b')", Unfit::Count),
        ("' ' | first_name", Unfit::Name),
        ("list | first_name", Unfit::Text),
        ("'..' | urlencode", Unfit::Text),
        ("'' | urlencode", Unfit::Text),
        ("1.5 | digits", Unfit::Text),
        ("'none' | digits", Unfit::Digits),
        ("'98765-4321' | phone_e164", Unfit::AreaCode),
        ("'212 555 0123' | phone_e164('US')", Unfit::CountryCode),
        ("'none' | phone_e164", Unfit::Phone),
        ("'52998224724' | cpf", Unfit::Cpf),
        ("true | cpf", Unfit::Text),
        ("'11222333000180' | cnpj", Unfit::Cnpj),
        ("phone | date", Unfit::Time),
    ] {
        assert_eq!(render(&format!("{{{{ {expression} }}}}")), failed(&unfit.to_string()), "{expression}");
    }
}

#[test]
fn every_filter_of_an_absent_value_misses_it() {
    for filter in FILTERS {
        let arguments = match *filter {
            "default" => continue,
            "plural" | "replace" => "('a', 'b')",
            _ => "",
        };
        let missing = RenderError::Missing(Some("absent".to_owned()));
        assert_eq!(render(&format!("{{{{ absent | {filter}{arguments} }}}}")), Err(missing), "{filter}");
    }
}
