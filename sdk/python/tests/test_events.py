"""Subscriptions, watches, and the thread on which their events are handled."""

from __future__ import annotations

import json

import pytest

from host import encode

from test_host_services import wish


def subscribe(host, pattern="plc.>", handler="@on_event", name=None, **options):
    handle = host.handle("ask", wish("subscribe", pattern, handler, **options))
    request = host.service_request()
    host.reply_data(request, subscription=name or pattern)
    assert host.answer(handle)["data"] == {"result": None}
    return request["params"]


def unsubscribe(host, pattern="plc.>", **options):
    handle = host.handle("ask", wish("unsubscribe", pattern, **options))
    request = host.service_request()
    host.reply_data(request)
    assert host.answer(handle)["data"] == {"result": None}
    return request


def seen(host, which="seen"):
    return host.call("seen")["data"][which]


@pytest.mark.parametrize(
    "options, params",
    [
        ({}, {}),
        ({"group": True, "buffer": 9}, {"group": True, "buffer": 9}),
        ({"durable": "d", "from_kept": True}, {"durable": "d", "from": "kept"}),
    ],
)
def test_params_of_subscribe(services, options, params):
    assert subscribe(services, **options) == {"pattern": "plc.>", **params}


def test_an_event_reaches_its_handler(services):
    subscribe(services)
    id = services.event("plc.>", "plc.l7.temp", b"80", seq=4, lost=2)
    assert services.answer(id) == {"type": "response", "id": id, "status": "success", "data": {}}
    assert seen(services) == [
        {
            "topic": "plc.l7.temp",
            "payload": "80",
            "source": "plc:1.0.0/instance-001",
            "trace_id": "t-7",
            "timestamp": 99,
            "seq": 4,
            "lost": 2,
            "attempt": 1,
            "thread": "ixt-events",
        }
    ]


def test_the_barest_event(services):
    subscribe(services)
    event = {"subscription": "plc.>"}
    id = services.request("event", event=event, message={"topic": "t"}, context={"attempt": 3})
    assert services.answer(id)["status"] == "success"
    (got,) = seen(services)
    assert (got["payload"], got["source"], got["seq"], got["attempt"]) == ("", "", 0, 3)


def test_a_subscription_of_on_init(start):
    host = start("services.py")
    init = host.request("init", config={"subscribe": ["plc.>"]}, protocol=1)
    request = host.service_request()
    assert "parent" not in request
    host.reply_data(request, subscription="plc.>")
    assert host.answer(init)["status"] == "success"
    assert host.answer(host.event("plc.>", "plc.a"))["status"] == "success"


def test_an_event_that_comes_before_the_answer_to_subscribe(services):
    handle = services.handle("ask", wish("subscribe", "plc.>", "@on_event"))
    request = services.service_request()
    early = services.event("some name", "plc.early")
    assert services.call("seen")["data"]["seen"] == []  # the event has been read by now
    services.reply_data(request, subscription="some name")
    assert services.answer(handle)["status"] == "success"
    assert services.answer(early)["status"] == "success"
    assert seen(services)[0]["topic"] == "plc.early"


def test_a_refused_subscribe_changes_nothing(services):
    subscribe(services)
    handle = services.handle("ask", wish("subscribe", "plc.>", "@on_second"))
    services.reply_error(services.service_request(), code="DENIED", outcome="not_delivered")
    assert services.answer(handle)["data"]["code"] == "DENIED"
    services.answer(services.event("plc.>", "plc.a"))
    assert [event["topic"] for event in seen(services)] == ["plc.a"]


def test_to_subscribe_again_replaces_the_handler(services):
    subscribe(services)
    subscribe(services, handler="@on_second")
    services.answer(services.event("plc.>", "plc.a"))
    assert (seen(services), seen(services, "second")) == ([], ["plc.a"])


def test_events_have_one_thread_and_calls_go_on_meanwhile(services):
    subscribe(services)
    subscribe(services, "second.>", "@on_second")
    first = services.event("plc.>", "plc.gate", b"who")
    gate = services.service_request()
    second = services.event("second.>", "second.a")
    for _ in range(3):
        assert seen(services, "second") == []
    assert services.answer(services.request("health_check"))["status"] == "success"
    services.reply(gate, b"counter")
    services.reply_data(services.service_request(), value=1)
    assert services.answer(first)["status"] == "success"
    assert services.answer(second)["status"] == "success"
    assert seen(services, "second") == ["second.a"]


