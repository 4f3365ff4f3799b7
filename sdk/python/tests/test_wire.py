"""Frames that are large, broken or unknown."""

from __future__ import annotations

import json
import struct

import pytest

from host import encode

import ixt_process_module

LIMIT = 4000


@pytest.fixture
def narrow(start):
    host = start()
    host.init(max_frame=LIMIT)
    return host


def oversize(members: dict, size: int = 200_000) -> bytes:
    body = json.dumps({**members, "filler": "x" * size}).encode()
    return struct.pack("<I", len(body)) + body


def test_oversize_request_is_skipped_and_answered(narrow):
    message = {"topic": "echo", "payload": "", "id": 99}
    narrow.send_bytes(oversize({"type": "handle", "id": 50, "message": message}))
    error = narrow.answer(50)["error"]
    assert error["code"] == "FRAME_TOO_LARGE"
    assert error["message"].endswith(f"max_frame is {LIMIT}")
    assert narrow.call("echo")["status"] == "success"


def test_oversize_request_is_known_by_its_id_alone(narrow):
    narrow.send_bytes(oversize({"context": {"id": 7}, "id": 50}))
    assert narrow.answer(50)["error"]["code"] == "FRAME_TOO_LARGE"


@pytest.mark.parametrize(
    "members", [{"type": "news"}, {"a": "x" * 5000, "id": 50}, {"a": {"id": 50}}, {"id": "50"}]
)
def test_oversize_frame_without_a_readable_id_is_skipped(narrow, members):
    narrow.send_bytes(oversize(members))
    assert narrow.call("echo")["status"] == "success"
    assert len(narrow.received) == 2
    assert narrow.shutdown() == 0
    assert narrow.log()[0]["level"] == "warn"


def test_oversize_by_one_byte_and_just_fitting(narrow):
    frame = {"type": "handle", "id": 60, "message": {"topic": "nothing", "payload": ""}}
    for excess, code in ((0, None), (1, "FRAME_TOO_LARGE")):
        empty = len(json.dumps({**frame, "pad": ""}))
        narrow.send({**frame, "pad": "x" * (LIMIT - empty + excess)})
        assert narrow.answer(60).get("error", {}).get("code") == code


def test_oversize_answer_of_the_supervisor_ends_the_call(narrow):
    handle = narrow.handle("catch", b"{}")
    id = narrow.service_request()["id"]
    narrow.send_bytes(oversize({"type": "service_response", "id": id, "status": "success"}))
    data = narrow.answer(handle)["data"]
    assert (data["code"], data["outcome"]) == ("FRAME_TOO_LARGE", "unknown")


def test_announced_giant_frame_that_never_comes(narrow):
    narrow.send_bytes(struct.pack("<I", 0x7FFFFFFF) + b'{"type":"handle","id":50,"x":"')
    narrow.send_bytes(b"x" * 8192)
    narrow.hang_up()
    assert narrow.answer(50)["error"]["code"] == "FRAME_TOO_LARGE"
    assert narrow.wait() == 0


def test_answer_too_large_for_the_peer(narrow):
    error = narrow.call("big", b"5000")["error"]
    assert error["code"] == "FRAME_TOO_LARGE"
    assert error["message"].endswith(f"max_frame is {LIMIT}")
    assert narrow.call("big", b"2000")["status"] == "success"


def test_large_payload_both_ways(probe):
    payload = bytes(range(256)) * 16384  # 4 MiB
    assert probe.call("echo", payload)["data"]["payload"] == encode(payload)


