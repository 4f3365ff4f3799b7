"""The services of the host: what each method asks for, and what it makes of the answer."""

from __future__ import annotations

import hashlib
import json

import pytest

from host import encode

CHUNK = 256 * 1024


def wish(do, *args, **options) -> bytes:
    return json.dumps({"do": do, "args": args, "options": options}).encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


INFO = {"name": "a/b", "size": 3, "sha256": "00ff", "time": 1500}
INFO_IN_SECONDS = {"name": "a/b", "size": 3, "sha256": "00ff", "time": 1.5}
SET = {"key": "a", "payload": encode(b"1")}


@pytest.mark.parametrize(
    "ask, method, params, data, result",
    [
        (
            wish("send", "a.b", "hi", target="press:1.0.0", priority=3),
            "message_bus.send",
            {"topic": "a.b", "payload": encode(b"hi"), "target": "press:1.0.0", "priority": 3},
            {},
            None,
        ),
        (
            wish("publish", "plc.l7.temp", {"temp": 80}),
            "events.publish",
            {"topic": "plc.l7.temp", "payload": encode(b'{"temp":80}')},
            {},
            None,
        ),
        (wish("kv.set", "a", 1), "kv.set", SET, {"revision": 6}, 6),
        (
            wish("kv.set", "a", "1", revision=0, ttl=0.0001),
            "kv.set",
            {**SET, "revision": 0, "ttl_ms": 1},
            {"revision": 1},
            1,
        ),
        (wish("kv.get", "a"), "kv.get", {"key": "a"}, {"payload": encode(b"x")}, "x"),
        (
            wish("kv.bucket.line-state.get", "a"),
            "kv.get",
            {"key": "a", "bucket": "line-state"},
            {"payload": ""},
            "",
        ),
        (
            wish("kv.entry", "a"),
            "kv.get",
            {"key": "a"},
            {"payload": encode(b"x"), "revision": 5, "time": 1234567890123},
            {"value": "x", "revision": 5, "time": 1234567890.123},
        ),
        (wish("kv.add", "n"), "kv.add", {"key": "n", "delta": 1}, {"value": 7, "revision": 8}, 7),
        (wish("kv.add", "n", -3), "kv.add", {"key": "n", "delta": -3}, {"revision": 9}, 0),
        (wish("kv.delete", "a"), "kv.delete", {"key": "a"}, {}, None),
        (
            wish("kv.delete", "a", revision=4),
            "kv.delete",
            {"key": "a", "revision": 4},
            {},
            None,
        ),
        (wish("kv.exists", "a"), "kv.exists", {"key": "a"}, {"exists": True}, True),
        (wish("kv.exists", "a"), "kv.exists", {"key": "a"}, {"exists": False}, False),
        (wish("kv.keys"), "kv.keys", {"pattern": ">"}, {"keys": None}, []),
        (wish("kv.keys", "a.*"), "kv.keys", {"pattern": "a.*"}, {"keys": ["a.b"]}, ["a.b"]),
        (
            wish("blob.put", "a/b", "abc"),
            "blob.put",
            {"name": "a/b", "payload": encode(b"abc"), "last": True, "sha256": sha256(b"abc")},
            INFO,
            INFO_IN_SECONDS,
        ),
        (
            wish("blob.put", "a/b", ""),
            "blob.put",
            {"name": "a/b", "payload": "", "last": True, "sha256": sha256(b"")},
            INFO,
            INFO_IN_SECONDS,
        ),
        (
            wish("blob.get", "a/b"),
            "blob.get",
            {"name": "a/b"},
            {"payload": encode(b"abc"), "last": True},
            "abc",
        ),
        (
            wish("blob.bucket.line-state.stat", "a/b"),
            "blob.stat",
            {"name": "a/b", "bucket": "line-state"},
            INFO,
            INFO_IN_SECONDS,
        ),
        (wish("blob.list"), "blob.list", {"prefix": ""}, {"blobs": [INFO]}, [INFO_IN_SECONDS]),
        (wish("blob.list", "a/"), "blob.list", {"prefix": "a/"}, {}, []),
        (wish("blob.delete", "a/b"), "blob.delete", {"name": "a/b"}, {}, None),
    ],
)
def test_method(services, ask, method, params, data, result):
    handle = services.handle("ask", ask, trace_id="t-1")
    request = services.service_request()
    assert f"{request['service']}.{request['method']}" == method
    assert request["params"] == params
    assert (request["parent"], request["context"]) == (handle, {"trace_id": "t-1"})
    services.reply_data(request, **data)
    assert services.answer(handle)["data"] == {"result": result}


def test_target_of_a_call(probe):
    handle = probe.handle("call", json.dumps({"target": "press:1.0.0/instance-002"}).encode())
    request = probe.service_request()
    assert request["params"]["target"] == "press:1.0.0/instance-002"
    probe.reply(request, b"1")
    assert probe.answer(handle)["status"] == "success"


@pytest.mark.parametrize(
    "ask, message",
    [
        (wish("send", "a.b", priority=9), "ValueError: priority is 9; it must be 0, 1, 2 or 3"),
        (wish("kv.set", "a", "1", ttl=0), "ValueError: ttl is 0; it must be more than 0 seconds"),
        (wish("blob.put", "a", 5), "TypeError: a blob is made of bytes, not int"),
        (wish("subscribe", "a", "x"), "TypeError: the handler is str; it must be a function"),
        (wish("kv.watch", "a", None), "TypeError: the handler is NoneType; it must be a function"),
    ],
)
def test_unusable_arguments(services, ask, message):
    assert services.call("ask", ask)["error"]["message"] == message
    assert [frame["type"] for frame in services.received] == ["response"] * 2