def test_requests_of_an_event_name_no_parent_and_keep_its_trace(services):
    subscribe(services)
    event = services.event("plc.>", "plc.gate", b"who")
    gate = services.service_request()
    assert "parent" not in gate
    assert gate["context"] == {"trace_id": "t-7"}
    assert gate["params"] == {"topic": "gate", "payload": encode(b"who")}
    services.reply(gate, b"counter")
    add = services.service_request()
    assert (add["service"], add["params"]) == ("kv", {"key": "counter", "delta": 1})
    services.reply_data(add, value=1)
    assert services.answer(event)["status"] == "success"
    assert services.log()[0]["trace_id"] == "t-7"


@pytest.mark.parametrize(
    "topic, code, message, in_log",
    [
        ("plc.raise", "HANDLER_ERROR", "ZeroDivisionError: no such quotient", "in on_event"),
        ("plc.exit", "HANDLER_ERROR", "SystemExit: enough", "in on_event"),
        ("plc.invalid", "INVALID_INPUT", "no line", None),
        ("plc.json", "INVALID_INPUT", "the payload is not JSON: Expecting value", None),
    ],
)
def test_a_failing_handler(services, topic, code, message, in_log):
    subscribe(services)
    error = services.answer(services.event("plc.>", topic, b"*"))["error"]
    assert error["code"] == code
    assert error["message"].startswith(message)
    assert services.answer(services.event("plc.>", "plc.a"))["status"] == "success"
    lines = services.log()
    if in_log is None:
        assert lines == []
    else:
        assert (lines[0]["level"], lines[0]["trace_id"]) == ("error", "t-7")
        assert lines[0]["message"] == f"the handler of plc.>: {message}"
        assert in_log in lines[0]["stack"]


def test_a_payload_that_is_not_base64(services):
    subscribe(services)
    message = {"topic": "plc.a", "payload": "*"}
    event = {"subscription": "plc.>", "seq": 1}
    error = services.answer(services.request("event", event=event, message=message))["error"]
    assert error["code"] == "HANDLER_ERROR"


def test_an_unhandled_call_error_is_the_cause(services):
    subscribe(services)
    event = services.event("plc.>", "plc.gate")
    services.reply_error(services.service_request(), code="NO_PROVIDER", outcome="not_delivered")
    error = services.answer(event)["error"]
    assert (error["code"], error["details"]["cause"]["code"]) == ("HANDLER_ERROR", "NO_PROVIDER")


@pytest.mark.parametrize(
    "event, service, method",
    [
        ({}, "events", "unsubscribe"),
        ({"op": "set", "revision": 3}, "kv", "unwatch"),
    ],
)
def test_an_event_nobody_handles(services, event, service, method):
    ids = [services.event("old", "plc.a", **event) for _ in range(3)]
    for _ in ids:
        request = services.service_request()
        assert (request["service"], request["method"]) == (service, method)
        assert request["params"] == {"subscription": "old"}
        assert "parent" not in request
        services.reply_error(request, code="NOT_FOUND", outcome="not_delivered")
    for id in ids:
        assert services.answer(id)["error"]["code"] == "UNKNOWN_TOPIC"
    assert services.shutdown() == 0
    warnings = [line for line in services.log() if line["level"] == "warn"]
    assert [line["message"] for line in warnings] == [
        "no handler in this process for the subscription old; it is ended"
    ]


def test_an_event_of_a_durable_subscription_that_nobody_handles(services):
    ids = [services.event("ledger:plc.*", "plc.a") for _ in range(2)]
    for id in ids:
        assert services.answer(id)["error"]["code"] == "UNKNOWN_TOPIC"
    assert services.shutdown() == 0  # and nothing was asked for
    warnings = [line["message"] for line in services.log() if line["level"] == "warn"]
    assert len(warnings) == 1
    assert "will come again" in warnings[0]


