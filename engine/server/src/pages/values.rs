//! Values of payloads and records as people write them, by the names of their fields: a CPF or CNPJ, a phone, an amount, a day, a time.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use zelo_core::IdentityKind;
use zelo_rules::common_identity;

use super::moments::{in_words, number};
use super::places::{phone, registration};
use super::words::Words;

/// For whom values are told.
pub(crate) struct Reading<'r> {
    pub(crate) words: &'r Words,
    /// The zone in which times are told.
    pub(crate) zone: &'r TimeZone,
    /// The zone in which times without an offset were written.
    pub(crate) written: &'r TimeZone,
    /// Whether amounts are in reais.
    pub(crate) reais: bool,
}

impl Reading<'_> {
    /// `value` of the field or path `name`, of which `label` is what people call it. What has no form of its own is told without the
    /// quotes of JSON.
    pub(crate) fn told(&self, name: &str, label: &str, value: &Value) -> String {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = last(name);
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if has(&["cpf", "cnpj", "document", "taxid", "tax_id"]) {
            // Who keeps a CPF as a number has lost the zeros before it.
            let whole = Some(&text).filter(|_| value.is_number()).and_then(|text| common_identity(IdentityKind::Cpf, text));
            let digits = whole.map(|whole| whole.chars().filter(char::is_ascii_digit).collect::<String>());
            return registration(&digits.map_or(text, |digits| format!("{digits:0>11}")));
        }
        if has(&["phone", "telefone", "celular", "whatsapp", "mobile"]) {
            return phone(&text);
        }
        // Some write cents, and say so.
        if self.reais && !["centavos", "cents"].iter().any(|cents| label.contains(cents)) && is_amount(&name) {
            return money(self.words, &text).unwrap_or(text);
        }
        let Some(said) = value.as_str() else { return text };
        let day = || said.parse::<Date>().ok().filter(|_| said.len() == 10).map(|day| self.day(day));
        zelo_rules::instant(said, self.written).map(|instant| in_words(self.words, instant, self.zone)).or_else(day).unwrap_or(text)
    }

    fn day(&self, day: Date) -> String {
        day.strftime(if self.words.is_english() { "%Y-%m-%d" } else { "%d/%m/%Y" }).to_string()
    }
}

/// The last name of a path, in small letters: `document` of `$.data.document`, `phones` of `$.phones[0]`.
fn last(path: &str) -> String {
    let path = path.trim_end_matches(|sign: char| sign.is_ascii_digit() || "[]*'\"".contains(sign));
    path.rsplit(['.', '[', '\'', '"']).next().unwrap_or(path).to_lowercase()
}

fn is_amount(name: &str) -> bool {
    name.split(['_', '-']).any(|part| ["price", "amount", "value", "fee", "cost", "valor", "preco", "preço"].contains(&part))
}

/// An amount in reais: `R$ 1.234,56`, in English `R$ 1,234.56`. Nothing where `text` is no amount.
fn money(words: &Words, text: &str) -> Option<String> {
    let (sign, amount) = text.strip_prefix('-').map_or(("", text), |amount| ("-", amount));
    let (whole, cents) = amount.split_once('.').unwrap_or((amount, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(cents) || cents.trim_end_matches('0').len() > 2 {
        return None;
    }
    let cents: String = cents.chars().chain("00".chars()).take(2).collect();
    let apart = if words.is_english() { '.' } else { ',' };
    Some(format!("{sign}R$ {}{apart}{cents}", number(words, whole.parse().ok()?)))
}

/// Whether amounts in `data` are in reais: nothing there names another currency.
pub(crate) fn in_reais(data: &Value) -> bool {
    match data {
        Value::Object(fields) => fields.iter().all(|(name, value)| match value.as_str() {
            Some(currency) if name.to_lowercase().contains("currency") => currency.is_empty() || currency.eq_ignore_ascii_case("brl"),
            _ => in_reais(value),
        }),
        Value::Array(items) => items.iter().all(in_reais),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pages::words::called;

    #[test]
    fn a_value_is_told_as_people_write_it() {
        let (zone, utc) = (TimeZone::get("America/Sao_Paulo").unwrap(), TimeZone::UTC);
        let reading = |lang| Reading { words: called(lang).unwrap(), zone: &zone, written: &utc, reais: true };
        for (name, label, value, pt, en) in [
            ("$.data.patient.document", "", json!("52998224725"), "529.982.247-25", "529.982.247-25"),
            ("$.data.patient.document", "", json!(1_234_567_890), "012.345.678-90", "012.345.678-90"),
            ("document", "", json!("passport X1"), "passport X1", "passport X1"),
            ("$.clinic.cnpj", "", json!("12345678000195"), "12.345.678/0001-95", "12.345.678/0001-95"),
            ("phones[0]", "", json!("+5511987654321"), "(11) 98765-4321", "(11) 98765-4321"),
            ("$.data.phone", "", json!("11987654321"), "11987654321", "11987654321"),
            ("price", "", json!(1234.5), "R$ 1.234,50", "R$ 1,234.50"),
            ("$.total_price", "", json!("199.00"), "R$ 199,00", "R$ 199.00"),
            ("amount", "o valor em centavos", json!(2990), "2990", "2990"),
            ("value", "", json!("9h"), "9h", "9h"),
            ("value", "", json!(1.234), "1.234", "1.234"),
            ("price", "", json!(-5), "-R$ 5,00", "-R$ 5.00"),
            ("birthday", "", json!("1990-05-01"), "01/05/1990", "1990-05-01"),
            ("last_contact", "", json!("2026-03-02T02:30:00Z"), "01/03/2026 23:30", "2026-03-01 23:30"),
            ("starts_at", "", json!("2026-03-02 02:30:00"), "01/03/2026 23:30", "2026-03-01 23:30"),
            ("name", "", json!("Ana"), "Ana", "Ana"),
            ("seats", "", json!(3), "3", "3"),
        ] {
            let told = (reading("pt-BR").told(name, label, &value), reading("en").told(name, label, &value));
            assert_eq!((told.0.as_str(), told.1.as_str()), (pt, en), "{name}");
        }
    }

    #[test]
    fn an_amount_of_another_currency_is_left_alone() {
        assert!(in_reais(&json!({ "amount": 1 })) && in_reais(&json!([{ "currency": "BRL" }, { "currency_id": "brl" }])));
        assert!(!in_reais(&json!({ "data": [{ "currency": "usd" }] })));
    }
}
