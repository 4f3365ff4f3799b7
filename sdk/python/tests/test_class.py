"""What an author's unit test can do without any supervisor."""

from __future__ import annotations

import pytest

from ixt_process_module import (
    CallError,
    CallResponse,
    Conflict,
    Event,
    InvalidInput,
    IxtProcessModule,
    KvChange,
    KvEntry,
    NotFound,
)


class Plain(IxtProcessModule):
    def on_handle(self, message, context):
        return self.success()


def test_answers():
    module = Plain()
    assert module.success() == {"status": "success", "data": {}}
    assert module.success({"a": 1}) == {"status": "success", "data": {"a": 1}}
    assert module.error("C", "m") == {"status": "error", "error": {"code": "C", "message": "m"}}
    error = module.error("C", "m", {"d": 1})["error"]
    assert error == {"code": "C", "message": "m", "details": {"d": 1}}
    assert module.on_health_check() == {"healthy": True}


def test_payloads():
    module = Plain()
    assert module.encode_payload(b"hello") == "aGVsbG8="
    assert module.encode_payload(memoryview(b"hello")) == module.encode_payload("hello")
    assert module.decode_payload("aGVsbG8=") == b"hello"
    assert module.decode_json("WzFd") == [1]
    with pytest.raises(InvalidInput, match="the payload is not base64"):
        module.decode_payload("*")


def test_outside_a_handler():
    module = Plain()
    assert module.cancelled() is False
    assert module.remaining() is None
    for ask in (
        lambda: module.call("echo.say", b"hello"),
        lambda: module.subscribe("plc.>", print),
        lambda: module.kv.get("a"),
        lambda: module.kv.watch(">", print),
        lambda: module.blob.get("a"),
    ):
        with pytest.raises(CallError) as caught:
            ask()
        assert (caught.value.code, caught.value.outcome) == ("UNAVAILABLE", "not_delivered")


def test_an_authors_own_attributes_win():
    class Own(Plain):
        def publish(self, page):
            return page

    module = Own()
    assert repr(module.kv.bucket("line-state")) == "KvBucket('line-state')"
    module.kv = module.blob = {}
    assert (module.kv, module.blob, module.publish(3)) == ({}, {}, 3)


def test_errors_of_services():
    with pytest.raises(KeyError):
        raise NotFound("NOT_FOUND", "no key a")
    assert str(NotFound("NOT_FOUND", "no key a")) == "NOT_FOUND: no key a"
    assert Conflict("CONFLICT", "changed", {"revision": 5}).revision == 5
    assert Conflict("CONFLICT", "gone").revision == 0


def test_events_can_be_made_by_hand():
    event = Event("plc.temp", b'{"a":1}', "plc:1.0.0/instance-001", "", 99, 1, 0, 1)
    assert (event.text(), event.json()) == ('{"a":1}', {"a": 1})
    assert KvEntry(b"[1]", 5, 1.5).json() == [1]
    assert KvEntry(b"x", 5, 1.5).text() == "x"
    with pytest.raises(InvalidInput, match="the payload is not JSON"):
        KvChange("a", b"x", 5, 1, 0).json()


def test_max_concurrency():
    class Wide(Plain):
        max_concurrency = 4

    class Careless(Plain):
        def __init__(self):
            self.mine = 1

    assert Plain().max_concurrency == 1
    assert Plain(max_concurrency=2).max_concurrency == 2
    assert Wide().max_concurrency == 4
    assert Careless().max_concurrency == 1
    with pytest.raises(ValueError, match="max_concurrency is 0; it must be at least 1"):
        Plain(max_concurrency=0)


def test_on_handle_must_be_written():
    with pytest.raises(TypeError, match="on_handle"):
        IxtProcessModule()


def test_call_response():
    response = CallResponse({"payload": "eyJhIjoxfQ=="})
    assert response.payload == b'{"a":1}'
    assert response.text() == '{"a":1}'
    assert response.json() == {"a": 1}
    assert CallResponse({"a": 1}).json() == {"a": 1}
    with pytest.raises(ValueError, match=r"the answer has no payload, only \['a'\]"):
        CallResponse({"a": 1}).payload
