//! Every way of providers to prove that it was them: examples that they publish themselves, or that others computed.
//!
//! Those without a source in a comment were computed with Python: `hmac.new(secret, signed, "sha256")`, then `.hexdigest()` or
//! `base64.b64encode(….digest())`; the RSA signatures with `openssl dgst -sha256 -sign`.

use zelo_core::Timestamp;
use zelo_rules::{Delivery, FileText, Files, Headers, Refusal, RuleSet};

use super::common::{Installed, loaded};

/// One delivery, and the secrets of its connection.
#[derive(Clone)]
pub(crate) struct Sent<'s> {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'s str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) secrets: Vec<Vec<u8>>,
    pub(crate) now: Timestamp,
}

impl<'s> Sent<'s> {
    pub(crate) fn new(secret: &str, headers: &[(&'s str, &str)], body: &str) -> Self {
        Self {
            url: "https://hooks.example.com/hooks/a/b".to_owned(),
            headers: headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            secrets: vec![secret.as_bytes().to_vec()],
            now: Timestamp::UNIX_EPOCH,
        }
    }

    fn at(self, second: i64) -> Self {
        Self { now: Timestamp::from_second(second).unwrap(), ..self }
    }

    fn to(self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self }
    }

    pub(crate) fn verified_by(&self, set: &RuleSet) -> Result<(), String> {
        let headers: Headers<'_> = self.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let delivery = Delivery { path: "b", url: &self.url, headers: &headers, body: &self.body };
        match set.sources().next().unwrap().verify(&delivery, &self.secrets, self.now) {
            Ok(()) => Ok(()),
            Err(Refusal::Unverified { why }) => Err(why),
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn files(verify: &str) -> Files {
    let text = format!("id = \"other\"\n[receive]\n{verify}\n[[events]]\ntype = \"thing.created\"\n");
    Files { sources: vec![FileText { name: "other.toml".to_owned(), text }], rules: vec![], samples: vec![] }
}

/// A source that takes `verify`.
pub(crate) fn source(verify: &str) -> RuleSet {
    loaded(&files(&format!("verify = {verify}")))
}

const SLACK: &str = r#"{ kind = "hmac", header = "x-slack-signature", prefix = "v0=", timestamp = { header = "x-slack-request-timestamp" }, signed = "v0:{t}:{body}", tolerance = "5m" }"#;
const STRIPE: &str = r#"{ kind = "hmac", header = "stripe-signature", fields = { separator = ",", assign = "=", signature = "v1", timestamp = "t" }, signed = "{t}.{body}", tolerance = "5m" }"#;
const STANDARD: &str = r#"{ kind = "hmac", header = "webhook-signature", fields = { separator = " ", assign = ",", signature = "v1" }, timestamp = { header = "webhook-timestamp" }, signed = "{header:webhook-id}.{t}.{body}", key_encoding = "base64", key_prefix = "whsec_", encodings = ["base64"], tolerance = "5m" }"#;
const TWILIO: &str = r#"{ any = [
  { kind = "hmac", header = "x-twilio-signature", signed = "{url}{form}", algorithm = "sha1", encodings = ["base64"] },
  { kind = "hmac", header = "x-twilio-signature", signed = "{url}", body_hash = { query = "bodySHA256" }, algorithm = "sha1", encodings = ["base64"] } ] }"#;
const GITHUB: &str = r#"{ kind = "hmac", header = "x-hub-signature-256", prefix = "sha256=" }"#;

/// The example of "Verifying requests from Slack" (docs.slack.dev).
fn slack() -> Sent<'static> {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let headers = [("X-Slack-Signature", signature), ("X-Slack-Request-Timestamp", "1531420618")];
    Sent::new("8f742231b10e8888abcd99yyyzzz85a5", &headers, body).at(1_531_420_618)
}

/// The example of "Validating webhook deliveries" (docs.github.com).
fn github() -> Sent<'static> {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    Sent::new("It's a Secret to Everybody", &[("X-Hub-Signature-256", signature)], "Hello, World!")
}

/// The example of the libraries of Standard Webhooks.
fn standard() -> Sent<'static> {
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    Sent::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &headers, r#"{"test": 2432232314}"#).at(1_614_265_330)
}

fn stripe() -> Sent<'static> {
    let signature = "t=1614265330,v1=d8ad0119c04884f963d66fde235b40b6fb9b013e987cbf5471d69f2574a46d8e,v0=0000";
    Sent::new("whsec_test_secret", &[("stripe-signature", signature)], r#"{"id": "evt_1", "object": "event"}"#).at(1_614_265_330)
}

