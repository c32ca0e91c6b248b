//! Comparing JSON numbers and values without surprises.
//!
//! A number in JSON has one value however it is written: `17` equals `17.0`, and `9007199254740993` does not equal
//! the float next to it.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The order of two numbers by value.
pub(crate) fn order(a: &Number, b: &Number) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        (Some(a), None) => order_mixed(a, b.as_f64()?),
        (None, Some(b)) => order_mixed(b, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn integer(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// An integer of 64 bits against a float: the float's whole part fits an `i128` or decides by its size.
fn order_mixed(integer: i128, float: f64) -> Option<Ordering> {
    const LARGE: f64 = 1e30;
    if float.is_nan() {
        return None;
    }
    if float.abs() > LARGE {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let whole = float.trunc();
    Some(integer.cmp(&(whole as i128)).then_with(|| 0.0_f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal)))
}

/// The number that a text says, written as JSON writes numbers (RFC 8259 §6); space around it is passed over. Nothing for anything
/// else, `1.234,50` among it, and for what no 64-bit integer or double can hold.
pub(crate) fn parse(text: &str) -> Option<Number> {
    let text = text.trim();
    // The longest number that a double needs has 767 digits.
    (text.len() <= 1_000).then(|| text.parse().ok()).flatten()
}

/// Whether two values are the same: of one type, numbers by value, lists in order, objects by key.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => order(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        let ordered = |a: Value, b: Value| order(a.as_number().unwrap(), b.as_number().unwrap()).unwrap();
        assert_eq!(ordered(json!(17), json!(17.0)), Ordering::Equal);
        assert_eq!(ordered(json!(u64::MAX), json!(-1)), Ordering::Greater);
        assert_eq!(ordered(json!(9007199254740993_i64), json!(9007199254740992.0)), Ordering::Greater, "2^53 + 1 is not 2^53");
        assert_eq!(ordered(json!(-2), json!(-2.5)), Ordering::Greater);
        assert_eq!(ordered(json!(2), json!(2.5)), Ordering::Less);
        assert_eq!(ordered(json!(i64::MIN), json!(-1e300)), Ordering::Greater);
        assert_eq!(ordered(json!(189.9), json!(189.90)), Ordering::Equal);
    }

    #[test]
    fn a_text_says_a_number_as_json_does() {
        for (text, number) in
            [("17", json!(17)), (" -2.50 ", json!(-2.5)), ("1e2", json!(100.0)), ("9007199254740993", json!(9007199254740993_i64))]
        {
            assert!(equal(&Value::Number(parse(text).unwrap()), &number), "{text}");
        }
        for text in ["", "1.234,50", "017", "+1", "0x10", "1e999", "NaN", "17 18", "one"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn types_are_strict() {
        assert!(!equal(&json!(17), &json!("17")));
        assert!(!equal(&json!(null), &json!(false)));
        assert!(equal(&json!({"a": [1, 2.0]}), &json!({"a": [1.0, 2]})));
        assert!(!equal(&json!([1]), &json!([1, 1])));
    }
}
