//! How Brazil writes who somebody is and where: CPF, CNPJ, postal code, address.

use serde_json::Value;

use crate::letters::one_line;

/// `529.982.247-25`; none where there is no number, or only a stand-in of zeros.
///
/// # Errors
/// How many digits it has instead of 11.
pub(crate) fn cpf(value: Option<&Value>) -> Result<Option<String>, usize> {
    let digits = digits(value, 11)?;
    Ok(digits.map(|d| format!("{}.{}.{}-{}", &d[..3], &d[3..6], &d[6..9], &d[9..])))
}

/// `11.222.333/0001-81`; none where there is no number, or only a stand-in of zeros.
///
/// # Errors
/// How many digits it has instead of 14.
pub(crate) fn cnpj(value: Option<&Value>) -> Result<Option<String>, usize> {
    let digits = digits(value, 14)?;
    Ok(digits.map(|d| format!("{}.{}.{}/{}-{}", &d[..2], &d[2..5], &d[5..8], &d[8..12], &d[12..])))
}

/// The digits of a number of this length. A JSON number has lost its leading zeros, a text has not.
fn digits(value: Option<&Value>, length: usize) -> Result<Option<String>, usize> {
    let digits = match value {
        Some(Value::Number(number)) => format!("{:0>length$}", number.to_string()),
        Some(Value::String(text)) => text.clone(),
        _ => return Ok(None),
    };
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    if digits.bytes().all(|digit| digit == b'0') {
        return Ok(None);
    }
    if digits.len() == length { Ok(Some(digits)) } else { Err(digits.len()) }
}

/// An address, as it stands on paper.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) lines: Vec<String>,
    pub(crate) city: Option<String>,
}

/// Reads a text, an object (`street number complement neighbourhood city state zip_code`), or the first of a list.
pub(crate) fn address(value: Option<&Value>) -> Address {
    match value {
        Some(Value::Array(list)) => address(list.first()),
        Some(Value::String(text)) => {
            let lines = text.lines().map(one_line).filter(|line| !line.is_empty()).collect();
            Address { lines, city: None }
        }
        Some(Value::Object(fields)) => {
            let field = |name: &str| fields.get(name).and_then(shown);
            let zip = fields.get("zip_code").and_then(zip).map(|zip| format!("CEP {zip}"));
            let city = field("city");
            let place = match (&city, field("state")) {
                (Some(city), Some(state)) => Some(format!("{city} – {state}")),
                (city, state) => city.clone().or(state),
            };
            let join = |parts: Vec<Option<String>>| parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
            let lines =
                vec![join(vec![field("street"), field("number"), field("complement")]), join(vec![field("neighbourhood"), place, zip])];
            Address { lines: lines.into_iter().filter(|line| !line.is_empty()).collect(), city }
        }
        _ => Address::default(),
    }
}

/// A text or a number as one line, if there is anything to see.
pub(crate) fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => one_line(text),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// `30750-500`; what is no postal code stays as it is.
fn zip(value: &Value) -> Option<String> {
    match digits(Some(value), 8) {
        Ok(digits) => digits.map(|d| format!("{}-{}", &d[..5], &d[5..])),
        Err(_) => shown(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_get_their_zeros_back() {
        let of = |cpf_of: Value| cpf(Some(&cpf_of));
        assert_eq!(of(json!("52998224725")), Ok(Some("529.982.247-25".into())));
        assert_eq!(of(json!("529.982.247-25")), Ok(Some("529.982.247-25".into())));
        assert_eq!(of(json!(52998224725_u64)), Ok(Some("529.982.247-25".into())));
        assert_eq!(of(json!(191)), Ok(Some("000.000.001-91".into())));
        for nobody in [json!(null), json!(""), json!("00000000000"), json!(0)] {
            assert_eq!(of(nobody), Ok(None));
        }
        assert_eq!(cpf(None), Ok(None));
        assert_eq!(of(json!("5299822472")), Err(10));
        assert_eq!(of(json!(529982247251_u64)), Err(12));
        assert_eq!(cnpj(Some(&json!(11222333000181_u64))), Ok(Some("11.222.333/0001-81".into())));
        assert_eq!(cnpj(Some(&json!(1222333000181_u64))), Ok(Some("01.222.333/0001-81".into())));
        assert_eq!(cnpj(Some(&json!("11.222.333/0001-81"))), Ok(Some("11.222.333/0001-81".into())));
    }

    #[test]
    fn addresses_come_in_many_shapes() {
        let clinicarx = json!({ "street": "Rua Álvaro Moreira Filogônio", "number": 20, "complement": "Loja 03",
            "neighbourhood": "Alto Caiçaras", "city": "Belo Horizonte", "state": "MG", "country": null, "zip_code": 30750500 });
        let expected =
            ["Rua Álvaro Moreira Filogônio, 20, Loja 03".to_owned(), "Alto Caiçaras, Belo Horizonte – MG, CEP 30750-500".to_owned()];
        let read = address(Some(&json!([clinicarx, { "street": "Another" }])));
        assert_eq!((&read.lines[..], read.city.as_deref()), (&expected[..], Some("Belo Horizonte")));
        assert_eq!(address(Some(&clinicarx)), read);
        let lines = |value: Value| address(Some(&value)).lines;
        assert_eq!(
            lines(json!({ "street": "Rua A", "number": null, "city": "", "state": "SP", "zip_code": 1310100 })),
            ["Rua A", "SP, CEP 01310-100"]
        );
        assert_eq!(lines(json!({ "zip_code": "30750-500" })), ["CEP 30750-500"]);
        assert_eq!(lines(json!({ "zip_code": "SW1A 1AA" })), ["CEP SW1A 1AA"]);
        assert_eq!(lines(json!("Rua A, 10\nCentro")), ["Rua A, 10", "Centro"]);
        for nothing in [json!(null), json!([]), json!({}), json!(""), json!([null])] {
            assert!(lines(nothing).is_empty());
        }
    }
}