@pytest.mark.parametrize(
    "ask, error, kinds, revision",
    [
        (wish("kv.entry", "a"), {"code": "NOT_FOUND"}, {"NotFound", "KeyError"}, None),
        (wish("blob.get", "a"), {"code": "NOT_FOUND"}, {"NotFound", "KeyError"}, None),
        (wish("blob.open", "a"), {"code": "NOT_FOUND"}, {"NotFound", "KeyError"}, None),
        (wish("blob.delete", "a"), {"code": "NOT_FOUND"}, {"NotFound", "KeyError"}, None),
        (
            wish("kv.set", "a", "1", revision=4),
            {"code": "CONFLICT", "details": {"revision": 5}},
            {"Conflict"},
            5,
        ),
        (wish("kv.delete", "a", revision=4), {"code": "CONFLICT"}, {"Conflict"}, 0),
        (wish("kv.get", "a", "default"), {"code": "UNAVAILABLE"}, set(), None),
        (wish("send", "a"), {"code": "DENIED"}, set(), None),
        (wish("publish", "a"), {"code": "TOO_LARGE"}, set(), None),
    ],
)
def test_error(services, ask, error, kinds, revision):
    handle = services.handle("ask", ask)
    error = {"message": "no", "outcome": "not_delivered", "origin": "supervisor", **error}
    services.reply_error(services.service_request(), **error)
    data = services.answer(handle)["data"]
    plain = {"CallError", "Exception", "BaseException", "object", "LookupError"}
    assert set(data.pop("kinds")) - plain == kinds
    assert data == {"details": {}, "revision": revision, **error}


def test_another_modules_own_not_found_is_a_plain_call_error(services):
    handle = services.handle("ask", wish("call", "a.b"))
    services.reply_error(
        services.service_request(), code="NOT_FOUND", message="no such part", outcome="done"
    )
    assert services.answer(handle)["data"]["kinds"][0] == "CallError"


@pytest.mark.parametrize("options, result", [({}, None), ({"default": "d"}, "d")])
def test_default_of_a_key_that_is_not_there(services, options, result):
    handle = services.handle("ask", wish("kv.get", "a", **options))
    services.reply_error(services.service_request(), code="NOT_FOUND", outcome="not_delivered")
    assert services.answer(handle)["data"] == {"result": result}


def test_answer_of_another_type(services):
    handle = services.handle("ask", wish("kv.exists", "a"))
    services.reply_data(services.service_request(), exists="yes")
    data = services.answer(handle)["data"]
    assert data["code"] == "PROTOCOL_ERROR"
    assert data["message"] == "the supervisor gave 'exists' as str, not bool"


def test_a_large_blob_is_put_in_chunks(services, tmp_path):
    content = bytes(range(256)) * (2 * CHUNK // 256) + b"rest"
    (tmp_path / "file").write_bytes(content)
    handle = services.handle("ask", wish("put_file", "a/b", str(tmp_path / "file")))
    first, second, last = [], [], []
    for number, part in enumerate((first, second, last)):
        request = services.service_request()
        part.append(request["params"])
        services.reply_data(request, **(INFO if number == 2 else {"upload": "u-1"}))
    assert first == [{"name": "a/b", "payload": encode(content[:CHUNK])}]
    assert second[0]["payload"] == encode(content[CHUNK : 2 * CHUNK])
    assert second[0]["upload"] == last[0]["upload"] == "u-1"
    assert "last" not in second[0] and last[0]["last"] is True
    assert (last[0]["payload"], last[0]["sha256"]) == (encode(b"rest"), sha256(content))
    assert services.answer(handle)["data"] == {"result": INFO_IN_SECONDS}


def test_the_put_of_whole_chunks_ends_with_a_full_one(services):
    handle = services.handle("ask", wish("blob.put", "a", "x" * CHUNK))
    request = services.service_request()
    assert request["params"]["last"] is True
    services.reply_data(request, **INFO)
    assert services.answer(handle)["status"] == "success"


def test_a_put_that_fails_midway(services):
    handle = services.handle("ask", wish("blob.put", "a", "x" * (CHUNK + 1)))
    services.reply_error(services.service_request(), code="UNAVAILABLE", outcome="not_delivered")
    assert services.answer(handle)["data"]["code"] == "UNAVAILABLE"
    assert services.received[-2]["type"] == "service_request"


def serve_download(services, *chunks: bytes, ended: bool = True) -> None:
    for number, chunk in enumerate(chunks):
        request = services.service_request()
        if number == 0:
            assert request["params"] == {"name": "a"}
        else:
            assert request["params"] == {"download": "d-1"}
        data = {} if number else {"download": "d-1", "size": 9, "sha256": "00"}
        last = ended and number == len(chunks) - 1
        services.reply_data(request, payload=encode(chunk), last=last, **data)


def test_get_of_a_blob_in_chunks(services):
    handle = services.handle("ask", wish("blob.get", "a"))
    serve_download(services, b"abc", b"", b"def")
    assert services.answer(handle)["data"] == {"result": "abcdef"}


def test_reading_a_blob_as_a_file(services):
    handle = services.handle("ask", wish("read_parts", "a", [2, 3, 0, -1, 1]))
    serve_download(services, b"abc", b"", b"def", b"ghi")
    assert services.answer(handle)["data"] == {"result": ["ab", "cde", "", "fghi", ""]}


def test_a_file_asks_only_for_what_is_read(services):
    handle = services.handle("ask", wish("read_parts", "a", [2]))
    serve_download(services, b"abc", ended=False)
    request = services.service_request()  # closed early, it is not kept ready
    assert request["params"] == {"download": "d-1", "last": True}
    services.reply_data(request, payload="", last=True)
    assert services.answer(handle)["data"] == {"result": ["ab"]}

