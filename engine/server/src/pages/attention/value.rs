//! What a person types into a field: of which kind it is, and what it means.

use serde_json::Value;

/// The longest text that is taken, in characters.
const TEXT_MAX: usize = 500;

/// What kind of value a field takes, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Phone,
    Money,
    Email,
    Text,
}

impl Kind {
    /// Of a field of a record.
    pub(super) fn of(field: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| field.contains(word));
        if has(&["phone", "whatsapp", "mobile"]) {
            Self::Phone
        } else if has(&["price", "amount", "value", "fee", "cost"]) {
            Self::Money
        } else if has(&["email"]) {
            Self::Email
        } else {
            Self::Text
        }
    }

    /// The type of its input, and what browsers fill in.
    pub(super) fn input(self) -> (&'static str, &'static str) {
        match self {
            Self::Phone => ("tel", "tel"),
            Self::Money => ("text", "decimal"),
            Self::Email => ("email", "email"),
            Self::Text => ("text", "text"),
        }
    }

    /// What was typed, as records have it; nothing where it is no such value. Amounts have a point before their cents in English.
    pub(super) fn read(self, typed: &str, english: bool) -> Option<Value> {
        let typed = typed.trim();
        match self {
            Self::Phone => zelo_rules::phone_number(typed).map(Value::String),
            Self::Money => amount(typed, english),
            Self::Email => {
                let parts = typed.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'));
                let fits = parts.is_some() && typed.len() <= 254 && !typed.contains(char::is_whitespace);
                fits.then(|| Value::String(typed.to_owned()))
            }
            Self::Text => {
                let fits = !typed.is_empty() && typed.chars().count() <= TEXT_MAX && !typed.contains(char::is_control);
                fits.then(|| Value::String(typed.to_owned()))
            }
        }
    }
}

/// `R$ 1.234,56`, in English `1,234.56`, as a number. A lone separator before one or two digits is that of the cents in both.
fn amount(typed: &str, english: bool) -> Option<Value> {
    let typed = typed.strip_prefix("R$").unwrap_or(typed).trim();
    let (cents, thousands) = if english { ('.', ',') } else { (',', '.') };
    let cents = match typed.rfind([',', '.']) {
        Some(at) if typed.matches([',', '.']).count() == 1 && (2..=3).contains(&(typed.len() - at)) => typed[at..].chars().next(),
        _ => Some(cents),
    }?;
    let (whole, rest) = typed.split_once(cents).unwrap_or((typed, ""));
    let mut groups = whole.split(thousands).filter(|_| thousands != cents);
    let first = groups.next().unwrap_or(whole);
    let rest_of = groups.collect::<Vec<_>>();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = rest_of.is_empty() || ((1..=3).contains(&first.len()) && rest_of.iter().all(|group| group.len() == 3 && digits(group)));
    let whole = format!("{first}{}", rest_of.concat());
    let fits = grouped && digits(&whole) && (1..=9).contains(&whole.len()) && digits(rest) && rest.len() <= 2;
    if !fits {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let text = if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") };
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_amount_is_read_as_people_write_it() {
        for (typed, english, meant) in [
            ("189,90", false, json!(189.90)),
            ("R$ 1.234,56", false, json!(1234.56)),
            ("1.234", false, json!(1234)),
            ("189.9", false, json!(189.9)),
            ("0,5", false, json!(0.5)),
            ("1,234.56", true, json!(1234.56)),
            ("007", false, json!(7)),
        ] {
            assert_eq!(Kind::Money.read(typed, english), Some(meant), "{typed}");
        }
        for typed in ["", "R$", "-1", "1,234,5", "1.23.4", "12,345", "1e3", "dez", "1.2345,00", ",50", "9999999999"] {
            assert_eq!(Kind::Money.read(typed, false), None, "{typed}");
        }
    }

    #[test]
    fn phones_and_addresses_are_checked() {
        assert_eq!(Kind::of("phones").read("(11) 98765-4321", false), Some(json!("+5511987654321")));
        assert_eq!(Kind::of("phone").read("98765", false), None);
        assert_eq!(Kind::of("email").read(" ana@teste.com.br ", false), Some(json!("ana@teste.com.br")));
        for wrong in ["ana", "@teste.com", "ana@teste", "a b@teste.com", "a@b@c.de"] {
            assert_eq!(Kind::Email.read(wrong, false), None, "{wrong}");
        }
        assert_eq!((Kind::of("name"), Kind::Text.read("a\nb", false)), (Kind::Text, None));
    }
}
