"""A small supervisor for tests: one real process, one real Unix socket, frames sent by hand."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

SDK = Path(__file__).resolve().parent.parent
MODULES = Path(__file__).resolve().parent / "modules"
MODULE_ID = "probe:1.0.0/instance-001"
PATIENCE = 10.0  # seconds; only a failing test ever waits that long

Frame = Dict[str, Any]


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def decode(payload: str) -> bytes:
    return base64.b64decode(payload, validate=True)


class Host:
    """Starts `script`, accepts its connection, and speaks whatever the test says."""

    def __init__(self, script: Path, cwd: Optional[Path] = None, **env: str) -> None:
        self._dir = tempfile.mkdtemp(
            prefix="ixt", dir="/tmp"
        )  # short: a socket path has < 104 bytes
        path = os.path.join(self._dir, "s")
        self._stderr = open(os.path.join(self._dir, "stderr"), "w+b")
        self._stdout = open(os.path.join(self._dir, "stdout"), "w+b")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.settimeout(PATIENCE)
        self._listener.bind(path)
        self._listener.listen(1)
        base = {"PYTHONPATH": str(SDK), "PYTHONDONTWRITEBYTECODE": "1"}
        wiring = {"IXT_IPC_SOCKET": path, "IXT_MODULE_ID": MODULE_ID}
        self.process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=cwd,
            env={**os.environ, **base, **wiring, **env},
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            start_new_session=True,
        )
        self.sock, _ = self._listener.accept()
        self.sock.settimeout(PATIENCE)
        self._stream = self.sock.makefile("rb")
        self._last_id = 0
        self._unclaimed: List[Frame] = []
        self.received: List[Frame] = []  # every frame in the order it came

    # Host to module.

    def send_bytes(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send(self, frame: Frame) -> None:
        body = json.dumps(frame).encode("utf-8")
        self.send_bytes(struct.pack("<I", len(body)) + body)

    def request(self, kind: str, **members: Any) -> int:
        self._last_id += 1
        self.send({"type": kind, "id": self._last_id, **members})
        return self._last_id

    def init(self, config: Optional[Frame] = None, **members: Any) -> Frame:
        members = {"protocol": 1, "extensions": ["cancel", "raw"], **members}
        return self.answer(
            self.request("init", config=config or {}, module_id=MODULE_ID, **members)
        )

    def handle(self, topic: str, payload: bytes = b"", trace_id: str = "", **message: Any) -> int:
        message = {"topic": topic, "payload": encode(payload), **message}
        context = {"trace_id": trace_id, "source_module": "caller:1.0.0", "timestamp": 1234567890}
        return self.request("handle", message=message, context=context)

    def call(self, topic: str, payload: bytes = b"", **message: Any) -> Frame:
        return self.answer(self.handle(topic, payload, **message))

    def event(self, subscription: str, topic: str, payload: bytes = b"", **event: Any) -> int:
        return self.request(
            "event",
            event={"subscription": subscription, "seq": 1, **event},
            message={"topic": topic, "payload": encode(payload)},
            context={"trace_id": "t-7", "source_module": "plc:1.0.0/instance-001", "timestamp": 99},
        )

    def reply(self, service_request: Frame, payload: bytes = b"") -> None:
        self.reply_data(service_request, payload=encode(payload))

    def reply_data(self, service_request: Frame, **data: Any) -> None:
        self.send(
            {
                "type": "service_response",
                "id": service_request["id"],
                "status": "success",
                "data": data,
            }
        )

    def reply_error(self, service_request: Frame, **error: Any) -> None:
        id = service_request["id"]
        self.send({"type": "service_response", "id": id, "status": "error", "error": error})

    # Module to host.

    def answer(self, id: int) -> Frame:
        """The answer to request `id`; frames that come before it are kept for later."""
        return self._claim(lambda frame: frame["type"] == "response" and frame["id"] == id)

    def service_request(self) -> Frame:
        return self._claim(lambda frame: frame["type"] == "service_request")

    def cancel(self) -> Frame:
        return self._claim(lambda frame: frame["type"] == "cancel")

    def at_end(self) -> bool:
        """True if the module has closed the connection without another frame."""
        return self._read() is None and not self._unclaimed

    def _claim(self, wanted: Callable[[Frame], bool]) -> Frame:
        for index, frame in enumerate(self._unclaimed):
            if wanted(frame):
                return self._unclaimed.pop(index)
        while True:
            frame = self._read()
            assert frame is not None, f"the module closed the connection; its log:\n{self.stderr()}"
            if wanted(frame):
                return frame
            self._unclaimed.append(frame)

    def _read(self) -> Optional[Frame]:
        try:
            header = self._stream.read(4)
        except ConnectionError:
            return None
        if not header:
            return None
        frame: Frame = json.loads(self._stream.read(struct.unpack("<I", header)[0]))
        self.received.append(frame)
        return frame

    # The process.

    def shutdown(self) -> int:
        """Stop the module in order; its exit code."""
        answer = self.answer(self.request("shutdown", grace_ms=10000))
        assert answer["status"] == "success", answer
        assert self.at_end()
        return self.wait()

    def hang_up(self) -> None:
        """No more frames from us; the module's last answers can still be read."""
        self.sock.shutdown(socket.SHUT_WR)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def stderr(self) -> str:
        return Path(self._stderr.name).read_text()

    def stdout(self) -> str:
        return Path(self._stdout.name).read_text()

    def log(self) -> List[Frame]:
        """The lines of the module's log; any that is not JSON fails the test."""
        return [json.loads(line) for line in self.stderr().splitlines()]

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)
        for each in (self._stream, self.sock, self._listener, self._stderr, self._stdout):
            each.close()
        shutil.rmtree(self._dir)
