#!/usr/bin/env python3
"""Makes `providers.json` and `handshakes.json`: deliveries as each provider would send them, and what zelo has to make of them.

Signatures are computed here from the providers' documentation alone, with Python's `hmac` and `hashlib` and, for Ed25519, `cryptography`;
nothing of zelo is used. Where a provider publishes an example with its secret and its signature, it is in here as it was published
(`published`, `reference`), and is checked against the computation below, so a mistake in either stops this script.

    python3 -m venv /tmp/vectors && /tmp/vectors/bin/pip install cryptography && /tmp/vectors/bin/python tests/vectors/make.py

It writes the same bytes each time. README.md says what the keys of a vector are.
"""

import base64
import hashlib
import json
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common import BASE, HANDSHAKES, HERE, NOW, VECTORS, based, changed, handshake, hexed, mac, over_the_body, sample, vector, write


# GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
def github():
    def sign(secret, body):
        return "sha256=" + hexed(secret, body)

    published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign("It's a Secret to Everybody", b"Hello, World!") == published
    vector("github", "the documentation's example", "Hello, World!", {"x-hub-signature-256": published}, ["It's a Secret to Everybody"], "accepted",
           "the signature fits; the body is not JSON", types=None, content_type="text/plain", published=True,
           reference="https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation")
    headers = {"x-github-event": "push", "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}
    body = sample("github", "repository.pushed.json")
    over_the_body("github", "x-hub-signature-256", sign, body, ["repository.pushed"], ("gh-old-secret", "gh-new-secret"), "gh-another", headers)
    vector("github", "prefix of another algorithm", body, {**headers, "x-hub-signature-256": sign("gh-new-secret", body).replace("sha256=", "sha1=")},
           ["gh-new-secret"], "refused", "the header does not begin with `sha256=`")
    vector("github", "SHA-1 alone", body, {**headers, "x-hub-signature": "sha1=" + hexed("gh-new-secret", body, "sha1")}, ["gh-new-secret"], "refused",
           "the signature of the past is not looked at")
    ping = b'{"zen":"Keep it logically awesome.","hook_id":1}'
    vector("github", "ping is of no type", ping, {"x-github-event": "ping", "x-github-delivery": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
           "x-hub-signature-256": sign("gh-new-secret", ping)}, ["gh-new-secret"], "accepted", types=[])
    for kind in ["pull_request.opened", "pull_request.merged", "pull_request.closed", "pull_request.updated", "issue.opened", "issue.closed",
                 "issue.updated", "release.published"]:
        event = {"issue": "issues"}.get(kind.split(".")[0], kind.split(".")[0])
        body = sample("github", f"{kind}.json")
        vector("github", f"accepted, {kind}", body, {"x-github-event": event, "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0959",
               "x-hub-signature-256": sign("gh-new-secret", body)}, ["gh-new-secret"], "accepted", types=[kind])


# Meta: https://developers.facebook.com/docs/graph-api/webhooks/getting-started
def meta():
    def sign(secret, body):
        return "sha256=" + hexed(secret, body)

    secrets = ("00000000000000000000000000000old", "00000000000000000000000000000new")
    body = sample("meta-whatsapp", "message.received.json")
    over_the_body("meta-whatsapp", "x-hub-signature-256", sign, body, ["message.received"], secrets, "00000000000000000000000000000xyz")
    secret = secrets[1]

    def accepted(name, body, types):
        vector("meta-whatsapp", name, body, {"x-hub-signature-256": sign(secret, body)}, [secret], "accepted", types=types)

    accepted("accepted, an answer by a button", sample("meta-whatsapp", "message.received.button.json"), ["message.received"])
    accepted("accepted, a message that failed", sample("meta-whatsapp", "message.status.failed.json"), ["message.status"])
    for kind in ["message.status", "message.sent", "template.status", "connection.changed"]:
        accepted(f"accepted, {kind}", sample("meta-whatsapp", f"{kind}.json"), [kind])
    # As Meta writes it: with escapes. What is signed are these bytes, not what they mean.
    escaped = json.dumps(json.loads(body), separators=(",", ":")).replace("/", "\\/").encode()
    assert b"\\u00ea" in escaped
    accepted("escaped unicode", escaped, ["message.received"])
    vector("meta-whatsapp", "the same text in other bytes", body, {"x-hub-signature-256": sign(secret, escaped)}, [secret], "refused",
           "the signature is of bytes, not of what they mean")
    one, status = json.loads(body), json.loads(sample("meta-whatsapp", "message.status.json"))
    value = one["entry"][0]["changes"][0]["value"]
    second = {**value["messages"][0], "id": "wamid.SEGUNDA", "from": "5511987654321", "timestamp": "1772805601", "text": {"body": "E aos domingos?"}}
    value["messages"].append(second)
    value["contacts"].append({"profile": {"name": "João Exemplo Pereira"}, "wa_id": "5511987654321"})
    read = json.loads(json.dumps(status["entry"][0]["changes"][0]))
    read["value"]["statuses"][0]["status"] = "read"
    several = {"object": one["object"], "entry": [
        {"id": one["entry"][0]["id"], "changes": [one["entry"][0]["changes"][0], status["entry"][0]["changes"][0]]},
        {"id": "102290129340399", "changes": [read]},
    ]}
    accepted("several in one", json.dumps(several, ensure_ascii=False).encode(), ["message.received", "message.received", "message.status", "message.status"])
    unknown = {"object": one["object"], "entry": [{"id": "1", "changes": [{"field": "flows", "value": {"event": "FLOW_STATUS_CHANGE"}}]}]}
    accepted("a field of no type", json.dumps(unknown).encode(), [])
    # https://developers.facebook.com/docs/graph-api/webhooks/getting-started#verification-requests
    asked = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=meatyhamhock"
    handshake("meta-whatsapp", "the documentation's question", "GET", asked, {}, b"", ["meatyhamhock"], "answered", answer="1158201444")
    handshake("meta-whatsapp", "another verify token", "GET", asked.replace("meaty", "salty"), {}, b"", ["meatyhamhock"], "refused", status=403)
    handshake("meta-whatsapp", "no verify token", "GET", "hub.mode=subscribe&hub.challenge=1158201444", {}, b"", ["meatyhamhock"], "refused", status=403)
    handshake("meta-whatsapp", "no handshake is configured", "GET", asked, {}, b"", [], "refused", status=403)


# WAHA: https://waha.devlike.pro/docs/how-to/events/ (HMAC authentication)
def waha():
    def sign(secret, body):
        return hexed(secret, body, "sha512")

    example = b'{"event":"message","session":"default","engine":"WEBJS"}'
    published = ("208f8a55dde9e05519e898b10b89bf0d0b3b0fdf11fdbf09b6b90476301b98d8097c462b2b17a6ce93b6b47a136cf2e78a33a63f6752c2c1631777076153fa89")
    assert sign("my-secret-key", example) == published
    vector("waha", "the documentation's example", example, {"x-webhook-hmac": published, "x-webhook-hmac-algorithm": "sha512"}, ["my-secret-key"],
           "accepted", types=["message.received"], published=True, reference="https://waha.devlike.pro/docs/how-to/events/#hmac-authentication")
    more = {"x-webhook-request-id": "01KK0QXZ5C8F3N7V2B9D4H6M10", "x-webhook-timestamp": "1772805600123", "x-webhook-hmac-algorithm": "sha512"}
    over_the_body("waha", "x-webhook-hmac", sign, sample("waha", "message.received.json"), ["message.received"], ("waha-old", "waha-new"), "waha-other", more)
    for kind in ["message.sent", "group_message.received", "message.status", "connection.changed"]:
        body = sample("waha", f"{kind}.json")
        vector("waha", f"accepted, {kind}", body, {**more, "x-webhook-hmac": sign("waha-new", body)}, ["waha-new"], "accepted", types=[kind])
    body = sample("waha", "message.sent.json").replace(b"message.any", b"message")
    vector("waha", "what was sent, as `message`", body, {**more, "x-webhook-hmac": sign("waha-new", body)}, ["waha-new"], "accepted", types=["message.sent"])


# Evolution: headers of the webhook, https://doc.evolution-api.com/v2/en/configuration/webhooks
def evolution():
    body = sample("evolution", "message.received.json")

    def of(name, value, secrets, expect, why=None, body=body, types=("message.received",), header="x-zelo-token", path=""):
        vector("evolution", name, body, {header: value}, secrets, expect, why, types=list(types) if expect == "accepted" else None, path=path)

    of("accepted", "evo-new", ["evo-new"], "accepted")
    of("accepted, as a bearer token", "Bearer evo-new", ["evo-new"], "accepted", header="authorization")
    of("accepted, by events", "evo-new", ["evo-new"], "accepted", path="messages-upsert")
    of("changed body", "evo-new", ["evo-new"], "accepted", "a token proves who sends, not what; so it goes over TLS only", body=changed(body))
    of("wrong secret", "evo-other", ["evo-new"], "refused", "another token")
    of("a part of the token", "evo-ne", ["evo-new"], "refused", "another token")
    of("bearer without its word", "evo-new", ["evo-new"], "refused", "`Bearer ` is missing", header="authorization")
    of("rotation, the old secret", "evo-old", ["evo-new", "evo-old"], "accepted")
    of("rotation is over", "evo-old", ["evo-new"], "refused", "the old token is not valid any more")
    vector("evolution", "no token", body, {}, ["evo-new"], "refused", "neither header is there")
    vector("evolution", "the key of the instance in the body", body, {}, ["00000000-0000-0000-0000-000000000000"], "refused", "the body proves nothing")
    for kind in ["message.sent", "group_message.received", "message.status", "connection.changed"]:
        of(f"accepted, {kind}", "evo-new", ["evo-new"], "accepted", body=sample("evolution", f"{kind}.json"), types=[kind])
    of("accepted, an answer from a number that is hidden", "evo-new", ["evo-new"], "accepted", body=sample("evolution", "message.received.extended.json"))
    sent = sample("evolution", "message.sent.json").replace(b"messages.upsert", b"send.message")
    of("accepted, send.message", "evo-new", ["evo-new"], "accepted", body=sent, types=["message.sent"])


# Stripe: https://docs.stripe.com/webhooks#verify-manually; Calendly: https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures
def timed(source, header, body, types, old_and_new, other, tolerance, types_of):
    old, new = old_and_new

    def sign(secret, t, body=body):
        return hexed(secret, f"{t}.".encode() + body)

    def of(secret, t=NOW):
        return {header: f"t={t},v1={sign(secret, t)}"}

    vector(source, "accepted", body, of(new), [new], "accepted", types=types)
    vector(source, "changed body", changed(body), of(new), [new], "refused", "the signature is of another body")
    vector(source, "wrong secret", body, of(other), [new], "refused", "signed with a secret that is not the connection's")
    vector(source, "no signature", body, {}, [new], "refused", "the header is not there")
    vector(source, "too old", body, of(new, NOW - tolerance - 1), [new], "refused", "the timestamp is outside of the tolerance")
    vector(source, "from the future", body, of(new, NOW + tolerance + 1), [new], "refused", "the timestamp is outside of the tolerance")
    vector(source, "old, but not too old", body, of(new, NOW - tolerance + 1), [new], "accepted", types=types)
    vector(source, "ahead, but not too far", body, of(new, NOW + tolerance - 1), [new], "accepted", types=types)
    fresh = {header: f"t={NOW},v1={sign(new, NOW - 3600)}"}
    vector(source, "another time on an old signature", body, fresh, [new], "refused", "the time is signed too")
    vector(source, "no time", body, {header: f"v1={sign(new, NOW)}"}, [new], "refused", "without a timestamp")
    vector(source, "two times", body, {header: f"t={NOW},t={NOW - 3600},v1={sign(new, NOW - 3600)}"}, [new], "refused",
           "the time that is compared with the clock is the one that is signed")
    vector(source, "rotation, the old secret", body, of(old), [new, old], "accepted", types=types)
    vector(source, "rotation is over", body, of(old), [new], "refused", "the old secret is not valid any more")
    both = {header: f"t={NOW},v1={sign(old, NOW)},v1={sign(new, NOW)}"}
    vector(source, "rotation by the provider, two signatures", body, both, [new], "accepted", "any of several may fit", types=types)
    for kind in types_of:
        of_kind = sample(source, f"{kind}.json")
        vector(source, f"accepted, {kind}", of_kind, {header: f"t={NOW},v1={sign(new, NOW, of_kind)}"}, [new], "accepted", types=[kind])
    return sign


def stripe():
    body = sample("stripe", "payment.confirmed.json")
    secrets = ("whsec_exemploAntigo0000000000000000", "whsec_exemploNovo00000000000000000")
    sign = timed("stripe", "stripe-signature", body, ["payment.confirmed"], secrets, "whsec_outro", 300,
                 ["payment.created", "payment.failed", "payment.canceled", "payment.refunded", "payment.chargeback", "payment.overdue", "invoice.paid",
                  "checkout.completed", "customer.created", "customer.updated"])
    new = secrets[1]
    vector("stripe", "v0 alone", body, {"stripe-signature": f"t={NOW},v0={sign(new, NOW)}"}, [new], "refused", "`v0` is no signature")
    both = f"t={NOW},v1={sign(new, NOW)},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
    vector("stripe", "v0 beside v1", body, {"stripe-signature": both}, [new], "accepted", types=["payment.confirmed"])
    unknown = b'{"id":"evt_x","object":"event","type":"payout.paid","created":1772805600,"data":{"object":{"id":"po_x"}}}'
    vector("stripe", "of no type", unknown, {"stripe-signature": f"t={NOW},v1={sign(new, NOW, unknown)}"}, [new], "accepted", types=[])


def calendly():
    body = sample("calendly", "appointment.created.json")
    timed("calendly", "calendly-webhook-signature", body, ["appointment.created"], ("calendly-signing-key-old", "calendly-signing-key-new"), "another", 180,
          ["appointment.canceled", "appointment.no_show", "appointment.no_show_undone"])


# Slack: https://docs.slack.dev/authentication/verifying-requests-from-slack
def slack():
    def sign(secret, t, body):
        return "v0=" + hexed(secret, f"v0:{t}:".encode() + body)

    example = (b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA"
               b"&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
               b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c")
    published, secret = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", "8f742231b10e8888abcd99yyyzzz85a5"
    assert sign(secret, 1531420618, example) == published
    form = "application/x-www-form-urlencoded"
    vector("slack", "the documentation's example", example, {"x-slack-request-timestamp": "1531420618", "x-slack-signature": published}, [secret],
           "accepted", types=["command.received"], now=1531420618, content_type=form, published=True,
           reference="https://docs.slack.dev/authentication/verifying-requests-from-slack")
    vector("slack", "the documentation's example, today", example, {"x-slack-request-timestamp": "1531420618", "x-slack-signature": published}, [secret],
           "refused", "the timestamp is outside of the tolerance", content_type=form)
    old, new = "slack-signing-secret-old", "slack-signing-secret-new"
    body = sample("slack", "message.received.json")

    def of(secret, t=NOW, signed=body):
        return {"x-slack-request-timestamp": str(t), "x-slack-signature": sign(secret, t, signed)}

    types = ["message.received"]
    vector("slack", "accepted", body, of(new), [new], "accepted", types=types)
    vector("slack", "changed body", body.replace(b"recibo 42", b"recibo 43"), of(new), [new], "refused", "the signature is of another body")
    vector("slack", "wrong secret", body, of("slack-other"), [new], "refused", "signed with a secret that is not the connection's")
    vector("slack", "too old", body, of(new, NOW - 301), [new], "refused", "the timestamp is outside of the tolerance")
    vector("slack", "from the future", body, of(new, NOW + 301), [new], "refused", "the timestamp is outside of the tolerance")
    vector("slack", "old, but not too old", body, of(new, NOW - 299), [new], "accepted", types=types)
    fresh = {**of(new, NOW - 3600), "x-slack-request-timestamp": str(NOW)}
    vector("slack", "another time on an old signature", body, fresh, [new], "refused", "the time is signed too")
    vector("slack", "no time", body, {"x-slack-signature": sign(new, NOW, body)}, [new], "refused", "without a timestamp")
    vector("slack", "no signature", body, {"x-slack-request-timestamp": str(NOW)}, [new], "refused", "the header is not there")
    vector("slack", "rotation, the old secret", body, of(old), [new, old], "accepted", types=types)
    vector("slack", "rotation is over", body, of(old), [new], "refused", "the old secret is not valid any more")
    for kind in ["message.sent", "mention.received", "app.uninstalled"]:
        one = sample("slack", f"{kind}.json")
        vector("slack", f"accepted, {kind}", one, of(new, NOW, one), [new], "accepted", types=[kind])
    command = sample("slack", "command.received.form")
    vector("slack", "accepted, command.received", command, of(new, NOW, command), [new], "accepted", types=["command.received"], content_type=form)
    asked = b'{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}'
    challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
    common = {"content_type": "application/json"}
    handshake("slack", "url_verification", "POST", "", of(new, NOW, asked), asked, [], "answered", answer=challenge, secrets=[new], **common)
    handshake("slack", "url_verification, unsigned", "POST", "", {}, asked, [], "refused", status=401, secrets=[new], **common)
    handshake("slack", "url_verification, signed by another", "POST", "", of(old, NOW, asked), asked, [], "refused", status=401, secrets=[new], **common)
    handshake("slack", "url_verification, too old", "POST", "", of(new, NOW - 301, asked), asked, [], "refused", status=401, secrets=[new], **common)
    long = json.dumps({"type": "url_verification", "challenge": "x" * 2000}).encode()
    handshake("slack", "a challenge that is too long", "POST", "", of(new, NOW, long), long, [], "refused", status=400, secrets=[new], **common)


# Shopify: https://shopify.dev/docs/apps/build/webhooks/subscribe/https#step-2-validate-the-origin-of-your-webhook
def shopify():
    headers = {"x-shopify-topic": "orders/paid", "x-shopify-shop-domain": "clinica-exemplo.myshopify.com", "x-shopify-api-version": "2026-01",
               "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", "x-shopify-event-id": "98880550-7158-44d4-b7cd-2c97c8a091b5"}
    body = sample("shopify", "order.paid.json")
    over_the_body("shopify", "x-shopify-hmac-sha256", based, body, ["order.paid"], ("shpss_exemplo_antigo", "shpss_exemplo_novo"), "shpss_outro", headers)
    secret = "shpss_exemplo_novo"
    vector("shopify", "the signature in hex", body, {**headers, "x-shopify-hmac-sha256": hexed(secret, body)}, [secret], "refused", "the signature is base64")
    for kind, topic in [("order.created", "orders/create"), ("order.canceled", "orders/cancelled"), ("customer.created", "customers/create"),
                        ("customer.updated", "customers/update"), ("app.uninstalled", "app/uninstalled"), ("customer.data_requested", "customers/data_request"),
                        ("customer.redact_requested", "customers/redact"), ("shop.redact_requested", "shop/redact")]:
        one = sample("shopify", f"{kind}.json")
        of_kind = {**headers, "x-shopify-topic": topic, "x-shopify-hmac-sha256": based(secret, one)}
        vector("shopify", f"accepted, {kind}", one, of_kind, [secret], "accepted", types=[kind])


# Twilio: https://www.twilio.com/docs/usage/security#validating-requests
def twilio():
    def sign(secret, url, body=b""):
        pairs = sorted(parse_qsl(body.decode(), keep_blank_values=True))
        return based(secret, url + "".join(name + value for name, value in pairs), "sha1")

    form = "application/x-www-form-urlencoded"
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    params = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    published = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert sign("12345", url, params) == published
    vector("twilio", "the documentation's example", params, {"x-twilio-signature": published}, ["12345"], "accepted", types=[], url=url, query="foo=1&bar=2",
           content_type=form, published=True, reference="https://www.twilio.com/docs/usage/security (older edition); twilio-php, docs/usage/validation.rst")
    newer, published = params.replace(b"14158675309", b"12349013030"), "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert sign("12345", url, newer) == published
    vector("twilio", "the documentation's newer example", newer, {"x-twilio-signature": published}, ["12345"], "accepted", types=[], url=url,
           query="foo=1&bar=2", content_type=form, published=True, reference="https://www.twilio.com/docs/usage/security")
    text = b'{"property": "value", "boolean": true}'
    query = "foo=1&bar=2&bodySHA256=" + hashlib.sha256(text).hexdigest()
    of_json, published = "https://mycompany.com/myapp.php?" + query, "a9nBmqA0ju/hNViExpshrM61xv4="
    assert sign("12345", of_json) == published
    headers = {"x-twilio-signature": published}
    vector("twilio", "the library's example of JSON", text, headers, ["12345"], "accepted", types=[], url=of_json, query=query, published=True,
           reference="https://github.com/twilio/twilio-python/blob/main/tests/unit/test_request_validator.py")
    vector("twilio", "JSON, changed body", text.replace(b"true", b"false"), headers, ["12345"], "refused", "the hash in the URL is of another body",
           url=of_json, query=query)
    vector("twilio", "JSON, an empty body", b"", headers, ["12345"], "refused", "the hash in the URL is of another body", url=of_json, query=query)
    swapped = query.replace(hashlib.sha256(text).hexdigest(), hashlib.sha256(b"{}").hexdigest())
    vector("twilio", "JSON, changed hash and body", b"{}", headers, ["12345"], "refused", "the URL is signed", url=of_json.replace(query, swapped), query=swapped)
    # The signature of a URL with no parameters proves no body: not one that is no form, and not without its hash.
    bare = "https://mycompany.com/myapp.php"
    vector("twilio", "JSON without a hash", text, {"x-twilio-signature": sign("12345", bare)}, ["12345"], "refused", "nothing proves the body", url=bare)
    vector("twilio", "no content type without a hash", text, {"x-twilio-signature": sign("12345", bare)}, ["12345"], "refused", "nothing proves the body",
           url=bare, content_type=None)
    here = f"{BASE}/twilio/"
    old, new = "twilio-auth-token-old", "twilio-auth-token-new"
    body = sample("twilio", "message.received.form")

    def of(secret, signed=body, url=here):
        return {"x-twilio-signature": sign(secret, url, signed)}

    types = ["message.received"]
    vector("twilio", "accepted", body, of(new), [new], "accepted", types=types, content_type=form)
    vector("twilio", "accepted, with a charset", body, of(new), [new], "accepted", types=types, content_type=form + "; charset=UTF-8")
    vector("twilio", "changed body", changed(body), of(new), [new], "refused", "the signature is of other parameters", content_type=form)
    vector("twilio", "one parameter more", body + b"&Extra=1", of(new), [new], "refused", "the signature is of other parameters", content_type=form)
    vector("twilio", "another URL", body, of(new, url=here.replace("https", "http")), [new], "refused", "the signature is of another URL", content_type=form)
    vector("twilio", "wrong secret", body, of("twilio-other"), [new], "refused", "signed with a secret that is not the connection's", content_type=form)
    vector("twilio", "no signature", body, {}, [new], "refused", "the header is not there", content_type=form)
    vector("twilio", "rotation, the old secret", body, of(old), [new, old], "accepted", types=types, content_type=form)
    vector("twilio", "rotation is over", body, of(old), [new], "refused", "the old secret is not valid any more", content_type=form)
    one = sample("twilio", "message.status.undelivered.form")
    vector("twilio", "accepted, a message that failed", one, of(new, one), [new], "accepted", types=["message.status"], content_type=form)
    for kind in ["message.status", "call.status"]:
        one = sample("twilio", f"{kind}.form")
        vector("twilio", f"accepted, {kind}", one, of(new, one), [new], "accepted", types=[kind], content_type=form)


# Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
def standard_webhooks():
    def sign(secret, id, t, body):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        return "v1," + based(key, f"{id}.{t}.".encode() + body)

    secret, id, t = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
    example, published = b'{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(secret, id, t, example) == published
    source = "standard-webhooks"
    headers = {"webhook-id": id, "webhook-timestamp": str(t), "webhook-signature": published}
    types = ["webhook.received"]
    vector(source, "the libraries' example", example, headers, [secret], "accepted", types=types, now=t, published=True,
           reference="https://github.com/standard-webhooks/standard-webhooks, tests of the libraries (sign function works)")
    vector(source, "the libraries' example, today", example, headers, [secret], "refused", "the timestamp is outside of the tolerance")
    old = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    new = "whsec_" + base64.b64encode(bytes(range(100, 132))).decode()
    other = "whsec_" + base64.b64encode(bytes(range(200, 232))).decode()
    id, body = "msg_01KK0QXZ5C8F3N7V2B9D4H6M01", sample(source, "webhook.received.json")

    def of(*signatures, t=NOW, id=id):
        return {"webhook-id": id, "webhook-timestamp": str(t), "webhook-signature": " ".join(signatures)}

    fine = sign(new, id, NOW, body)
    vector(source, "accepted", body, of(fine), [new], "accepted", types=types)
    vector(source, "changed body", changed(body), of(fine), [new], "refused", "the signature is of another body")
    vector(source, "another id", body, of(fine, id="msg_another"), [new], "refused", "the id is signed too")
    vector(source, "another time", body, of(fine, t=NOW + 1), [new], "refused", "the time is signed too")
    vector(source, "wrong secret", body, of(sign(other, id, NOW, body)), [new], "refused", "signed with a secret that is not the connection's")
    vector(source, "too old", body, of(sign(new, id, NOW - 301, body), t=NOW - 301), [new], "refused", "the timestamp is outside of the tolerance")
    vector(source, "from the future", body, of(sign(new, id, NOW + 301, body), t=NOW + 301), [new], "refused", "the timestamp is outside of the tolerance")
    vector(source, "old, but not too old", body, of(sign(new, id, NOW - 299, body), t=NOW - 299), [new], "accepted", types=types)
    vector(source, "no id", body, {name: value for name, value in of(fine).items() if name != "webhook-id"}, [new], "refused", "what is signed is missing")
    vector(source, "no version", body, of(fine.removeprefix("v1,")), [new], "refused", "no signature of a known version")
    vector(source, "several signatures", body, of(sign(other, id, NOW, body), fine, "v2,bm90aGluZw=="), [new], "accepted", "any may fit", types=types)
    vector(source, "rotation, the old secret", body, of(sign(old, id, NOW, body)), [new, old], "accepted", types=types)
    vector(source, "rotation is over", body, of(sign(old, id, NOW, body)), [new], "refused", "the old secret is not valid any more")
    text = base64.b64encode(mac(new, f"{id}.{NOW}.".encode() + body).digest()).decode()
    vector(source, "keyed with the secret's text", body, of("v1," + text), [new], "refused", "the key is what the base64 of the secret says")
    # v1a: Ed25519, with a key pair of these tests.
    pair, stranger = Ed25519PrivateKey.from_private_bytes(bytes(range(32))), Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    raw = pair.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    public = "whpk_" + base64.b64encode(raw).decode()
    content = f"{id}.{NOW}.".encode() + body

    def v1a(key, content=content):
        return "v1a," + base64.b64encode(key.sign(content)).decode()

    vector(source, "v1a, accepted", body, of(v1a(pair)), [public], "accepted", types=types)
    vector(source, "v1a beside v1", body, of(sign(other, id, NOW, body), v1a(pair)), [public], "accepted", types=types)
    vector(source, "v1a, changed body", changed(body), of(v1a(pair)), [public], "refused", "the signature is of another body")
    vector(source, "v1a, wrong key", body, of(v1a(stranger)), [public], "refused", "signed with a key that is not the connection's")
    late = f"{id}.{NOW - 301}.".encode() + body
    vector(source, "v1a, too old", body, of(v1a(pair, late), t=NOW - 301), [public], "refused", "the timestamp is outside of the tolerance")
    second = "whpk_" + base64.b64encode(stranger.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    vector(source, "v1a, rotation", body, of(v1a(pair)), [second, public], "accepted", types=types)
    # A public key is known to everybody: it must never do as the secret of a keyed hash.
    for name, key in [("its bytes", raw), ("its text", public.encode()), ("its text without the prefix", public.removeprefix("whpk_").encode())]:
        forged = "v1," + base64.b64encode(mac(key, content).digest()).decode()
        vector(source, f"forged with the public key: {name}", body, of(forged), [public], "refused", "a public key is no secret")
    as_v1a = "v1a," + fine.removeprefix("v1,")
    vector(source, "a keyed hash called v1a", body, of(as_v1a), [public], "refused", "not a signature of that key")


# Asaas: https://docs.asaas.com/docs/sobre-os-webhooks
def asaas():
    header, body, new, old = "asaas-access-token", sample("asaas", "payment.received.json"), "asaas-token-novo-000000000000000", "asaas-token-antigo-0000000000000"
    types = ["payment.received"]
    vector("asaas", "accepted", body, {header: new}, [new], "accepted", types=types)
    vector("asaas", "changed body", changed(body), {header: new}, [new], "accepted", "a token proves who sends, not what; so it goes over TLS only", types=types)
    vector("asaas", "wrong secret", body, {header: "another"}, [new], "refused", "another token")
    vector("asaas", "a part of the token", body, {header: new[:-1]}, [new], "refused", "another token")
    vector("asaas", "no token", body, {}, [new], "refused", "the header is not there")
    vector("asaas", "empty token", body, {header: ""}, [new], "refused", "the header is empty")
    vector("asaas", "no secret", body, {header: ""}, [], "refused", "without a secret nothing is verified")
    vector("asaas", "rotation, the old secret", body, {header: old}, [new, old], "accepted", types=types)
    vector("asaas", "rotation is over", body, {header: old}, [new], "refused", "the old token is not valid any more")
    for kind in ["payment.created", "payment.updated", "payment.confirmed", "payment.overdue", "payment.failed", "payment.refunded", "payment.chargeback",
                 "payment.deleted"]:
        vector("asaas", f"accepted, {kind}", sample("asaas", f"{kind}.json"), {header: new}, [new], "accepted", types=[kind])
    unknown = b'{"id":"evt_1&1","event":"PAYMENT_BANK_SLIP_VIEWED","dateCreated":"2026-03-06 10:45:03","payment":{"id":"pay_1"}}'
    vector("asaas", "of no type", unknown, {header: new}, [new], "accepted", types=[])


# Pagar.me: HTTP Basic (RFC 7617), not confirmed by a page of Pagar.me's
def pagarme():
    def of(secret, word="Basic"):
        return {"authorization": f"{word} " + base64.b64encode(secret.encode()).decode()}

    body, new, old = sample("pagarme", "payment.confirmed.json"), "zelo:senha:com:dois-pontos", "zelo:senha-antiga"
    types = ["payment.confirmed"]
    vector("pagarme", "accepted", body, of(new), [new], "accepted", types=types)
    vector("pagarme", "the scheme in small letters", body, of(new, "basic"), [new], "accepted", "RFC 7617: in either case", types=types)
    vector("pagarme", "changed body", changed(body), of(new), [new], "accepted", "a password proves who sends, not what; so it goes over TLS only", types=types)
    vector("pagarme", "wrong secret", body, of("zelo:outra"), [new], "refused", "another password")
    vector("pagarme", "another user", body, of("outro:senha:com:dois-pontos"), [new], "refused", "another user")
    vector("pagarme", "not encoded", body, {"authorization": f"Basic {new}"}, [new], "refused", "not base64")
    vector("pagarme", "another scheme", body, of(new, "Bearer"), [new], "refused", "not `Basic`")
    vector("pagarme", "no header", body, {}, [new], "refused", "the header is not there")
    vector("pagarme", "rotation, the old secret", body, of(old), [new, old], "accepted", types=types)
    vector("pagarme", "rotation is over", body, of(old), [new], "refused", "the old password is not valid any more")
    for kind in ["payment.created", "payment.failed", "payment.refunded", "payment.chargeback", "order.created", "order.paid", "order.canceled"]:
        vector("pagarme", f"accepted, {kind}", sample("pagarme", f"{kind}.json"), of(new), [new], "accepted", types=[kind])


# Woovi: https://developers.woovi.com/docs/webhook/seguranca/webhook-hmac and …/webhook-signature-validation
def woovi():
    def sign(secret, body):
        return based(secret, body, "sha1")

    example, published = b'{"data_criacao":"2021-08-10T20:32:14.429Z","evento":"teste_webhook"}', "jgR2XF0PKDiAwHP1s+TryvxMySQ="
    assert sign("hmac-secret-key", example) == published
    vector("woovi", "the documentation's example", example, {"x-openpix-signature": published}, ["hmac-secret-key"], "accepted", types=[], published=True,
           reference="https://developers.woovi.com/en/docs/webhook/webhook-hmac")
    body = sample("woovi", "payment.confirmed.json")
    over_the_body("woovi", "x-openpix-signature", sign, body, ["payment.confirmed"], ("woovi-old", "woovi-new"), "woovi-other")
    for kind in ["payment.created", "payment.confirmed_by_other", "payment.expired", "transaction.received", "payment.refunded"]:
        one = sample("woovi", f"{kind}.json")
        vector("woovi", f"accepted, {kind}", one, {"x-openpix-signature": sign("woovi-new", one)}, ["woovi-new"], "accepted", types=[kind])
    # Woovi's own signature: the example of its documentation, in the spelling of its SDKs' tests.
    customer = ('{ "name": "Antonio Victor", "taxID": { "taxID": "12345678976", "type": "BR:CPF" }, "email": "antoniocliente@example.com", '
                '"correlationID": "4979ceba-2132-4292-bd90-bee7fb2125e4" }')
    charge = (f'"status": "COMPLETED", "customer": {customer}, "value": 1000, "comment": "Pagamento OpenPix", "transactionID": '
              '"ea83401ed4834b3ea6f1f283b389af29", "correlationID": "417bae21-3d08-4cdb-9c2d-fee63c89e9e4", "paymentLinkID": '
              '"34697ed2-3790-4b60-8512-e7465b142d84", "createdAt": "2021-03-12T12:43:54.528Z", "updatedAt": "2021-03-12T12:44:09.360Z"')
    payer = ('{ "correlationID": "9134e286-6f71-427a-bf00-241681624586", "email": "email1@example.com", "name": "Loma", "phone": "+5511999999999", '
             '"taxID": { "taxID": "47043622050", "type": "BR:CPF" } }')
    example = (f'{{ "pixQrCode": null, "charge": {{ {charge}, "brCode": "https://api.openpix.com.br/openpix/openpix/testing?transactionID='
               f'ea83401ed4834b3ea6f1f283b389af29" }}, "pix": {{ "charge": {{ {charge} }}, "customer": {payer}, "payer": {payer}, "time": '
               '"2021-03-12T12:44:09.269Z", "value": 1, "transactionID": "ea83401ed4834b3ea6f1f283b389af29", "infoPagador": "OpenPix testing" }, '
               '"company": { "id": "624f46f9e93f9f521c8308d7", "name": "Pizzaria do José", "taxID": "4722767300014" }, "account": { "clientId": '
               '"ZOJ64B9B-ZM1W-89MI-4UCI-OP2LVIU6NY75" } }').encode()
    published = ("lL2nnXgmLFGgxJ8+jCDguqouU4ucrIxYJcU5SPrJFaNcJajTJHYVldqc/z4YFIjAjtPEALe699WosgPY08W7CLpidvtm06Qwa4YMB0l/DcTS93O91NdSH/adjugEKiOb76Zj"
                 "/0jB8mqOmWCFYbweOBa17bssuEkd5Lw7Q5L314Y=")
    checked_by_rsa(example, published)
    rsa = {"source_file": "tests/vectors/woovi-rsa.toml"}
    headers = {"x-webhook-signature": published}
    vector("woovi-rsa", "the documentation's example", example, headers, [], "accepted", "the second of two keys fits", types=["payment.confirmed"],
           published=True, reference="https://developers.woovi.com/docs/webhook/seguranca/webhook-signature-validation", **rsa)
    vector("woovi-rsa", "changed body", example.replace(b'"value": 1000', b'"value": 9000', 1), headers, [], "refused", "the signature is of another body", **rsa)
    broken = published.replace("lL2n", "lL2m", 1)
    vector("woovi-rsa", "changed signature", example, {"x-webhook-signature": broken}, [], "refused", "not a signature of Woovi's", **rsa)
    vector("woovi-rsa", "no signature", example, {}, [], "refused", "the header is not there", **rsa)
    forged = based(base64.b64decode("MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC/"), example)
    vector("woovi-rsa", "a keyed hash", example, {"x-webhook-signature": forged}, [], "refused", "not a signature of Woovi's", **rsa)
    vector("woovi", "Woovi's own signature alone", example, headers, ["hmac-secret-key"], "refused",
           "it proves that Woovi sent it, not that it was meant for this webhook")


def checked_by_rsa(body, signature):
    """Stops where the published signature is not one of the published production key."""
    import tomllib

    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    keys = tomllib.loads((HERE / "woovi-rsa.toml").read_text())["receive"]["verify"]["public_keys"]
    load_pem_public_key(keys[1].strip().encode()).verify(base64.b64decode(signature), body, padding.PKCS1v15(), SHA256())


# Mercado Pago: sdk-nodejs, src/utils/webhook/index.ts; https://www.mercadopago.com.br/developers/pt/docs/your-integrations/notifications/webhooks
def mercado_pago():
    source, old, new = "mercado-pago", "mp-assinatura-secreta-antiga", "mp-assinatura-secreta-nova"
    request = "2066ca19-c6f1-498a-be75-1923005edd06"

    def body(kind, id):
        return json.dumps({"action": f"{kind}.updated", "api_version": "v1", "data": {"id": id}, "date_created": "2026-03-06T14:00:00Z", "id": 117889882382,
                           "live_mode": True, "type": kind, "user_id": 2079614828}).encode()

    def of(secret, id="123456789012", request=request, ts=str(NOW)):
        pairs = ([f"id:{id}"] if id else []) + ([f"request-id:{request}"] if request else []) + [f"ts:{ts}"]
        signature = hexed(secret, ";".join(pairs) + ";")
        return {"x-signature": f"ts={ts},v1={signature}", **({"x-request-id": request} if request else {})}

    payment, query = body("payment", "123456789012"), "data.id=123456789012&type=payment"
    types = ["payment.changed"]
    vector(source, "accepted", payment, of(new), [new], "accepted", types=types, query=query)
    vector(source, "accepted, milliseconds", payment, of(new, ts=f"{NOW}123"), [new], "accepted", "`ts` is signed as it stands", types=types, query=query)
    vector(source, "changed body", payment.replace(b"123456789012", b"999999999999"), of(new), [new], "accepted",
           "the body is not signed, so it is not read: the payload has the id of the URL", types=types, query=query)
    vector(source, "an empty body", b"", of(new), [new], "accepted", "the body is not read", types=types, query=query, content_type=None)
    vector(source, "another id in the URL", payment, of(new), [new], "refused", "the id of the URL is signed", query="data.id=999999999999&type=payment")
    vector(source, "another request", payment, {**of(new), "x-request-id": "another"}, [new], "refused", "the id of the request is signed", query=query)
    fresh = {**of(new), "x-signature": of(new)["x-signature"].replace(f"ts={NOW}", f"ts={NOW + 60}")}
    vector(source, "another time", payment, fresh, [new], "refused", "the time is signed too", query=query)
    vector(source, "wrong secret", payment, of("mp-outra"), [new], "refused", "signed with a secret that is not the connection's", query=query)
    vector(source, "no signature (as notifications of QR codes)", payment, {"x-request-id": request}, [new], "refused", "the header is not there", query=query)
    vector(source, "no request id, and none signed", payment, of(new, request=None), [new], "accepted", "what is missing is left out of what is signed",
           types=types, query=query)
    vector(source, "no id, and none signed", payment, of(new, id=None), [new], "accepted", "what is missing is left out of what is signed", types=types,
           query="type=payment")
    vector(source, "the id taken out", payment, of(new), [new], "refused", "an id was signed", query="type=payment")
    vector(source, "rotation, the old secret", payment, of(old), [new, old], "accepted", types=types, query=query)
    vector(source, "rotation is over", payment, of(old), [new], "refused", "the old secret is not valid any more", query=query)
    order = "ORD01JQ4S4KY8HWQ6NA5PXB65B3D3"
    for name, signed in [("as it stands", order), ("in lower case", order.lower())]:
        vector(source, f"an order, its id signed {name}", body("order", order), of(new, id=signed), [new], "accepted", types=["order.changed"],
               query=f"data.id={order}&type=order")
    for kind, topic, id in [("payment.chargeback", "topic_chargebacks_wh", "217000061011888000"),
                            ("subscription.changed", "subscription_preapproval", "2c938084726fca480172750000000000")]:
        vector(source, f"accepted, {kind}", body(topic, id), of(new, id=id), [new], "accepted", types=[kind], query=f"data.id={id}&type={topic}")
    vector(source, "of no type", body("plan", "1"), of(new, id="1"), [new], "accepted", types=[], query="data.id=1&type=plan")


# Google: https://developers.google.com/workspace/calendar/api/guides/push
def google_calendar():
    source, old, new = "google-calendar", "canal-token-antigo-0000000000000000", "canal-token-novo-000000000000000000"

    def of(state, number, token):
        headers = {"x-goog-channel-id": "4ba78bf0-6a47-11e2-bcfd-0800200c9a66", "x-goog-channel-expiration": "Fri, 13 Mar 2026 14:00:00 GMT",
                   "x-goog-resource-id": "ret08u3rv24htgh289g", "x-goog-resource-state": state, "x-goog-message-number": str(number),
                   "x-goog-resource-uri": "https://www.googleapis.com/calendar/v3/calendars/agenda@example.com/events?alt=json"}
        return {**headers, **({"x-goog-channel-token": token} if token is not None else {})}

    def one(name, headers, secrets, expect, why=None, types=None, body=b""):
        vector(source, name, body, headers, secrets, expect, why, types=types, content_type="application/json; utf-8")

    types = ["calendar.changed"]
    one("accepted", of("exists", 10, new), [new], "accepted", types=types)
    one("accepted, calendar.deleted", of("not_exists", 11, new), [new], "accepted", types=["calendar.deleted"])
    one("sync is of no type", of("sync", 1, new), [new], "accepted", types=[])
    one("changed body", of("exists", 10, new), [new], "accepted", "the body is not read", types=types, body=b'{"unexpected": true}')
    one("wrong secret", of("exists", 10, "outro"), [new], "refused", "another token")
    one("no token", of("exists", 10, None), [new], "refused", "the header is not there")
    one("rotation, the old secret", of("exists", 10, old), [new, old], "accepted", types=types)
    one("rotation is over", of("exists", 10, old), [new], "refused", "the old token is not valid any more")


# Clinicarx: public documentation of API 1.1.9, which does not show the encoding of the signature
def clinicarx():
    source, old, new = "clinicarx", "clinicarx-segredo-antigo", "clinicarx-segredo-novo"
    body = sample("", "new-appointment.json")
    types, path = ["appointment.created"], "appointment/new"

    def one(name, headers, secrets, expect, why=None, body=body, path=path, types=types):
        vector(source, name, body, headers, secrets, expect, why, types=types if expect == "accepted" else None, path=path)

    one("accepted, hex", {"authorization": hexed(new, body)}, [new], "accepted")
    one("accepted, hex in capitals", {"authorization": hexed(new, body).upper()}, [new], "accepted")
    one("accepted, base64", {"authorization": based(new, body)}, [new], "accepted")
    one("accepted, a token", {"x-zelo-token": new}, [new], "accepted", "for senders that cannot sign")
    one("changed body", {"authorization": hexed(new, body)}, [new], "refused", "the signature is of another body", body=body + b" ")
    one("wrong secret", {"authorization": hexed("outro", body)}, [new], "refused", "signed with a secret that is not the connection's")
    one("the secret itself as a signature", {"authorization": new}, [new], "refused", "a secret is no signature")
    one("a signature as a token", {"x-zelo-token": hexed(new, body)}, [new], "refused", "a signature is no token")
    one("nothing", {}, [new], "refused", "neither header is there")
    one("a wrong signature beside the right token", {"authorization": hexed("outro", body), "x-zelo-token": new}, [new], "accepted", "one of two ways is enough")
    one("rotation, the old secret", {"authorization": hexed(old, body)}, [new, old], "accepted")
    one("rotation is over", {"authorization": hexed(old, body)}, [new], "refused", "the old secret is not valid any more")
    one("a path of no type", {"authorization": hexed(new, body)}, [new], "accepted", path="appointment/unknown", types=[])
    for name, path, kind in [("cancel-appointment", "appointment/cancel", "appointment.canceled"), ("edit-appointment", "appointment/edit", "appointment.updated"),
                             ("finished-attendance", "attendance/finished", "attendance.finished"), ("new-patient", "patient/new", "patient.created")]:
        of_kind = sample("", f"{name}.json")
        one(f"accepted, {kind}", {"authorization": hexed(new, of_kind)}, [new], "accepted", body=of_kind, path=path, types=[kind])


# Plotado: a token, as no signature is documented
def plotado():
    source, old, new = "plotado", "plotado-token-antigo", "plotado-token-novo"
    lead, xml = sample("plotado", "lead.json"), sample("plotado", "lead.xml")
    path, types = "lead/new", ["lead.created"]
    vector(source, "accepted, JSON", lead, {"x-zelo-token": new}, [new], "accepted", types=types, path=path)
    vector(source, "accepted, XML", xml, {"x-zelo-token": new}, [new], "accepted", types=types, path=path, content_type="application/xml")
    vector(source, "accepted, wherever it is sent", lead, {"x-zelo-token": new}, [new], "accepted", types=types)
    vector(source, "accepted, message.received", lead, {"x-zelo-token": new}, [new], "accepted", types=["message.received"], path="message/received")
    vector(source, "wrong secret", lead, {"x-zelo-token": "outro"}, [new], "refused", "another token", path=path)
    vector(source, "no token", lead, {}, [new], "refused", "the header is not there", path=path)
    vector(source, "rotation, the old secret", lead, {"x-zelo-token": old}, [new, old], "accepted", types=types, path=path)
    vector(source, "rotation is over", lead, {"x-zelo-token": old}, [new], "refused", "the old token is not valid any more", path=path)


# Typeform: https://www.typeform.com/developers/webhooks/secure-your-webhooks/
def typeform():
    over_the_body("typeform", "typeform-signature", lambda secret, body: "sha256=" + based(secret, body), sample("typeform", "form.submitted.json"),
                  ["form.submitted"], ("typeform-old", "typeform-new"), "typeform-other", source_file="examples/sources/typeform.toml")
    body = sample("typeform", "form.submitted.json")
    vector("typeform", "the signature in hex", body, {"typeform-signature": "sha256=" + hexed("typeform-new", body)}, ["typeform-new"], "refused",
           "the signature is base64", source_file="examples/sources/typeform.toml")


for provider in [clinicarx, plotado, meta, waha, evolution, stripe, mercado_pago, asaas, pagarme, woovi, calendly, google_calendar, github, slack, shopify, twilio,
                 standard_webhooks, typeform]:
    provider()
write("providers.json", VECTORS)
write("handshakes.json", HANDSHAKES)
