"""Calls of the module: answers, faults of a handler, concurrency, cancellation, deadlines."""

from __future__ import annotations

import json

import pytest

from host import decode


def test_success(probe):
    answer = probe.call("echo", b"\x00hello")
    assert answer["status"] == "success"
    assert decode(answer["data"]["payload"]) == b"\x00hello"
    assert probe.call("nothing")["data"] == {}


def test_message_and_context_reach_the_handler(probe):
    id = probe.handle("mirror", b"x", trace_id="t", priority=3, ttl_ms=60000, more=[1])
    data = probe.answer(id)["data"]
    assert data["message"] == {
        "topic": "mirror",
        "payload": "eA==",
        "priority": 3,
        "ttl_ms": 60000,
        "more": [1],
    }
    assert data["context"] == {
        "trace_id": "t",
        "source_module": "caller:1.0.0",
        "timestamp": 1234567890,
    }


def test_promised_members_are_there_when_the_supervisor_left_them_out(probe):
    data = probe.answer(probe.request("handle", message={"topic": "mirror"}))["data"]
    assert data["message"] == {"topic": "mirror", "payload": "", "priority": 1}
    assert data["context"] == {"trace_id": "", "source_module": "", "timestamp": 0}


def test_error_answer_keeps_its_parts(probe):
    assert probe.call("error")["error"] == {
        "code": "OUT_OF_INK",
        "message": "no ink left",
        "details": {"colour": "blue"},
    }


@pytest.mark.parametrize(
    "topic, payload, code, message",
    [
        ("raise", b"", "HANDLER_ERROR", "ZeroDivisionError: no such quotient"),
        ("exit", b"", "HANDLER_ERROR", "SystemExit: enough"),
        ("success_of_text", b"", "HANDLER_ERROR", "success() takes a dict, not str"),
        ("invalid", b"", "INVALID_INPUT", "name is missing"),
        ("json", b"{", "INVALID_INPUT", "the payload is not JSON: "),
        ("json", b"NaN", "INVALID_INPUT", "the payload is not JSON: NaN is not JSON"),
        ("json", b"\xff", "INVALID_INPUT", "the payload is not JSON: 'utf-8' codec"),
        ("json", b"[" * 100000, "INVALID_INPUT", "the payload is not JSON: nested too deeply"),
        ("return", b"none", "HANDLER_ERROR", "on_handle returned NoneType; return self.success"),
        ("return", b"text", "HANDLER_ERROR", "on_handle returned str; return self.success"),
        ("return", b"dict", "HANDLER_ERROR", "on_handle returned a dict that is no answer; return"),
        ("return", b"status", "HANDLER_ERROR", "on_handle returned a dict that is no answer"),
        ("return", b"bytes", "HANDLER_ERROR", "bytes go through encode_payload()"),
        ("return", b"nan", "HANDLER_ERROR", "the answer is not JSON: "),
        ("return", b"surrogate", "HANDLER_ERROR", "the answer is not JSON: "),
    ],
)
def test_fault_of_a_handler_fails_that_call_only(probe, topic, payload, code, message):
    error = probe.call(topic, payload)["error"]
    assert error["code"] == code
    assert message in error["message"]
    assert probe.call("echo", b"still here")["status"] == "success"


def test_exception_has_its_traceback_in_the_log(probe):
    probe.answer(probe.handle("raise", trace_id="t-9"))
    assert probe.shutdown() == 0
    line = probe.log()[0]
    assert (line["level"], line["trace_id"]) == ("error", "t-9")
    assert "in do_raise" in line["stack"]


def test_details_of_invalid_input(probe):
    assert probe.call("invalid")["error"]["details"] == {"field": "name"}


@pytest.mark.parametrize("payload", ["a", "****", "aGVsbG8", "é", 7, None])
def test_payload_that_is_not_base64(probe, payload):
    message = {"topic": "json", "payload": payload}
    error = probe.answer(probe.request("handle", message=message))["error"]
    assert error["code"] == "INVALID_INPUT"
    assert error["message"].startswith("the payload is not base64: ")


def test_extra_members_of_an_answer_do_not_reach_the_frame(probe):
    id = probe.handle("return", b"extra")
    answer = probe.answer(id)
    assert answer == {"type": "response", "id": id, "status": "success", "data": {"x": 1}}


def test_serial_module_refuses_a_second_handle(probe):
    first = probe.handle("gate")
    gate = probe.service_request()
    assert probe.call("echo")["error"] == {
        "code": "BUSY",
        "message": "this module takes 1 handle at a time",
    }
    probe.reply(gate)
    assert probe.answer(first)["status"] == "success"
    assert probe.call("echo")["status"] == "success"


def test_concurrent_handles_are_answered_as_they_end(wide_probe):
    host = wide_probe
    handles = {b"%d" % n: host.handle("gate", b"%d" % n) for n in range(3)}
    gates = [host.service_request() for _ in handles]
    assert host.call("echo")["error"]["code"] == "BUSY"
    for gate in sorted(gates, key=lambda gate: gate["parent"], reverse=True):
        name = decode(gate["params"]["payload"])
        host.reply(gate, b"answer " + name)
        answer = host.answer(handles[name])
        assert decode(answer["data"]["payload"]) == b"answer " + name
    assert host.shutdown() == 0