def test_subscribe_waits_until_the_old_subscription_is_ended(services):
    services.event("late.>", "late.a")
    drop = services.service_request()
    handle = services.handle("ask", wish("subscribe", "late.>", "@on_second"))
    assert seen(services) == []
    assert [f["id"] for f in services.received if f["type"] == "service_request"] == [1]
    services.reply_data(drop)
    services.reply_data(services.service_request(), subscription="late.>")
    assert services.answer(handle)["data"] == {"result": None}
    assert services.answer(services.event("late.>", "late.b"))["status"] == "success"
    assert seen(services, "second") == ["late.b"]


def test_subscribe_in_the_handler_of_an_event(services):
    subscribe(services)
    event = services.event("plc.>", "plc.resubscribe")
    request = services.service_request()
    early = services.event("late.>", "late.a")
    services.reply_data(request, subscription="late.>")
    assert services.answer(event)["status"] == "success"
    assert services.answer(early)["status"] == "success"
    assert seen(services, "second") == ["late.a"]


def test_unsubscribe(services):
    subscribe(services, name="plc.> for d", durable="d")
    subscribe(services)
    request = unsubscribe(services, durable="d")
    assert (request["service"], request["method"]) == ("events", "unsubscribe")
    assert request["params"] == {"subscription": "plc.> for d"}
    assert services.answer(services.event("plc.>", "plc.a"))["status"] == "success"
    late = services.event("plc.> for d", "plc.b")
    assert services.answer(late)["error"]["code"] == "UNKNOWN_TOPIC"
    services.reply_data(services.service_request())
    assert [event["topic"] for event in seen(services)] == ["plc.a"]
    assert services.shutdown() == 0
    assert [line["level"] for line in services.log()] == ["info"]


@pytest.mark.parametrize(
    "ask, message",
    [
        (wish("unsubscribe", "a.*"), "this process has no subscription to 'a.*'"),
        (wish("unsubscribe", "a", durable="d"), "this process has no subscription to 'a' of 'd'"),
        (wish("kv.unwatch", ">"), "this process has no subscription to '>'"),
    ],
)
def test_the_end_of_what_was_never_begun(services, ask, message):
    data = services.call("ask", ask)["data"]
    assert (data["kinds"][0], data["code"]) == ("NotFound", "NOT_FOUND")
    assert (data["message"], data["outcome"]) == (message, "not_delivered")


@pytest.mark.parametrize("code, kept", [("NOT_FOUND", False), ("UNAVAILABLE", True)])
def test_an_unsubscribe_the_host_refuses(services, code, kept):
    subscribe(services)
    handle = services.handle("ask", wish("unsubscribe", "plc.>"))
    services.reply_error(services.service_request(), code=code, outcome="not_delivered")
    assert services.answer(handle)["data"].get("code") == (code if kept else None)
    event = services.event("plc.>", "plc.a")
    assert (services.answer(event)["status"] == "success") is kept


def test_watch(services):
    handle = services.handle(
        "ask", wish("kv.bucket.line-state.watch", "line.>", "@on_change", buffer=2)
    )
    request = services.service_request()
    assert (request["service"], request["method"]) == ("kv", "watch")
    assert request["params"] == {"bucket": "line-state", "pattern": "line.>", "buffer": 2}
    name = "kv:line-state:line.>"
    first = services.event(name, "line.a", b"[1]", op="set", revision=5)
    services.reply_data(request, subscription=name)
    assert services.answer(handle)["data"] == {"result": None}
    assert services.answer(first)["status"] == "success"
    second = services.event(name, "line.a", op="delete", revision=6, seq=2, lost=1)
    assert services.answer(second)["status"] == "success"
    change = {"key": "line.a", "value": "[1]", "revision": 5, "seq": 1, "lost": 0}
    gone = {"key": "line.a", "value": None, "revision": 6, "seq": 2, "lost": 1}
    assert seen(services) == [
        {**change, "text": "[1]", "json": [1]},
        {**gone, "text": "", "json": None},
    ]
    handle = services.handle("ask", wish("kv.bucket.line-state.unwatch", "line.>"))
    request = services.service_request()
    assert (request["method"], request["params"]) == ("unwatch", {"subscription": name})
    services.reply_data(request)
    assert services.answer(handle)["data"] == {"result": None}


