"""Calls by the module: what goes over the wire, what comes back, and how a call ends."""

from __future__ import annotations

import json

import pytest

from host import MODULE_ID, decode, encode


def wish(**members) -> bytes:
    return json.dumps(members).encode()


def test_service_request_of_a_handler(probe):
    handle = probe.handle("call", wish(bytes="hi", priority=2), trace_id="t-1", ttl_ms=60000)
    request = probe.service_request()
    ttl_ms = request.pop("ttl_ms")
    assert 0 < ttl_ms <= 60000
    assert request == {
        "type": "service_request",
        "id": 1,
        "service": "message_bus",
        "method": "call",
        "params": {"topic": "other.topic", "payload": encode(b"hi"), "priority": 2},
        "parent": handle,
        "context": {"trace_id": "t-1"},
    }
    probe.reply(request, b"[1]")
    assert probe.answer(handle)["data"] == {"data": {"payload": encode(b"[1]")}, "json": [1]}


def test_timeout_and_trace_id_of_a_call(probe):
    handle = probe.handle("call", wish(timeout=2.5, trace_id="mine"), trace_id="t-1")
    request = probe.service_request()
    assert request["ttl_ms"] == 2500
    assert request["context"] == {"trace_id": "mine"}
    probe.reply(request, b"1")
    probe.answer(handle)


def test_a_call_without_end(probe):
    handle = probe.handle("call", wish(timeout=1e300), ttl_ms=10**400)
    request = probe.service_request()
    assert request["ttl_ms"] <= 365 * 86400 * 1000
    probe.reply(request, b"1")
    assert probe.answer(handle)["status"] == "success"


def test_a_call_gets_no_more_time_than_its_handler(probe):
    probe.handle("call", wish(timeout=100), ttl_ms=5000)
    assert probe.service_request()["ttl_ms"] <= 5000


@pytest.mark.parametrize(
    "payload, sent",
    [
        ("grüße", "grüße".encode()),
        ({"a": [1, None]}, b'{"a":[1,null]}'),
        (7, b"7"),
        (None, b"null"),
    ],
)
def test_payload_of_a_call(probe, payload, sent):
    probe.handle("call", wish(payload=payload))
    assert decode(probe.service_request()["params"]["payload"]) == sent


@pytest.mark.parametrize(
    "topic, payload, message",
    [
        ("call", wish(priority=4), "ValueError: priority is 4; it must be 0, 1, 2 or 3"),
        ("call_object", b"", "TypeError: Object of type object is not JSON serializable"),
    ],
)
def test_unusable_arguments_of_a_call(probe, topic, payload, message):
    error = probe.call(topic, payload)["error"]
    assert error["code"] == "HANDLER_ERROR"
    assert error["message"] == message


@pytest.mark.parametrize(
    "data, json_value",
    [
        ({"payload": encode(b'{"temp":80.5}')}, {"temp": 80.5}),
        ({"payload": encode(b"1"), "unit": "C"}, {"payload": encode(b"1"), "unit": "C"}),
        ({"payload": 5}, {"payload": 5}),
        ({}, {}),
    ],
)
def test_json_of_a_response(probe, data, json_value):
    handle = probe.handle("call", wish())
    id = probe.service_request()["id"]
    probe.send({"type": "service_response", "id": id, "status": "success", "data": data})
    assert probe.answer(handle)["data"] == {"data": data, "json": json_value}


def test_error_of_a_call(probe):
    handle = probe.handle("catch", wish())
    probe.reply_error(
        probe.service_request(),
        code="BUSY",
        message="queue full",
        details={"queue": 64},
        outcome="not_delivered",
        origin="supervisor",
        retry_after_ms=250,
    )
    assert probe.answer(handle)["data"] == {
        "code": "BUSY",
        "message": "queue full",
        "details": {"queue": 64},
        "outcome": "not_delivered",
        "origin": "supervisor",
        "retry_after": 0.25,
        "text": "BUSY: queue full",
    }


def test_unhandled_error_of_a_call_becomes_the_cause(probe):
    handle = probe.handle("call", wish())
    probe.reply_error(
        probe.service_request(),
        code="NO_PROVIDER",
        message="nobody provides other.topic",
        outcome="not_delivered",
        origin="supervisor",
    )
    error = probe.answer(handle)["error"]
    assert error["code"] == "HANDLER_ERROR"
    assert error["message"] == "CallError: NO_PROVIDER: nobody provides other.topic"
    assert error["details"]["cause"] == {
        "code": "NO_PROVIDER",
        "message": "nobody provides other.topic",
        "details": {},
        "outcome": "not_delivered",
        "origin": "supervisor",
    }


def test_answer_without_data_or_error(probe):
    handle = probe.handle("catch", wish())
    probe.send({"type": "service_response", "id": probe.service_request()["id"], "status": "ok"})
    data = probe.answer(handle)["data"]
    assert (data["code"], data["outcome"]) == ("PROTOCOL_ERROR", "unknown")


def test_timeout_of_a_call(probe):
    handle = probe.handle("catch", wish(timeout=0.05))
    request = probe.service_request()
    assert probe.cancel()["id"] == request["id"]
    data = probe.answer(handle)["data"]
    assert (data["code"], data["outcome"]) == ("TIMEOUT", "unknown")
    assert data["origin"] == MODULE_ID
    probe.reply(request)  # too late: dropped
    assert probe.call("echo")["status"] == "success"


def test_a_call_ends_with_its_handlers_deadline(probe):
    handle = probe.handle("cancelled", ttl_ms=50)
    request = probe.service_request()
    assert probe.cancel()["id"] == request["id"]
    data = probe.answer(handle)["data"]
    assert data["cancelled"] is True
    assert data["first"]["code"] == "TIMEOUT"
    assert (data["again"]["code"], data["again"]["outcome"]) == ("TTL_EXPIRED", "not_delivered")


def test_a_call_without_time_is_not_sent(probe):
    data = probe.call("catch", wish(timeout=0))["data"]
    assert (data["code"], data["outcome"]) == ("TTL_EXPIRED", "not_delivered")
    assert all(frame["type"] == "response" for frame in probe.received)


def test_a_call_too_large_for_the_peer_is_not_sent(start):
    host = start()
    host.init(max_frame=2000)
    data = host.call("catch", wish(size=1600))["data"]
    assert (data["code"], data["outcome"]) == ("FRAME_TOO_LARGE", "not_delivered")
    assert host.call("echo")["status"] == "success"


def test_ids_of_concurrent_calls_grow_on_the_wire(wide_probe):
    for _ in range(20):
        handles = [wide_probe.handle("gate") for _ in range(3)]
        for _ in handles:
            wide_probe.reply(wide_probe.service_request())
        for handle in handles:
            assert wide_probe.answer(handle)["status"] == "success"
    requests = [f["id"] for f in wide_probe.received if f["type"] == "service_request"]
    assert requests == list(range(1, 61))
