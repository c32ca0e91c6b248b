"""What the vectors are made of: keyed hashes, a delivery, a handshake. `make.py` says what each provider does with them."""

import base64
import hmac
import json
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NOW = 1772805600
BASE = "https://hooks.example.com/hooks"

VECTORS = []
HANDSHAKES = []


def instant(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def sample(provider, name):
    return (ROOT / "examples/events" / provider / name).read_bytes()


def mac(key, message, algorithm="sha256"):
    key = key.encode() if isinstance(key, str) else key
    message = message.encode() if isinstance(message, str) else message
    return hmac.new(key, message, algorithm)


def hexed(key, message, algorithm="sha256"):
    return mac(key, message, algorithm).hexdigest()


def based(key, message, algorithm="sha256"):
    return base64.b64encode(mac(key, message, algorithm).digest()).decode()


def text_of(body):
    """The body as text where it is UTF-8, else in base64."""
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def vector(source, name, body, headers, secrets, expect, why=None, types=None, now=NOW, path="", query="", url=None,
           content_type="application/json", published=False, reference=None, source_file=None):
    body = body.encode() if isinstance(body, str) else body
    if url is None:
        url = f"{BASE}/{source}/{path}" + (f"?{query}" if query else "")
    accepted = expect == "accepted"
    assert expect in ("accepted", "refused") and (accepted or (why and types is None)), name
    entry = {
        "source": source,
        "source_file": source_file or f"rules/sources/{source}.toml",
        "name": name,
        "method": "POST",
        "path": path,
        "url": url,
        "query": query,
        "headers": headers,
        **text_of(body),
        "content_type": content_type,
        "secrets": secrets,
        "now": instant(now),
        "expect": expect,
    }
    if why:
        entry["why"] = why
    if accepted:
        entry["event_types"] = types
    entry["published"] = published
    if reference:
        entry["reference"] = reference
    VECTORS.append(entry)


def changed(body):
    """The body with one value changed, still as well-formed as it was."""
    for old, new in [(b"255.4", b"999.4"), (b"25540", b"99940"), (b"Marina", b"Martha"), (b"delivered", b"undelivered"), (b"2026", b"2027"),
                     (b"exemplo", b"exemplO")]:
        if old in body:
            return body.replace(old, new, 1)
    raise AssertionError("nothing to change")


def over_the_body(source, header, sign, body, types, old_and_new, other, headers=None, source_file=None, content_type="application/json"):
    """What every signature over nothing but the body has to do. `sign(secret, body)` gives the header's value."""
    old, new = old_and_new
    more = headers or {}

    def of(secret, signed=None):
        return {**more, header: sign(secret, body if signed is None else signed)}

    common = {"source_file": source_file, "content_type": content_type}
    vector(source, "accepted", body, of(new), [new], "accepted", types=types, **common)
    vector(source, "changed body", changed(body), of(new), [new], "refused", "the signature is of another body", **common)
    vector(source, "wrong secret", body, of(other), [new], "refused", "signed with a secret that is not the connection's", **common)
    vector(source, "no signature", body, dict(more), [new], "refused", "the header is not there", **common)
    vector(source, "empty signature", body, {**more, header: ""}, [new], "refused", "the header is empty", **common)
    vector(source, "no secret", body, of(""), [], "refused", "without a secret nothing is verified", **common)
    vector(source, "rotation, the old secret", body, of(old), [new, old], "accepted", types=types, **common)
    vector(source, "rotation, the new secret", body, of(new), [new, old], "accepted", types=types, **common)
    vector(source, "rotation is over", body, of(old), [new], "refused", "the old secret is not valid any more", **common)


def handshake(source, name, method, query, headers, body, check, expect, answer=None, status=200, secrets=None, now=NOW, content_type=None):
    entry = {"source": source, "source_file": f"rules/sources/{source}.toml", "name": name, "method": method, "path": "",
             "url": f"{BASE}/{source}/" + (f"?{query}" if query else ""), "query": query, "headers": headers, **text_of(body)}
    if content_type:
        entry["content_type"] = content_type
    entry.update({"handshake": check, "secrets": secrets or [], "now": instant(now), "expect": expect, "status": status})
    if answer is not None:
        entry["answer"] = answer
    HANDSHAKES.append(entry)


def write(name, entries):
    names = [(entry["source"], entry["name"]) for entry in entries]
    assert len(names) == len(set(names)), "two vectors of one name"
    (HERE / name).write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    print(f"{name}: {len(entries)}")