@pytest.mark.parametrize(
    "members",
    [
        {"event": {"subscription": "a"}},
        {"message": {"topic": "a"}},
        {"message": {"topic": "a"}, "event": {"seq": 1}},
        {"message": {"topic": "a"}, "event": {"subscription": 1}},
    ],
)
def test_a_broken_event_is_refused(services, members):
    assert services.answer(services.request("event", **members))["error"]["code"] == (
        "PROTOCOL_ERROR"
    )
    assert services.call("seen")["status"] == "success"


def test_cancel_of_an_event(services):
    subscribe(services)
    event = services.event("plc.>", "plc.stubborn")
    waiting = services.event("plc.>", "plc.a")
    gate = services.service_request()
    services.send({"type": "cancel", "id": waiting})
    services.send({"type": "cancel", "id": event})
    assert services.cancel()["id"] == gate["id"]
    assert services.answer(event)["status"] == "success"
    assert services.answer(waiting)["error"]["code"] == "CANCELLED"
    (line,) = services.log()
    assert (line["code"], line["cancelled"]) == ("CANCELLED", True)


# The end.


def test_shutdown_lets_the_event_that_is_handled_end(services):
    subscribe(services)
    event = services.event("plc.>", "plc.gate")
    gate = services.service_request()
    waiting = services.event("plc.>", "plc.a")
    shutdown = services.request("shutdown", grace_ms=10000)
    assert services.answer(services.event("plc.>", "plc.b"))["error"]["code"] == "UNAVAILABLE"
    services.reply(gate, b"counter")
    services.reply_data(services.service_request(), value=1)
    assert services.answer(event)["status"] == "success"
    assert services.answer(waiting)["error"]["code"] == "UNAVAILABLE"
    assert services.answer(shutdown)["status"] == "success"
    assert services.received[-1]["id"] == shutdown
    assert services.at_end()
    assert services.wait() == 0
    last = services.log()[-1]
    assert last["message"] == "on_shutdown"
    assert "ixt-events" not in last["events"]


def test_shutdown_ends_the_wait_of_an_event_after_half_of_its_time(services):
    subscribe(services)
    event = services.event("plc.>", "plc.stubborn")
    gate = services.service_request()
    shutdown = services.request("shutdown", grace_ms=1000)
    assert services.cancel()["id"] == gate["id"]
    assert services.answer(event)["status"] == "success"
    assert services.answer(shutdown)["status"] == "success"
    assert services.wait() == 0
    assert services.log()[0]["cancelled"] is True


def test_shutdown_with_an_event_that_never_ends(services):
    subscribe(services)
    event = services.event("plc.>", "plc.hang")
    services.reply(services.service_request())
    assert seen(services) == []
    shutdown = services.request("shutdown", grace_ms=300)
    assert services.answer(event)["error"]["code"] == "CANCELLED"
    assert services.answer(shutdown)["error"]["code"] == "HANDLER_ERROR"
    assert services.at_end()
    assert services.wait() == 1


def test_end_of_stream_during_an_event(services):
    subscribe(services)
    event = services.event("plc.>", "plc.stubborn")
    services.service_request()
    services.hang_up()
    assert services.answer(event)["status"] == "success"
    assert services.at_end()
    assert services.wait() == 0
    let_go, last = services.log()
    assert (let_go["code"], let_go["cancelled"]) == ("CANCELLED", True)
    assert last["message"] == "on_shutdown"


def test_shutdown_during_a_subscribe(services):
    handle = services.handle("ask", wish("subscribe", "plc.>", "@on_event"))
    services.service_request()
    early = services.event("plc.>", "plc.a")
    assert services.call("seen")["status"] == "success"
    shutdown = services.request("shutdown", grace_ms=10000)
    assert services.answer(handle)["data"]["code"] == "CANCELLED"
    assert services.answer(early)["status"] == "error"
    assert services.answer(shutdown)["status"] == "success"
    assert services.wait() == 0


def test_many_events_in_order(services):
    subscribe(services)
    ids = [services.event("plc.>", "plc.a", json.dumps(n).encode(), seq=n) for n in range(1, 201)]
    assert [services.answer(id)["status"] for id in ids] == ["success"] * 200
    assert [event["seq"] for event in seen(services)] == list(range(1, 201))
