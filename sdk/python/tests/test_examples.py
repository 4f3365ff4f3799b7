"""The example module greet, as its manifest starts it."""

from __future__ import annotations

import pytest

from host import SDK, decode, encode

GREET = SDK.parent.parent / "examples" / "greet"


@pytest.fixture
def greet(start):
    host = start(str(GREET / "greet.py"), cwd=GREET, PYTHONPATH="../../sdk/python")
    assert host.init({"greeting": "hello"})["status"] == "success"
    return host


def test_hello(greet):
    answer = greet.call("greet.hello", "Zoë".encode())
    assert decode(answer["data"]["payload"]) == "hello, Zoë".encode()
    assert greet.shutdown() == 0


def test_loud_is_the_answer_of_echo(greet):
    handle = greet.handle("greet.loud", b"Ada")
    request = greet.service_request()
    assert request["params"] == {"topic": "echo.shout", "payload": encode(b"hello, Ada")}
    greet.reply(request, b"HELLO, ADA")
    assert greet.answer(handle)["data"] == {"payload": encode(b"HELLO, ADA")}


def test_unknown_topic(greet):
    assert greet.call("greet.other")["error"]["code"] == "UNKNOWN_TOPIC"
