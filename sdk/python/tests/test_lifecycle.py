"""From start to exit: init, health, shutdown, end of stream, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from host import MODULE_ID, MODULES, SDK, decode

import ixt_process_module


def test_quick_start_module(start):
    host = start("quickstart.py")
    assert host.init({"database_url": "sqlite:///x.db"})["status"] == "success"
    processed = host.call("my.service.process", b"abc")
    assert decode(processed["data"]["result"]) == b"cba"
    assert decode(host.call("my.service.query", b"7")["data"]["data"]) == b"row of 7"
    unknown = host.call("my.service.other")
    assert unknown["error"] == {
        "code": "UNKNOWN_TOPIC",
        "message": "Unknown topic: my.service.other",
    }
    health = host.answer(host.request("health_check"))
    assert health["data"] == {
        "healthy": True,
        "database_connected": True,
        "requests_processed": 2,
    }
    assert host.shutdown() == 0
    assert [(line["level"], line["message"]) for line in host.log()] == [
        ("info", "Connecting to database: sqlite:///x.db"),
        ("info", "Shutting down module"),
    ]


def test_init_answer(start):
    answer = start(PROBE_CONCURRENCY="3").init()
    assert answer == {
        "type": "response",
        "id": 1,
        "status": "success",
        "data": {
            "protocol": 1,
            "sdk": f"ixt-python/{ixt_process_module.__version__}",
            "extensions": ["cancel"],
            "max_concurrency": 3,
        },
    }


@pytest.mark.parametrize(
    "members, extensions",
    [
        ({"extensions": []}, []),
        ({"extensions": None}, []),
        ({"extensions": ["cancel"]}, ["cancel"]),
    ],
)
def test_init_takes_only_offered_extensions(start, members, extensions):
    assert start().init(**members)["data"]["extensions"] == extensions


@pytest.mark.parametrize(
    "init, code, message",
    [
        ({"config": {"init": "config_error"}}, "CONFIG_INVALID", "limit is below zero"),
        ({"config": {"init": "key_error"}}, "INIT_FAILED", "KeyError: 'missing'"),
        ({"config": {"init": "exit"}}, "INIT_FAILED", "SystemExit: 3"),
        (
            {"protocol": 0},
            "UNSUPPORTED_PROTOCOL",
            "the supervisor speaks protocol 0, this module 1",
        ),
    ],
)
def test_failed_init(start, init, code, message):
    host = start()
    answer = host.init(**init)
    assert answer["error"] == {"code": code, "message": message}
    assert host.at_end()
    assert host.wait() == 1
    assert "on_shutdown" not in host.stderr()


def test_init_failure_has_its_traceback_in_the_log(start):
    host = start()
    host.init({"init": "key_error"})
    host.wait()
    (line,) = host.log()
    assert line["level"] == "error"
    assert 'config["missing"]' in line["stack"]


def test_failed_init_answers_impatient_requests_too(start):
    host = start()
    init = host.request("init", config={"init": "call_then_raise"}, protocol=1)
    gate = host.service_request()
    handle, shutdown = host.handle("echo"), host.request("shutdown")
    host.reply(gate)
    assert host.answer(init)["error"]["code"] == "INIT_FAILED"
    assert host.answer(handle)["error"]["code"] == "CANCELLED"
    assert host.answer(shutdown)["status"] == "success"
    assert host.received[-1]["id"] == shutdown
    assert host.wait() == 1


def test_host_services_work_in_on_init(start):
    host = start()
    init = host.request("init", config={"init": "call"}, protocol=1)
    request = host.service_request()
    assert "parent" not in request
    host.reply(request, b"open")
    assert host.answer(init)["status"] == "success"
    assert host.shutdown() == 0


def test_serial_module_runs_on_the_main_thread(probe):
    assert probe.call("thread")["data"] == {"same": True}


def test_health(probe):
    answer = probe.answer(probe.request("health_check"))
    assert answer["data"] == {"healthy": True, "ready": False, "reason": "device offline"}


def test_health_during_a_handle(probe):
    handle = probe.handle("gate")
    gate = probe.service_request()
    assert probe.answer(probe.request("health_check"))["status"] == "success"
    probe.reply(gate)
    assert probe.answer(handle)["status"] == "success"


@pytest.mark.parametrize(
    "wish, reason",
    [
        ("raise", "RuntimeError: sensor lost"),
        ("list", "TypeError: on_health_check returned list, not a dict"),
        ("bytes", "TypeError: Object of type bytes is not JSON serializable"),
    ],
)
def test_failing_health_check_is_unhealthy(start, wish, reason):
    host = start()
    host.init({"health": wish})
    answer = host.answer(host.request("health_check"))
    assert answer["data"] == {"healthy": False, "reason": reason}


def test_second_health_check_during_the_first_is_refused(start):
    host = start()
    host.init({"health": "call"})
    first = host.request("health_check")
    gate = host.service_request()
    assert "parent" not in gate
    assert host.answer(host.request("health_check"))["error"]["code"] == "BUSY"
    host.reply(gate)
    assert host.answer(first)["status"] == "success"


def test_shutdown_answers_what_is_open_and_itself_last(wide_probe):
    host = wide_probe
    handles = [host.handle("hold_then_raise") for _ in range(2)]
    for _ in handles:
        host.service_request()
    shutdown = host.request("shutdown", grace_ms=10000)
    assert [host.answer(id)["error"]["code"] for id in handles] == ["CANCELLED"] * 2
    assert {host.cancel()["id"], host.cancel()["id"]} == {1, 2}
    assert host.answer(shutdown)["status"] == "success"
    assert host.received[-1]["id"] == shutdown
    assert host.at_end()
    assert host.wait() == 0


def test_host_services_work_in_on_shutdown(start):
    host = start()
    host.init({"shutdown": "call"})
    shutdown = host.request("shutdown", grace_ms=10000)
    gate = host.service_request()
    assert host.call("echo")["error"]["code"] == "UNAVAILABLE"
    assert host.answer(host.request("shutdown"))["error"]["code"] == "BUSY"
    host.reply(gate)
    assert host.answer(shutdown)["status"] == "success"
    assert host.wait() == 0


def test_failing_shutdown(start):
    host = start()
    host.init({"shutdown": "raise"})
    answer = host.answer(host.request("shutdown"))
    assert answer["error"] == {"code": "HANDLER_ERROR", "message": "OSError: disk full"}
    assert host.wait() == 1


def test_shutdown_with_a_handler_that_never_ends(probe):
    handle = probe.handle("hang")
    gate = probe.service_request()
    shutdown = probe.request("shutdown", grace_ms=300)
    assert probe.cancel()["id"] == gate["id"]
    assert probe.answer(handle)["error"]["code"] == "CANCELLED"
    assert probe.answer(shutdown)["error"]["code"] == "HANDLER_ERROR"
    assert probe.received[-1]["id"] == shutdown
    assert probe.at_end()
    assert probe.wait() == 1
    assert "still busy after" in probe.log()[-1]["message"]


def test_end_of_stream_lets_an_open_handler_finish(probe):
    handle = probe.handle("cancelled")
    probe.service_request()
    probe.hang_up()
    answer = probe.answer(handle)
    assert answer["data"]["cancelled"] is True
    assert answer["data"]["first"]["outcome"] == "unknown"
    assert answer["data"]["again"]["outcome"] == "not_delivered"
    assert probe.at_end()
    assert probe.wait() == 0
    assert probe.log()[-1]["message"] == "on_shutdown"


def test_end_of_stream_with_a_handler_that_never_ends(start):
    host = start(PROBE_ENDING_SECONDS="0.2")
    host.init()
    host.handle("hang")
    host.service_request()
    host.hang_up()
    assert host.wait() == 1


def test_vanished_supervisor(probe):
    probe.handle("cancelled")
    probe.service_request()
    probe.sock.shutdown(2)
    assert probe.wait() == 0


def test_end_of_stream_before_init(start):
    host = start()
    host.hang_up()
    assert host.wait() == 1
    assert [line["message"] for line in host.log()] == ["the connection ended before init"]


def test_sigterm_is_an_orderly_end(probe):
    handle = probe.handle("cancelled")
    probe.service_request()
    probe.process.send_signal(signal.SIGTERM)
    assert probe.answer(handle)["data"]["cancelled"] is True
    assert probe.at_end()
    assert probe.wait() == 0
    assert probe.log()[-1]["message"] == "on_shutdown"


def test_first_ctrl_c_is_ignored_and_the_second_is_an_orderly_end(probe):
    handle = probe.handle("gate")
    gate = probe.service_request()
    probe.process.send_signal(signal.SIGINT)
    probe.reply(gate)
    assert probe.answer(handle)["status"] == "success"
    assert probe.call("echo", b"alive")["status"] == "success"
    probe.process.send_signal(signal.SIGINT)
    assert probe.at_end()
    assert probe.wait() == 0
    assert "left to the supervisor" in probe.stderr()


def run_by_hand(**env: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("IXT_")}
    return subprocess.run(
        [sys.executable, str(MODULES / "probe.py")],
        env={**clean, "PYTHONPATH": str(SDK), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=10,
    )


def test_without_a_supervisor_it_says_how_to_start():
    result = run_by_hand()
    assert result.returncode == 2
    assert result.stderr == (
        "probe.py is an ixt module: a supervisor starts it and sets IXT_IPC_SOCKET, which is not"
        " set here.\n\n"
        "    ixt run DIR               run every module found under DIR\n"
        "    ixt dev manifest.toml     run this one by hand: prints the variables to export first\n"
    )


def test_unreachable_supervisor():
    result = run_by_hand(IXT_IPC_SOCKET="/tmp/ixt-is-not-here")
    assert result.returncode == 1
    assert result.stderr.startswith("cannot connect to the supervisor at /tmp/ixt-is-not-here: ")
    assert "Traceback" not in result.stderr


def test_log_lines(probe):
    probe.answer(probe.handle("log", trace_id="t-1"))
    assert probe.shutdown() == 0
    info, debug, warning, error, _ = probe.log()
    assert info["time"].endswith("Z") and info["module"] == MODULE_ID and info["trace_id"] == "t-1"
    assert (info["level"], info["message"]) == ("info", "hello")
    assert (info["size"], info["field_level"], info["odd"], info["nan"]) == (
        "3",
        "mine",
        "b'x'",
        "nan",
    )
    assert (debug["level"], warning["level"]) == ("debug", "warn")
    assert (error["level"], error["message"]) == ("error", "e\nf")
    assert probe.stdout() == "printed\n"