@pytest.mark.parametrize(
    "data, reason",
    [
        (struct.pack("<I", 0), "a frame is not JSON"),
        (struct.pack("<I", 4) + b"nope", "a frame is not JSON"),
        (struct.pack("<I", 4) + b'"\xff\xff"', "a frame is not JSON"),
        (struct.pack("<I", 100_000) + b"[" * 100_000, "nested too deeply"),
        (struct.pack("<I", 2) + b"[]", "a frame is not a JSON object"),
        (struct.pack("<I", 2) + b"{}", "a frame has no type"),
        (struct.pack("<I", 10) + b'{"type":1}', "a frame has no type"),
        (struct.pack("<I", 0x80000010) + b"x" * 16, "attachment, which was not negotiated"),
        (struct.pack("<I", 26) + b'{"type":"handle","id":"7"}', "the id of a 'handle' is '7'"),
        (struct.pack("<I", 24) + b'{"type":"handle","id":0}', "the id of a 'handle' is 0"),
    ],
)
def test_broken_frame_ends_the_connection(probe, data, reason):
    probe.send_bytes(data)
    assert probe.at_end()
    assert probe.wait() == 1
    breach, last = probe.log()
    assert breach["level"] == "error"
    assert breach["message"].startswith("the supervisor broke the protocol: ")
    assert reason in breach["message"]
    assert last["message"] == "on_shutdown"


def test_reused_id_in_flight_ends_the_connection(probe):
    handle = probe.handle("gate")
    probe.service_request()
    probe.send({"type": "health_check", "id": handle})
    assert probe.at_end()
    assert probe.wait() == 1
    assert f"the id {handle} of a 'health_check' is in flight already" in probe.stderr()


def test_id_is_free_again_after_its_answer(probe):
    frame = {"type": "handle", "id": 70, "message": {"topic": "echo", "payload": ""}}
    for _ in range(2):
        probe.send(frame)
        assert probe.answer(70)["status"] == "success"


def test_end_of_stream_inside_a_frame(probe):
    probe.send_bytes(struct.pack("<I", 500) + b'{"type":')
    probe.hang_up()
    assert probe.wait() == 0


@pytest.mark.parametrize(
    "frame",
    [{"type": "handle", "id": 1, "message": {}}, {"type": "event"}, {"type": "shutdown", "id": 1}],
)
def test_first_frame_must_be_init(start, frame):
    host = start()
    host.send(frame)
    assert host.at_end()
    assert host.wait() == 1
    assert f"the first frame is '{frame['type']}', not 'init'" in host.stderr()


def test_unknown_request_type(probe):
    answer = probe.answer(probe.request("dance"))
    assert answer["error"] == {"code": "UNKNOWN_TYPE", "message": "unknown request type 'dance'"}


def test_unknown_notifications_and_members_are_ignored(probe):
    probe.send({"type": "event", "topic": "plc.l7.temp"})
    probe.send({"type": "handle", "message": {"topic": "echo"}})
    for id in (12345, None, "1", [1]):
        probe.send({"type": "service_response", "id": id, "status": "success", "data": {}})
    answer = probe.answer(probe.request("health_check", novelty={"a": 1}))
    assert answer["status"] == "success"
    assert len(probe.received) == 2


def test_second_init(probe):
    assert probe.init()["error"]["code"] == "PROTOCOL_ERROR"
    assert probe.call("echo")["status"] == "success"


def test_handle_without_a_message(probe):
    answer = probe.answer(probe.request("handle", message="hello"))
    assert answer["error"]["code"] == "PROTOCOL_ERROR"


def test_pipelined_frames_in_one_write(probe):
    frames = [{"type": "dance", "id": 80 + n} for n in range(50)]
    bodies = [json.dumps(frame).encode() for frame in frames]
    probe.send_bytes(b"".join(struct.pack("<I", len(body)) + body for body in bodies))
    for frame in frames:
        assert probe.answer(frame["id"])["error"]["code"] == "UNKNOWN_TYPE"


@pytest.mark.parametrize(
    "beginning, members",
    [
        (b'{"type":"handle","id":7,"message":{"id":8', {"type": "handle", "id": 7}),
        (b' { "id" : 7 , "type" : "handle" , "x":"cut of', {"id": 7, "type": "handle"}),
        (b'{"message":{"a":[{"id":1}],"id":2},"id":3,"p":"', {"id": 3}),
        (b'{"a\\"id":1,"b":"\\",\\"id\\":9","id":4,', {'a"id': 1, "b": '","id":9', "id": 4}),
        (b'{"id":12', {}),
        (b"", {}),
        (b"]]]{{{", {}),
        (b'{"id":\xff\xfe,"x":1,', {}),
    ],
)
def test_members_at_the_beginning_of_a_frame(beginning, members):
    assert ixt_process_module._peek_members(beginning) == members
