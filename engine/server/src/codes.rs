//! Codes of six digits that an app on somebody's telephone shows: TOTP (RFC 6238) over HMAC-SHA-1, thirty seconds each.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use subtle::ConstantTimeEq;
use zelo_core::Entropy;
use zeroize::Zeroizing;

/// Seconds for which a code is shown.
const PERIOD: i64 = 30;

/// Bytes of a secret, as RFC 4226 §4 recommends.
const SECRET: usize = 20;

/// A new secret.
pub fn new_secret(entropy: &dyn Entropy) -> Zeroizing<Vec<u8>> {
    let mut secret = Zeroizing::new(vec![0; SECRET]);
    entropy.fill(&mut secret);
    secret
}

/// The secret as people type it into an app, and as a program reads it (`otpauth://`).
pub fn told(name: &str, secret: &[u8]) -> (String, String) {
    let text = BASE32_NOPAD.encode(secret);
    let address = format!("otpauth://totp/zelo:{name}?secret={text}&issuer=zelo");
    (text, address)
}

/// The period of which `code` is at `now`: the present one, the last or the next, since telephones' clocks differ.
pub(crate) fn period(secret: &[u8], code: &str, now: Timestamp) -> Option<i64> {
    let present = now.as_second().div_euclid(PERIOD);
    let given: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    let is = |period: &i64| code_at(secret, *period).is_some_and(|right| right.as_bytes().ct_eq(given.as_bytes()).into());
    [present, present - 1, present + 1].into_iter().find(is)
}

/// What an app with this secret shows at `now`.
pub fn shown(secret: &[u8], now: Timestamp) -> Option<String> {
    code_at(secret, now.as_second().div_euclid(PERIOD))
}

/// The code of a period (RFC 4226 §5.3); none before 1970.
fn code_at(secret: &[u8], period: i64) -> Option<String> {
    let counter = u64::try_from(period).ok()?;
    let mac = Hmac::<Sha1>::new_from_slice(secret).ok()?.chain_update(counter.to_be_bytes()).finalize().into_bytes();
    let offset = usize::from(mac[19] & 0xf);
    let word = u32::from_be_bytes(mac[offset..offset + 4].try_into().ok()?) & 0x7fff_ffff;
    Some(format!("{:06}", word % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_at(secret, second / PERIOD).as_deref(), Some(code));
            assert_eq!(period(secret, code, Timestamp::from_second(second).unwrap()), Some(second / PERIOD));
        }
    }

    #[test]
    fn a_code_is_good_one_period_early_and_late() {
        let secret = b"12345678901234567890";
        let at = |second: i64| period(secret, " 081 804 ", Timestamp::from_second(second).unwrap());
        let first = 1_111_111_109 / PERIOD * PERIOD;
        assert_eq!([first - 31, first - 30, first + 59, first + 60].map(|second| at(second).is_some()), [false, true, true, false]);
        assert_eq!(period(secret, "", Timestamp::UNIX_EPOCH), None);
    }

    #[test]
    fn a_secret_is_told_as_apps_read_it() {
        let (text, address) = told("ana", b"12345678901234567890");
        assert_eq!(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(address, "otpauth://totp/zelo:ana?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=zelo");
    }
}