/// The example of Twilio's "Webhooks security", and of the tests of its libraries.
fn twilio() -> Sent<'static> {
    let body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    Sent::new("12345", &[("X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=")], body).to("https://mycompany.com/myapp.php?foo=1&bar=2")
}

/// The example of the tests of Twilio's libraries for bodies in JSON.
fn twilio_json() -> Sent<'static> {
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let body = r#"{"property": "value", "boolean": true}"#;
    Sent::new("12345", &[("X-Twilio-Signature", "a9nBmqA0ju/hNViExpshrM61xv4=")], body).to(url)
}

fn meta() -> Sent<'static> {
    let body = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"value":{"text":"\u00e9"},"field":"messages"}]}]}"#;
    let signature = "sha256=31667c4b443dd54168129c7ee7274190cf4595f0fd2eb0251065ad603ff8d526";
    Sent::new("app-secret", &[("X-Hub-Signature-256", signature)], body)
}

fn all() -> Vec<(&'static str, &'static str, Sent<'static>)> {
    vec![
        ("slack", SLACK, slack()),
        ("github", GITHUB, github()),
        ("standard webhooks", STANDARD, standard()),
        ("stripe", STRIPE, stripe()),
        ("twilio", TWILIO, twilio()),
        ("twilio, json", TWILIO, twilio_json()),
        ("meta", GITHUB, meta()),
    ]
}

