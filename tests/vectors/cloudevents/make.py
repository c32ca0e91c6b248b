"""Writes sdk.json: CloudEvents as the project's own SDK for Python sends them over HTTP.

    python3 -m venv v && v/bin/pip install cloudevents==2.2.0 && v/bin/python make.py > sdk.json

What is expected is written down from the attributes and data that go into the SDK, not from what comes out of it.
"""

import base64
import json
from datetime import datetime, timezone

from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

TIME = datetime(2026, 3, 2, 11, 0, 0, tzinfo=timezone.utc)
JSON = {"datacontenttype": "application/json"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

EVENTS = {
    "json": (JSON, {"visit": 17, "paid": None, "price": 12.5, "note": "café ☕"}),
    "json with a charset": ({"datacontenttype": "application/json; charset=utf-8"}, {"a": [1, {"b": True}]}),
    "json of its own": ({"datacontenttype": "application/vnd.example+json"}, {"a": 1}),
    "json as bytes": (JSON, b'{"visit": 17}'),
    "json without a content type": ({}, {"visit": 17}),
    "text": ({"datacontenttype": "text/plain"}, "olá, tudo bem?"),
    "xml": ({"datacontenttype": "application/xml"}, "<visit id='17'>ok</visit>"),
    "bytes": ({"datacontenttype": "application/octet-stream"}, bytes(range(256))),
    "no data": ({}, None),
    "subject": (JSON | {"subject": "paciente José 100% \"a\" €😀"}, {"a": 1}),
    "source with a space": (JSON | {"source": "urn:clinic:one%20two"}, {"a": 1}),
    "schema": (JSON | {"dataschema": "https://example.com/visit.json"}, {"a": 1}),
    "trace": (JSON | {"traceparent": TRACE, "tracestate": "a=1,b=2"}, {"a": 1}),
    "extensions": (JSON | {"attempt": 2, "partitionkey": "k-1"}, {"a": 1}),
}


def expected(attributes, data, binary):
    event = {name: "2026-03-02T11:00:00Z" if value is TIME else value for name, value in attributes.items()}
    if binary:
        # A header has no types.
        event = {name: str(value) for name, value in event.items()}
    is_json = "json" in attributes.get("datacontenttype", "json")
    if isinstance(data, bytes) and is_json:
        event["data"] = json.loads(data)
    elif isinstance(data, bytes):
        event["data_base64"] = base64.b64encode(data).decode()
    elif data is not None:
        event["data"] = data
    return event


def message(name, mode, headers, body, events):
    body = base64.b64encode(body).decode()
    return {"name": name, "mode": mode, "headers": headers, "body": body, "events": events}


def main():
    messages, bodies, all_expected = [], [], []
    for number, (name, (more, data)) in enumerate(EVENTS.items()):
        attributes = {"specversion": "1.0", "id": f"e-{number}", "source": "/clinic/visits", "type": "com.example.visit.done", "time": TIME} | more
        event = CloudEvent(dict(attributes), data)
        structured, binary = to_structured(event, JSONFormat()), to_binary(event, JSONFormat())
        whole = expected(attributes, data, False)
        messages.append(message(name, "structured", structured.headers, structured.body, [whole]))
        messages.append(message(name, "binary", binary.headers, binary.body, [expected(attributes, data, True)]))
        bodies.append(structured.body)
        all_expected.append(whole)
    # The SDK has no batches: they are lists of what it makes of each event.
    batch = {"content-type": "application/cloudevents-batch+json"}
    messages.append(message("all", "batched", batch, b"[" + b",".join(bodies) + b"]", all_expected))
    messages.append(message("none", "batched", batch, b"[]", []))
    print(json.dumps({"sdk": "cloudevents 2.2.0", "messages": messages}, indent=1, ensure_ascii=False))


main()
