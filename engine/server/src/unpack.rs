//! Reads the body of a delivery that may come as gzip (RFC 9110, 8.4.1).
//!
//! It is unpacked under the limits that hold for any body, and is from then on what it was before it was packed: that is what providers sign,
//! since their bodies are packed, if at all, on the way out.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use tokio::sync::Semaphore;

use crate::body::{self, Held};
use crate::problem::Problem;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
}

/// Reads `body`, of at most `max` bytes packed and unpacked, within `timeout`; how it is packed, `headers` say.
pub(crate) async fn read(headers: &HeaderMap, body: Body, max: usize, timeout: Duration, budget: &Arc<Semaphore>) -> Result<Held, Problem> {
    let coding = coding(headers)?;
    let held = body::read(body, max, timeout, budget).await?;
    match coding {
        Coding::Identity => Ok(held),
        Coding::Gzip => unpack(&held.bytes, max, budget).await,
    }
}

/// How `headers` say that the body is packed.
fn coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let coding = match (codings.next(), codings.next()) {
        (None, _) => Some(Coding::Identity),
        (Some(coding), None) => match coding.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Coding::Identity),
            "gzip" | "x-gzip" => Some(Coding::Gzip),
            _ => None,
        },
        _ => None,
    };
    coding.ok_or_else(|| {
        Problem::unsupported("The body is packed in a way that is not taken. Send it as it is, or with `Content-Encoding: gzip`.")
    })
}

/// A packed body becomes no more than so many times as long: texts that repeat themselves shrink to a thirtieth, bombs to a thousandth.
const RATIO_MAX: usize = 100;
/// Up to here its ratio does not matter.
const UNPACKED_FREE: usize = 16 * 1024;
/// How much is unpacked at once.
const STEP: usize = 16 * 1024;

/// Unpacks `packed`, step by step: what is too much is never in memory.
async fn unpack(packed: &[u8], max: usize, budget: &Arc<Semaphore>) -> Result<Held, Problem> {
    let ratio = packed.len().saturating_mul(RATIO_MAX).max(UNPACKED_FREE);
    let mut decoder = MultiGzDecoder::new(packed);
    let mut held = Held::new();
    let mut step = vec![0; STEP];
    loop {
        let length = match decoder.read(&mut step) {
            Ok(0) => return Ok(held),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(Problem::malformed("The body is said to be gzip, and cannot be unpacked.")),
        };
        if held.bytes.len() + length > ratio {
            return Err(Problem::packed(RATIO_MAX));
        }
        held.take(step.get(..length).unwrap_or_default(), max, budget)?;
        // Others have their turn before the next step.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(bytes: &[u8], max: usize) -> Result<Vec<u8>, Problem> {
        let budget = Arc::new(Semaphore::new(1 << 30));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(unpack(bytes, max, &budget)).map(|held| held.bytes)
    }

    #[test]
    fn a_coding_is_known_or_refused() {
        let of = |codings: &[&str]| {
            let headers: HeaderMap = codings.iter().map(|coding| (CONTENT_ENCODING, coding.parse().unwrap())).collect();
            coding(&headers).ok()
        };
        for (codings, wanted) in [
            (&[][..], Some(Coding::Identity)),
            (&["identity"], Some(Coding::Identity)),
            (&["gzip"], Some(Coding::Gzip)),
            (&[" X-Gzip "], Some(Coding::Gzip)),
            (&["br"], None),
            (&["gzip, gzip"], None),
            (&["gzip", "gzip"], None),
            (&["deflate"], None),
        ] {
            assert_eq!(of(codings), wanted, "{codings:?}");
        }
    }

    #[test]
    fn a_bomb_is_given_up_before_it_is_in_memory() {
        let free = packed(&[b' '; UNPACKED_FREE]);
        assert_eq!(unpacked(&free, 1 << 20).unwrap().len(), UNPACKED_FREE, "what is small may shrink as it likes");
        let bomb = packed(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 70_000);
        assert_eq!(unpacked(&bomb, 1 << 30).unwrap_err().code(), "too-large");
        assert_eq!(unpacked(&packed(&[b'x'; 3_000]), 2_999).unwrap_err().code(), "too-large");
        assert_eq!(unpacked(&packed(&[b'x'; 3_000]), 3_000).unwrap().len(), 3_000);
        let budget = Arc::new(Semaphore::new(100));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let busy = runtime.block_on(unpack(&packed(&[b'x'; 101]), 3_000, &budget)).map(|held| held.bytes.len());
        assert_eq!(busy.unwrap_err().code(), "busy", "what is unpacked counts against what all bodies may hold");
    }

    #[test]
    fn half_of_it_is_not_all_of_it() {
        let whole = packed(b"{\"a\": 1}");
        for cut in 0..whole.len() {
            assert!(unpacked(&whole[..cut], 1 << 20).map_or(true, |bytes| cut == 0 && bytes.is_empty()), "{cut}");
        }
        let mut wrong = whole.clone();
        let checksum = wrong.len() - 6;
        wrong[checksum] ^= 1;
        assert_eq!(unpacked(&wrong, 1 << 20).unwrap_err().code(), "malformed");
        assert_eq!(unpacked(&[&whole[..], b"more"].concat(), 1 << 20).unwrap_err().code(), "malformed");
        assert_eq!(unpacked(&[&whole[..], &whole].concat(), 1 << 20).unwrap(), b"{\"a\": 1}{\"a\": 1}", "RFC 1952, 2.2");
    }

    proptest! {
        #[test]
        fn any_bytes_are_unpacked_within_bounds_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            raw in any::<bool>(),
        ) {
            let mut body = if raw { bytes.clone() } else { packed(&bytes) };
            for (place, value) in &flips {
                if !body.is_empty() {
                    let place = place.index(body.len());
                    body[place] = *value;
                }
            }
            if let Ok(found) = unpacked(&body, 200) {
                prop_assert!(found.len() <= 200);
                prop_assert!(raw || !flips.is_empty() || found == bytes);
            }
        }
    }
}