def test_cancel_reaches_the_handler_and_its_nested_call(probe):
    handle = probe.handle("cancelled")
    gate = probe.service_request()
    probe.send({"type": "cancel", "id": handle})
    assert probe.cancel() == {"type": "cancel", "id": gate["id"]}
    data = probe.answer(handle)["data"]
    assert data["cancelled"] is True
    assert (data["first"]["code"], data["first"]["outcome"]) == ("CANCELLED", "unknown")
    assert (data["again"]["code"], data["again"]["outcome"]) == ("CANCELLED", "not_delivered")
    probe.reply(gate)  # too late: dropped
    assert probe.call("echo")["status"] == "success"


def test_cancel_is_not_sent_to_a_peer_that_does_not_know_it(start):
    host = start()
    host.init(extensions=[])
    handle = host.handle("cancelled")
    host.service_request()
    host.send({"type": "cancel", "id": handle})
    assert host.answer(handle)["data"]["cancelled"] is True
    assert host.shutdown() == 0
    assert [frame for frame in host.received if frame["type"] == "cancel"] == []


def test_unhandled_cancellation_is_answered_cancelled(probe):
    handle = probe.handle("hold_then_raise")
    probe.service_request()
    probe.send({"type": "cancel", "id": handle})
    assert probe.answer(handle)["error"]["code"] == "CANCELLED"


def test_cancel_spares_other_handlers(wide_probe):
    host = wide_probe
    kept, dropped = host.handle("cancelled"), host.handle("cancelled")
    gates = {gate["parent"]: gate for gate in (host.service_request(), host.service_request())}
    host.send({"type": "cancel", "id": dropped})
    assert host.answer(dropped)["data"]["cancelled"] is True
    host.reply(gates[kept])
    assert host.answer(kept)["data"] == {"cancelled": False}


@pytest.mark.parametrize("id", [1, 999, 0, -1, "7", None, 1.5, [], True])
def test_cancel_of_nothing_is_ignored(probe, id):
    probe.send({"type": "cancel", "id": id})
    assert probe.call("echo")["status"] == "success"


def test_remaining(probe):
    data = probe.call("deadline", ttl_ms=60000)["data"]
    assert 0 < data["remaining"] <= 60
    assert data["cancelled"] is False
    assert probe.call("deadline")["data"] == {"remaining": None, "cancelled": False}
    assert probe.call("deadline", ttl_ms=0)["data"]["remaining"] is None


def test_many_calls_in_a_row(wide_probe):
    for n in range(300):
        payload = json.dumps({"n": n}).encode()
        assert decode(wide_probe.call("echo", payload)["data"]["payload"]) == payload
    assert wide_probe.shutdown() == 0


# A module with room for one handler reads for itself between calls: see _Session.


@pytest.fixture(params=[0, 1, 300])
def used_probe(start, request):
    """A probe whose health check waits for do_until_cancelled, after some calls."""
    host = start()
    assert host.init({"health": "await_handler"})["status"] == "success"
    for _ in range(request.param):
        assert host.call("nothing")["status"] == "success"
    return host


def test_a_handler_that_asks_nothing_hears_what_comes(used_probe):
    for _ in range(3):
        handle = used_probe.handle("until_cancelled")
        assert used_probe.answer(used_probe.request("health_check"))["status"] == "success"
        assert used_probe.answer(used_probe.handle("nothing"))["error"]["code"] == "BUSY"
        used_probe.send({"type": "cancel", "id": handle})
        assert used_probe.answer(handle)["status"] == "success"
        assert used_probe.call("nothing")["status"] == "success"
    assert used_probe.shutdown() == 0


def test_a_handler_that_asks_nothing_hears_the_end(used_probe):
    handle = used_probe.handle("until_cancelled")
    assert used_probe.answer(used_probe.request("health_check"))["status"] == "success"
    used_probe.hang_up()
    assert used_probe.answer(handle)["status"] == "success"
    assert used_probe.wait() == 0


def test_a_thread_of_the_author_gets_its_answer_whoever_reads(probe):
    for n in range(20):
        assert probe.call("call_beside")["status"] == "success"
        request = probe.service_request()
        for _ in range(n):
            assert probe.call("nothing")["status"] == "success"
        joined = probe.handle("join_beside")
        probe.reply(request, b"%d" % n)
        assert decode(probe.answer(joined)["data"]["payload"]) == b"%d" % n
    assert probe.shutdown() == 0


def test_a_thread_of_the_author_gets_its_answer_while_no_call_comes(probe):
    assert probe.call("call_beside")["status"] == "success"
    probe.reply(probe.service_request(), b"x")
    assert decode(probe.call("join_beside")["data"]["payload"]) == b"x"
