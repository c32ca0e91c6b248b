//! Deliveries that nobody may take: what a forger would send.

use anyhow::Result;
use zelo_rules::Added;

use super::{Parcel, Way};

/// The ways to spoil a delivery of which its source can notice something: what was done, what proves it then, and the body.
pub(super) fn ways(way: &Way<'_>, parcel: &Parcel) -> Result<Vec<(&'static str, Added, Vec<u8>)>> {
    let unsigned = Added { headers: parcel.sample.headers.clone(), query: Vec::new() };
    let mut ways = vec![("not signed", unsigned, parcel.body.clone())];
    if let Some(secret) = way.secret {
        ways.push(("another secret", way.sealed(parcel, Some(&another(secret)))?, parcel.body.clone()));
        let mut body = parcel.body.clone();
        let middle = body.len() / 2;
        body.get_mut(middle).into_iter().for_each(|byte| *byte ^= 1);
        let added = way.sealed(parcel, way.secret)?;
        // A token says nothing of a body.
        if body != parcel.body && !way.is_verified(parcel, &added, &body, secret) {
            ways.push(("another body", added, body));
        }
    }
    Ok(ways)
}

/// A secret of the same form, with one character in its middle changed.
fn another(secret: &[u8]) -> Vec<u8> {
    let mut other = secret.to_vec();
    let middle = other.len() / 2;
    let at = (middle..other.len()).chain(0..middle).find(|at| other[*at].is_ascii_alphanumeric());
    match at {
        Some(at) => other[at] = if other[at] == b'a' { b'b' } else { b'a' },
        None => other.push(b'a'),
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_secret_is_another_and_of_the_same_form() {
        for secret in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "0a1b", "zelo:0123456789abcdef", "a", "--"] {
            let other = another(secret.as_bytes());
            assert_ne!(other, secret.as_bytes());
            assert!(secret == "--" || other.len() == secret.len());
        }
        assert!(another(b"zelo:0123456789abcdef").starts_with(b"zelo:"));
    }
}