#[test]
fn what_providers_publish_is_verified() {
    for (name, verify, sent) in all() {
        assert_eq!(sent.verified_by(&source(verify)), Ok(()), "{name}");
    }
    let shopify = r#"{ kind = "hmac", header = "x-shopify-hmac-sha256", encodings = ["base64"] }"#;
    let sent = Sent::new("hush", &[("x-shopify-hmac-sha256", "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=")], r#"{"id":1}"#);
    assert_eq!(sent.verified_by(&source(shopify)), Ok(()));
    let waha = r#"{ kind = "hmac", header = "x-webhook-hmac", algorithm = "sha512" }"#;
    let signature =
        "5b9b6074bbd85af3b507dd3e12ce2b439f63c5849d758d401ada29a02cc050c9ee4d8fdb7d95f2f64253b5c2c80c2b59387e49d31480d21dd8e22977a0ab5123";
    assert_eq!(Sent::new("waha", &[("x-webhook-hmac", signature)], r#"{"event":"message"}"#).verified_by(&source(waha)), Ok(()));
}

#[test]
fn one_byte_more_or_less_is_another_delivery() {
    for (name, verify, sent) in all() {
        let set = source(verify);
        let refused = |sent: &Sent<'_>, what: &str| assert!(sent.verified_by(&set).is_err(), "{name}: {what}");
        for at in 0..sent.body.len() {
            // Not the case of a letter: in an escape of a form it would be the same letter.
            let mut other = sent.clone();
            other.body[at] ^= 1;
            refused(&other, "another byte in the body");
        }
        for header in 0..sent.headers.len() {
            // What Stripe signs with its old scheme is not looked at.
            let length = sent.headers[header].1.split(",v0").next().unwrap().len();
            for at in 0..length {
                let mut other = sent.clone();
                let mut bytes = other.headers[header].1.clone().into_bytes();
                bytes[at] ^= 1;
                other.headers[header].1 = String::from_utf8(bytes).unwrap();
                refused(&other, "another byte in a header");
            }
            let mut without = sent.clone();
            without.headers.remove(header);
            refused(&without, "a header is missing");
            let mut twice = sent.clone();
            twice.headers.push(twice.headers[header].clone());
            refused(&twice, "a header is there twice");
        }
        let mut other = sent.clone();
        other.secrets[0].push(b'A');
        other.secrets[0].rotate_right(1);
        refused(&other, "another secret");
        other.secrets.clear();
        assert_eq!(other.verified_by(&set), Err("this connection has no secret".to_owned()), "{name}");
    }
}

#[test]
fn what_is_signed_of_the_url_is_its_every_byte() {
    for sent in [twilio(), twilio_json()] {
        let set = source(TWILIO);
        for at in 0..sent.url.len() {
            let mut bytes = sent.url.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(sent.clone().to(&String::from_utf8(bytes).unwrap()).verified_by(&set).is_err(), "{at}");
        }
    }
    let mut other = twilio_json();
    other.body.push(b' ');
    assert_eq!(other.verified_by(&source(TWILIO)), Err("its body is not the one that the `bodySHA256` of its URL was made of".to_owned()));
}

#[test]
fn a_form_is_signed_by_its_parameters_in_their_order() {
    let shuffled = "To=%2B18005551212&From=%2B14158675309&Digits=1234&Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
    let sent = Sent { body: shuffled.as_bytes().to_vec(), ..twilio() };
    assert_eq!(sent.verified_by(&source(TWILIO)), Ok(()));
    let only_form =
        r#"{ kind = "hmac", header = "x-twilio-signature", signed = "{url}{form}", algorithm = "sha1", encodings = ["base64"] }"#;
    let doubtful = Sent { body: b"CallSid".to_vec(), ..twilio() };
    assert_eq!(doubtful.verified_by(&source(only_form)), Err("its body is not a form that could be signed".to_owned()));
}

#[test]
fn a_timestamp_may_be_as_far_from_now_as_the_tolerance_says_and_no_farther() {
    let why = "its timestamp is more than 300 seconds from now: it was sent too long ago, or a clock is wrong";
    for (verify, sent, at) in [(SLACK, slack(), 1_531_420_618), (STRIPE, stripe(), 1_614_265_330), (STANDARD, standard(), 1_614_265_330)] {
        let set = source(verify);
        for (second, fits) in [(at - 300, true), (at + 300, true), (at - 301, false), (at + 301, false)] {
            let expected = if fits { Ok(()) } else { Err(why.to_owned()) };
            assert_eq!(sent.clone().at(second).verified_by(&set), expected, "{}", second - at);
        }
        let a_moment_later = Timestamp::from_millisecond((at + 300) * 1000 + 1).unwrap();
        assert_eq!(Sent { now: a_moment_later, ..sent.clone() }.verified_by(&set), Err(why.to_owned()));
    }
}

#[test]
fn a_timestamp_counts_seconds_or_milliseconds() {
    // hmac.new(b"key", b"1614265330123.{}", "sha256").hexdigest()
    let signature = "t=1614265330123,v1=MILLIS";
    let set = source(STRIPE);
    let sent = Sent::new("key", &[("stripe-signature", &signature.replace("MILLIS", MILLIS))], "{}");
    assert_eq!(sent.clone().at(1_614_265_330).verified_by(&set), Ok(()));
    assert!(sent.at(1_614_265_631).verified_by(&set).unwrap_err().contains("300 seconds"));
}

const MILLIS: &str = "ba7d3427fda79cf77b60dc840035c1a09d5286711fe1625c0de3be31237a3724";

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let set = source(STRIPE);
    let said = |header: &str| Sent::new("key", &[("stripe-signature", header)], "{}").verified_by(&set).unwrap_err();
    let list = "its `stripe-signature` header is not a list of at most 32 pairs, `name=value`, with `,` between them";
    for header in ["", "v1", "t=1,v1", "t=1,,v1=00", "t=1,v1=00,", &format!("t=1{}", ",v1=00".repeat(32))] {
        assert_eq!(said(header), list, "{header}");
    }
    assert_eq!(said("v1=00"), "its `stripe-signature` header has no `t`");
    assert_eq!(said("t=1,v0=00"), "its `stripe-signature` header has no `v1`");
    assert_eq!(said("t=1,t=1,v1=00"), "its `stripe-signature` header has `t` more than once");
    for stamp in ["", "-1", "+1", "1.5", "0x10", "now", "99999999999999999999", "2026-03-02T11:00:00Z", "1 "] {
        let expected = if stamp == "1 " {
            "its `stripe-signature` header does not fit any secret of this connection"
        } else {
            "its timestamp is not a number of seconds"
        };
        assert_eq!(said(&format!("t={stamp},v1=00")), expected, "{stamp}");
    }
    let no_stamp = Sent { headers: slack().headers[..1].to_vec(), ..slack() };
    assert_eq!(no_stamp.verified_by(&source(SLACK)), Err("it carries no `x-slack-request-timestamp` header".to_owned()));
    let mut twice = slack();
    twice.headers.push(("x-slack-signature", "v0=00".to_owned()));
    assert_eq!(twice.verified_by(&source(SLACK)), Err("its `x-slack-signature` header is there more than once".to_owned()));
}

#[test]
fn any_secret_and_any_signature_of_a_list_may_fit() {
    let set = source(STRIPE);
    let mut sent = stripe();
    sent.secrets.insert(0, b"the new one".to_vec());
    assert_eq!(sent.verified_by(&set), Ok(()), "while secrets rotate here");
    let signature = sent.headers[0].1.replace("v1=", "v1=00,v1=").replace(",v0=0000", ",v1=ffff");
    sent.headers[0].1 = signature;
    assert_eq!(sent.verified_by(&set), Ok(()), "while secrets rotate there");
    let several = Sent { headers: standard().headers, ..standard() };
    let mut other = several.clone();
    other.headers[2].1 = format!("v1,AAAA v1a,{} {}", "00", several.headers[2].1);
    assert_eq!(other.verified_by(&source(STANDARD)), Ok(()));
}

#[test]
fn a_secret_is_written_as_the_source_says() {
    let set = source(STANDARD);
    let bare = Sent { secrets: vec![b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec()], ..standard() };
    assert!(bare.verified_by(&set).is_err(), "it may be a key of another kind, which everybody knows");
    let source_of = |set: &RuleSet| set.sources().next().unwrap().clone();
    for (secret, taken) in [
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", false),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false),
        ("whsec_", false),
        ("what?", false),
    ] {
        assert_eq!(source_of(&set).takes_secret(secret.as_bytes()), taken, "{secret}");
        let sent = Sent { secrets: vec![secret.as_bytes().to_vec()], ..standard() };
        assert_eq!(sent.verified_by(&set).is_ok(), taken, "{secret}");
    }
}

#[test]
fn basic_is_that_of_rfc_7617() {
    let set = source(r#"{ kind = "basic" }"#);
    let sent = |header: &str| Sent::new("Aladdin:open sesame", &[("Authorization", header)], "{}").verified_by(&set);
    assert_eq!(sent("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(()));
    assert_eq!(sent("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(()), "schemes have no case");
    let why = Err("its `authorization` header does not fit any secret of this connection".to_owned());
    for header in [
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR==",
        "Basic QWxhZGRpbg==",
        "Basic",
        "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Basic Aladdin:open sesame",
    ] {
        assert_eq!(sent(header), why, "{header}");
    }
    let of = set.sources().next().unwrap();
    assert!(of.takes_secret(b"a:b") && !of.takes_secret(b"ab"), "a secret of `basic` is user:password");
    let prefix = |verify: &str| source(verify).sources().next().unwrap().secret_prefix().to_owned();
    assert_eq!((of.secret_prefix(), prefix(GITHUB).as_str(), prefix(STANDARD).as_str()), ("zelo:", "", "whsec_"));
}

#[test]
fn a_token_may_stand_in_the_url() {
    let set = source(r#"{ kind = "token", query = "token" }"#);
    let sent = |query: &str| Sent::new("a&b c", &[], "{}").to(&format!("https://hooks.example.com/hooks/a/b{query}")).verified_by(&set);
    assert_eq!(sent("?x=1&token=a%26b+c"), Ok(()));
    let rotated = Sent { secrets: vec![b"the new one".to_vec(), b"a&b c".to_vec()], ..Sent::new("", &[], "{}") };
    assert_eq!(rotated.to("https://hooks.example.com/hooks/a/b?token=a%26b%20c").verified_by(&set), Ok(()), "while secrets rotate");
    assert_eq!(sent("?token=a%26b+c&token=a%26b+c"), Err("the `token` of its URL is there more than once".to_owned()));
    assert_eq!(sent("?token=a%26b"), Err("the `token` of its URL does not fit any secret of this connection".to_owned()));
    assert_eq!(sent("?Token=a%26b+c"), Err("its URL has no `token`".to_owned()));
}

const MADE_WITH_2048: &str = "d1/RpbRuz1anaKEcqLuFlblbKYz+CW4oaboLVRFyN4K94XNlJ2GqbvkzM68viOgr4UE2pWyIwiarOVd6cnf5fEsxIU/SuuL5IAqrPzupeaPFdW3WbnqU45EnOZE9TxU9Cm1G+hN4kVs+qVmFi4U3Nwsu1sJo77XIISI83GUKlx/yLr5Raz7ZLadQ5FRya0wDnr8slpuQehVFlXsvJZWPJHm8xa6wNlo0ty+9cQEcblgKMhR8X/0yoy9kzM10gkpMQtpIjBEOma0geEWUilXRKlx+/U/hTgj2f9BW2aRKlJhbnoV+FC7y46Zej6XAc9/WXu0cY/B9Gp6eErMM5R3RPg==";
const MADE_WITH_1024: &str = "ZmbpRia+EtTc7BbFgheW9xfGaBhUCAUA472xutJS6u88pBZ+DvXpF8z0u16UTeTtkT1yPx1Da8JhLOj9bYoeUCQ5liB6/aga2dggdGTjDexoRQ9VxChZSgIL+casWHdm+lGthkAbtIRMJA8vluv0T9+PW1zKM7JhT2QmC4Hbi6o=";
const KEY_2048: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA5rYAReC1bQ3ppW0JqOAx\njdyixRP/4CM5Jxakqu99zTL7C69y8xLzzP1cIpsSkRfIIkSqdYv8iYpL7NYn3aUO\nL7aT4TLQisXTP1yjmL9i3KdYQzLaN8PnB91O37TLKu0hJ8ouNJ4TReLwrbhkfrAo\nzt4AJY3pe/KvWm5HQ81T5YOY63y0ZTvu2HZbrXY6ECKpElO3DSIo0Ydhj/mhizyL\nA5C99vDPmErIm09gjYpO9yFST+sxgmiljXTh+mmUl2vK4GvaEkiHnaFFgnLv6JNS\nGoLBBHaJvLGd7CKG3hAm3HulNyzWT84wfJdWX0e4r7XGenVCICOOGoUR2KfJ6KGY\nBwIDAQAB\n-----END PUBLIC KEY-----";
const KEY_2048_PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKCAQEA5rYAReC1bQ3ppW0JqOAxjdyixRP/4CM5Jxakqu99zTL7C69y8xLz\nzP1cIpsSkRfIIkSqdYv8iYpL7NYn3aUOL7aT4TLQisXTP1yjmL9i3KdYQzLaN8Pn\nB91O37TLKu0hJ8ouNJ4TReLwrbhkfrAozt4AJY3pe/KvWm5HQ81T5YOY63y0ZTvu\n2HZbrXY6ECKpElO3DSIo0Ydhj/mhizyLA5C99vDPmErIm09gjYpO9yFST+sxgmil\njXTh+mmUl2vK4GvaEkiHnaFFgnLv6JNSGoLBBHaJvLGd7CKG3hAm3HulNyzWT84w\nfJdWX0e4r7XGenVCICOOGoUR2KfJ6KGYBwIDAQAB\n-----END RSA PUBLIC KEY-----";
const KEY_1024: &str = "-----BEGIN PUBLIC KEY-----\nMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCylPygPhSNcs8uthSptQI0XEen\nmil9yqlJi/b8goI5GJDA51M1ObzHJ3XBM/yT3ozvjRV5wa4eecztxPO+m013h93e\nSAt55dWpg6htV+AyOrHF2s2q7ME5wIhCPFJmGXLxfb1xS64T1ntka2RHeaH8USl/\nUp8WurD7v5C4jZB6qwIDAQAB\n-----END PUBLIC KEY-----";
const KEY_512: &str = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANmjL8Yl+nS4o1OFSvaVG8vOZegTxOxk\nEa0HdMapKOSIPiZcYuv232EzsIf0lyeMBLlUR9ENy9QQha7iOO1qWgsCAwEAAQ==\n-----END PUBLIC KEY-----";

#[test]
fn a_signature_of_rsa_is_checked_with_a_public_key() {
    let body = r#"{"event":"OPENPIX:CHARGE_COMPLETED"}"#;
    let sent = |key: &str, signature: &str| Sent::new(key, &[("x-webhook-signature", signature)], body);
    let of_connection = source(r#"{ kind = "rsa", header = "x-webhook-signature", encodings = ["base64"] }"#);
    for (key, signature) in [(KEY_2048, MADE_WITH_2048), (KEY_2048_PKCS1, MADE_WITH_2048), (KEY_1024, MADE_WITH_1024)] {
        assert_eq!(sent(key, signature).verified_by(&of_connection), Ok(()));
        let mut other = sent(key, signature);
        other.body.push(b' ');
        assert_eq!(
            other.verified_by(&of_connection),
            Err("its `x-webhook-signature` header does not fit any secret of this connection".to_owned())
        );
    }
    assert!(sent(KEY_2048, MADE_WITH_1024).verified_by(&of_connection).is_err());
    assert!(sent(KEY_512, MADE_WITH_1024).verified_by(&of_connection).is_err());
    let of = of_connection.sources().next().unwrap();
    assert!(of.needs_secret() && !of.shares_secret() && of.takes_secret(KEY_1024.as_bytes()));
    assert!(!of.takes_secret(KEY_512.as_bytes()) && !of.takes_secret(b"a secret"), "too short, and no key");

    let key = data_encoding::BASE64.encode(KEY_1024.as_bytes());
    let of_file = source(&format!(
        r#"{{ kind = "rsa", header = "x-webhook-signature", encodings = ["base64"], key_encoding = "base64", public_keys = ["{key}"] }}"#
    ));
    let without_secret = Sent { secrets: vec![], ..sent("", MADE_WITH_1024) };
    assert_eq!(without_secret.verified_by(&of_file), Ok(()));
    assert!(!of_file.sources().next().unwrap().needs_secret());
}

#[test]
fn a_signature_of_ed25519_is_checked_with_a_public_key() {
    // RFC 8032 §7.1, test 2.
    let key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    let signature =
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    let set = source(r#"{ kind = "ed25519", header = "x-signature", key_encoding = "hex" }"#);
    let sent = Sent::new(key, &[("x-signature", signature)], "r");
    assert_eq!(sent.verified_by(&set), Ok(()));
    for at in 0..signature.len() {
        let mut other = sent.clone();
        let mut bytes = signature.as_bytes().to_vec();
        bytes[at] ^= 1;
        other.headers[0].1 = String::from_utf8(bytes).unwrap();
        assert!(other.verified_by(&set).is_err(), "{at}");
    }
    assert!(Sent { body: b"s".to_vec(), ..sent.clone() }.verified_by(&set).is_err());
    assert!(Sent { secrets: vec![key.replace('3', "4").into_bytes()], ..sent.clone() }.verified_by(&set).is_err());
    assert_eq!(
        Sent { secrets: vec![key.as_bytes()[1..].to_vec()], ..sent }.verified_by(&set),
        Err("no secret of this connection is written as its source says".to_owned())
    );
}

#[test]
fn a_part_in_brackets_is_left_out_where_a_value_in_it_is_missing() {
    // hmac.new(b"mp-secret", b"id:ord01abc;request-id:4f8b;{}", "sha256").hexdigest(), and so on.
    let set = source(
        r#"{ kind = "hmac", header = "x-signature", signed = "[id:{query:data.id|lower};][request-id:{header:x-request-id};]{body}" }"#,
    );
    let sent = |url: &str, headers: &[(&'static str, &str)]| Sent::new("mp-secret", headers, "{}").to(url).verified_by(&set);
    let whole = ("x-signature", "9f1d46599c78fec408926bbeb74e57e50c06f6e23374f5c87939da45dcf0aca6");
    assert_eq!(sent("https://z/h?data.id=ORD01ABC", &[whole, ("x-request-id", "4f8b")]), Ok(()));
    assert!(sent("https://z/h", &[whole, ("x-request-id", "4f8b")]).is_err());
    assert_eq!(
        sent(
            "https://z/h",
            &[("x-signature", "f67984e71d8c245dac77b58e0e77ab3fddedb35409cfb9317691aaae59763f13"), ("x-request-id", "4f8b")]
        ),
        Ok(())
    );
    assert_eq!(sent("https://z/h", &[("x-signature", "d87821e9ef03187aed897bf370f7d47d97f3d82e13b27456bacf421aeb654e8f")]), Ok(()));
    assert_eq!(
        sent("https://z/h?data.id=1&data.id=2", &[("x-signature", "d87821e9ef03187aed897bf370f7d47d97f3d82e13b27456bacf421aeb654e8f")]),
        Err("the `data.id` of its URL is there more than once".to_owned()),
        "what is there twice is not missing"
    );
    assert_eq!(
        sent("https://z/h?data.id=ord01abc;request-id:4f8b", &[whole]),
        Err("the `data.id` of its URL holds `;`, which is to stand behind it".to_owned()),
        "the same text, cut elsewhere, is another delivery"
    );
}

#[test]
fn what_is_insecure_is_taken_from_anyone_and_said_aloud() {
    let files = files("insecure = true");
    let loaded = zelo_rules::load(&files, &Installed);
    assert_eq!(loaded.diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(), ["insecure"]);
    let set = loaded.set.unwrap();
    assert_eq!(Sent { secrets: vec![], ..Sent::new("", &[], "{}") }.verified_by(&set), Ok(()));
    let source = set.sources().next().unwrap();
    assert!(source.insecure && !source.needs_secret() && !source.shares_secret());
}
