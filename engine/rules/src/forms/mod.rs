//! How people write and read values: names, phones, documents, money, counts.
//!
//! The filters of templates and the transforms of fields both make these, so that a phone is the same phone in either.
//! Whatever does not fit is [`Unfit`], which never shows the value.
//!
//! To add a form: a function here or in a file beside this one, a word of [`Unfit`] if it can fail in a new way, a filter
//! or a transform that calls it, and its line in `rules/README.md`.

mod decimal;
mod documents;
mod money;
mod phone;

pub(crate) use decimal::{Decimal, plural};
pub(crate) use documents::{cnpj, cpf};
pub(crate) use money::money;
pub(crate) use phone::phone_e164;

/// Why a value has not the form that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the value is not a text")]
    Text,
    #[error("the value has no name in it")]
    Name,
    #[error("the value has no digits")]
    Digits,
    #[error("the value is not a date and time")]
    Time,
    #[error("the value is not a time zone")]
    Zone,
    #[error("there is no time zone: neither the filter nor the source names one")]
    NoZone,
    #[error("the value is not an amount of money")]
    Amount,
    #[error("the currency is not a code of three letters, such as BRL")]
    Currency,
    #[error("the value is neither a number nor a list")]
    Count,
    #[error("the value is not a phone number")]
    Phone,
    #[error("the phone number has no area code")]
    AreaCode,
    #[error("the phone number has no country code")]
    CountryCode,
    #[error("the value is not a CPF")]
    Cpf,
    #[error("the value is not a CNPJ")]
    Cnpj,
    #[error("the text that a filter makes is longer than 65536 bytes")]
    TooLong,
}

/// What a person typed as `+5511987654321`; numbers without a country are Brazil's. Nothing, where it is no phone number.
pub fn phone_number(text: &str) -> Option<String> {
    phone_e164(text, "BR").ok()
}

/// The first word.
pub(crate) fn first_name(text: &str) -> Result<&str, Unfit> {
    text.split_whitespace().next().ok_or(Unfit::Name)
}

/// Only the digits.
pub(crate) fn digits(text: &str) -> Result<String, Unfit> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() { Err(Unfit::Digits) } else { Ok(digits) }
}
