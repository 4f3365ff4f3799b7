"""Write an ixt module in Python: one file, standard library only, Python 3.8 or newer.

A module is a program that a supervisor starts, calls by topic, watches and stops::

    from ixt_process_module import IxtProcessModule

    class Shout(IxtProcessModule):
        def on_init(self, config):
            self.mark = config.get("mark", "!")

        def on_handle(self, message, context):
            text = self.decode_payload(message["payload"]).decode("utf-8")
            return self.success({"payload": self.encode_payload(text.upper() + self.mark)})

    if __name__ == "__main__":
        Shout().run()

Lifecycle
    ``on_init(config)`` once, then ``on_handle(message, context)`` for every call, then
    ``on_shutdown()`` once, when no handler runs any more. ``on_health_check()`` may come at any
    time. Only ``on_handle`` has to be written.

Threads
    ``on_init``, ``on_shutdown`` and, in a module with ``max_concurrency`` 1 (the default), every
    ``on_handle`` run on the thread that called ``run()``, so a SQLite connection opened in
    ``on_init`` just works. With ``max_concurrency=N`` up to N handlers run at once, each on a
    thread of a fixed pool, and what they share needs a lock. ``on_health_check`` has a thread of
    its own: it is answered while handlers work, so it should only look at state, never wait. The
    handlers of events and of watched keys share one more thread, beside ``on_handle``.

Calling other modules
    ``self.call(topic, payload, timeout=...)`` asks another module and waits for the answer; it
    works in every method, ``on_init`` included. It returns a `CallResponse` or raises a
    `CallError`, whose ``outcome`` says what became of the call: ``not_delivered`` is safe to
    repeat, ``unknown`` may or may not have been done, ``done`` means the other module answered with
    an error. ``self.send(topic, payload)`` does not wait for the answer.

Events
    ``self.publish(topic, payload)`` tells everybody who wants to know;
    ``self.subscribe("plc.*.temp", handler)``, usually in ``on_init``, calls ``handler(event)`` for
    each `Event`, one at a time. What a handler raises is logged with its traceback and reported; a
    ``durable`` subscription then gets the event again.

State
    ``self.kv`` keeps small values under keys, in a bucket of the module's own, and
    ``self.kv.bucket("line-state")`` in a shared one: see `KvBucket`. ``self.blob`` keeps data of
    any size: see `BlobBucket`. ``kv.get`` gives a default for what is not there, as a dict does;
    everything else raises `NotFound`, which is a KeyError too. `Conflict` says that somebody else
    has written first.

Deadlines and cancellation
    A call has a deadline and its caller may give up. ``self.cancelled()`` tells a long handler that
    nobody waits for its answer any more, ``self.remaining()`` how many seconds are left. A ``call``
    made inside a handler ends when that handler's deadline passes or its caller gives up.

Errors
    Return ``self.error(code, message)``, or raise: `InvalidInput` becomes the code
    ``INVALID_INPUT``, anything else ``HANDLER_ERROR``, with the traceback in the log. It fails that
    one call only. `ConfigError` in ``on_init`` means that the configuration is wrong
    (``CONFIG_INVALID``): the module is not started again until it changes. Any other exception
    there is ``INIT_FAILED`` and is retried.

Log
    ``self.log("text", key=value)`` writes a JSON line to stderr, which the supervisor keeps with
    level and fields; ``print`` works too. Neither stdout nor stderr is part of the protocol.
"""

from __future__ import annotations

import base64
import faulthandler
import io
import json
import math
import os
import queue
import re
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime, timezone
from functools import cached_property, partial
from types import FrameType
from typing import (
    Any,
    BinaryIO,
    Callable,
    Deque,
    Dict,
    Generator,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Tuple,
    Type,
    TypeVar,
    Union,
    overload,
)

__version__ = "0.1.0"
__all__ = [
    "BlobBucket",
    "BlobInfo",
    "CallError",
    "CallResponse",
    "ConfigError",
    "Conflict",
    "Event",
    "InvalidInput",
    "IxtProcessModule",
    "KvBucket",
    "KvChange",
    "KvEntry",
    "NotFound",
]

JSONObject = Dict[str, Any]
Bytes = Union[bytes, bytearray, memoryview]
_T = TypeVar("_T")

_PROTOCOL = 1
_EXTENSIONS = ("cancel",)
_MAX_FRAME = 16 * 1024 * 1024  # bytes, until init says otherwise
_MAX_ID = 2**53 - 1
_ENDING_SECONDS = 5.0  # for open handlers and on_shutdown after end of stream or SIGTERM
_GRACE_SECONDS = 10.0  # the same after a shutdown request that names no grace_ms
_FOREVER = 365 * 86400.0  # seconds; a longer wait overflows the clocks of some systems
_VERDICT_SECONDS = 0.1  # how long after a call's timeout the supervisor's own verdict is awaited
_DROP_SECONDS = 5.0  # for the supervisor to end a subscription nobody serves
_OPEN_EVENTS = 4096  # of all subscriptions together; the supervisor sends one of each
_CHUNK = 256 * 1024  # bytes of a blob in one frame
_BLINK_SECONDS = 0.005  # a handler that ends so soon has nobody else read meanwhile


# --- What an author catches, raises and gets back -------------------------------------------------


class ConfigError(Exception):
    """Raise it in ``on_init`` when the configuration is wrong: retrying cannot help."""


class InvalidInput(ValueError):
    """Raise it in ``on_handle`` when the caller sent something unusable.

    Unhandled, it becomes an error answer with the code ``INVALID_INPUT``.
    """

    def __init__(self, message: str, details: Optional[JSONObject] = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class CallError(Exception):
    """A call to another module, or to a service of the supervisor, that brought no success.

    Attributes:
        code: what went wrong, such as ``NO_PROVIDER``, ``TIMEOUT`` or the other module's own code.
        message: the same for a human reader.
        details: whatever else the failing side had to say.
        outcome: ``not_delivered`` (safe to repeat), ``unknown`` or ``done``.
        origin: ``supervisor``, or the id of the module in which it went wrong.
        retry_after: seconds after which a repeat has a chance, or None.
    """

    def __init__(
        self,
        code: str,
        message: str,
        details: Optional[JSONObject] = None,
        outcome: str = "unknown",
        origin: str = "",
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.details: JSONObject = details if details is not None else {}
        self.outcome = outcome
        self.origin = origin
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def to_dict(self) -> JSONObject:
        """The error as JSON, to be passed on under ``details["cause"]`` of one's own error."""
        return {
            "code": self.code,
            "message": self.message,
            "details": self.details,
            "outcome": self.outcome,
            "origin": self.origin,
        }


class CallResponse:
    """The successful answer to ``self.call``.

    ``data`` is the answer as it came, a dict. The accessors below are for the usual case that it
    carries bytes in base64 under ``payload``; they raise ValueError where the answer does not fit.
    """

    def __init__(self, data: JSONObject) -> None:
        self.data = data

    @property
    def payload(self) -> bytes:
        """The decoded bytes of ``data["payload"]``."""
        encoded = self.data.get("payload")
        if not isinstance(encoded, str):
            raise ValueError(f"the answer has no payload, only {sorted(self.data)}; use .data")
        return _decode_base64(encoded)

    def text(self) -> str:
        """The payload as UTF-8 text."""
        return self.payload.decode("utf-8")

    def json(self) -> Any:
        """The payload parsed as JSON; ``data`` itself if it is anything but a lone payload."""
        if len(self.data) == 1 and isinstance(self.data.get("payload"), str):
            return _decode_json(self.payload)
        return self.data

    def __repr__(self) -> str:
        return f"CallResponse({self.data!r})"


class NotFound(CallError, KeyError):
    """There is no such key, blob or subscription."""


class Conflict(CallError):
    """The key has another revision than the one named: somebody else wrote it first."""

    @property
    def revision(self) -> int:
        """The present revision, 0 if there is no such key."""
        return _member(self.details, "revision", int)


class Event(NamedTuple):
    """Something published, as the handler given to ``subscribe`` gets it.

    Attributes:
        topic: what it was published under.
        payload: its bytes.
        source: the publisher, ``name:version/instance-001``.
        trace_id: that of the publication; calls made in the handler carry it on.
        timestamp: of the publication, Unix seconds.
        seq: counts the events of the subscription, from 1.
        lost: how many were dropped since the one before, because they came too fast.
        attempt: counts the deliveries of this event, from 1; more than 1 only if durable.
    """

    topic: str
    payload: bytes
    source: str
    trace_id: str
    timestamp: int
    seq: int
    lost: int
    attempt: int

    def text(self) -> str:
        """The payload as UTF-8 text."""
        return self.payload.decode("utf-8")

    def json(self) -> Any:
        """The payload parsed as JSON; `InvalidInput` if it is not."""
        return _json_input(self.payload)


class KvEntry(NamedTuple):
    """A value in a `KvBucket`.

    Attributes:
        value: its bytes.
        revision: larger with every write of the key.
        time: of that write, Unix seconds.
    """

    value: bytes
    revision: int
    time: float

    def text(self) -> str:
        """The value as UTF-8 text."""
        return self.value.decode("utf-8")

    def json(self) -> Any:
        """The value parsed as JSON; `InvalidInput` if it is not."""
        return _json_input(self.value)


class KvChange(NamedTuple):
    """A new value, or the end of one, as the handler given to ``watch`` gets it.

    Attributes:
        key: whose value it is.
        value: its bytes, None if the key was deleted or its time was over.
        revision: that of the key.
        seq: counts the changes of the watch, from 1.
        lost: how many changes since the one before gave way to newer ones, because they came too
            fast.
    """

    key: str
    value: Optional[bytes]
    revision: int
    seq: int
    lost: int

    def text(self) -> str:
        """The value as UTF-8 text, empty if the key is gone."""
        return (self.value or b"").decode("utf-8")

    def json(self) -> Any:
        """The value parsed as JSON, None if the key is gone; `InvalidInput` if it is not JSON."""
        return None if self.value is None else _json_input(self.value)


class BlobInfo(NamedTuple):
    """What a `BlobBucket` knows of a blob.

    Attributes:
        name: under which it is stored.
        size: in bytes.
        sha256: of all of it, in hex.
        time: when it was stored, Unix seconds.
    """

    name: str
    size: int
    sha256: str
    time: float


# --- The base class of every module ---------------------------------------------------------------


class IxtProcessModule(ABC):
    """Subclass it, write ``on_handle``, and call ``run()``.

    ``max_concurrency`` is how many ``on_handle`` may run at once; give it to the constructor or as
    a class attribute. The helper methods may be called from any thread; ``cancelled``,
    ``remaining`` and the link between a ``call`` and its handler need the handler's own thread (or
    a copy of its ``contextvars`` context).
    """

    max_concurrency: int = 1
    module_id: str = ""  # "name:version/instance-001", known from run() on
    _session: Optional["_Session"] = None

    def __init__(self, max_concurrency: Optional[int] = None) -> None:
        # Everything else has a class-level default, so a subclass that forgets super() still runs.
        if max_concurrency is not None:
            self.max_concurrency = max_concurrency
        if self.max_concurrency < 1:
            raise ValueError(f"max_concurrency is {self.max_concurrency}; it must be at least 1")

    # What an author writes.

    def on_init(self, config: JSONObject) -> None:
        """Prepare for calls. ``config`` is the manifest's configuration with defaults filled in."""

    @abstractmethod
    def on_handle(self, message: JSONObject, context: JSONObject) -> JSONObject:
        """Answer one call with ``self.success(...)`` or ``self.error(...)``.

        ``message`` has ``topic``, ``payload`` (base64), ``priority`` and, if the call has a
        deadline, ``ttl_ms``. ``context`` has ``trace_id``, ``source_module`` and ``timestamp``
        (Unix seconds); also ``call_id`` and ``attempt``, by which a handler can recognise a repeat.
        """

    def on_shutdown(self) -> None:
        """Release what ``on_init`` took. No handler runs any more; host services still work."""

    def on_health_check(self) -> JSONObject:
        """Report health, on a thread of its own.

        ``healthy`` False counts towards a restart, ``ready`` False stops new calls. Any other keys
        are shown as they are; ``reason`` is the one a human reads first.
        """
        return {"healthy": True}

    # Answers and payloads.

    def success(self, data: Optional[JSONObject] = None) -> JSONObject:
        """A successful answer; ``data`` is any JSON object, bytes usually under ``payload``."""
        if data is not None and not isinstance(data, dict):
            raise TypeError(f"success() takes a dict, not {type(data).__name__}")
        return {"status": "success", "data": data if data is not None else {}}

    def error(self, code: str, message: str, details: Optional[JSONObject] = None) -> JSONObject:
        """An error answer: a code for programs, a message for people, details for either."""
        error: JSONObject = {"code": str(code), "message": str(message)}
        if details is not None:
            error["details"] = details
        return {"status": "error", "error": error}

    def encode_payload(self, data: Union[Bytes, str]) -> str:
        """Bytes, or text as UTF-8, to the base64 that travels."""
        return _encode_base64(data.encode("utf-8") if isinstance(data, str) else data)

    def decode_payload(self, payload: str) -> bytes:
        """The bytes of a base64 payload; `InvalidInput` if it is not base64."""
        try:
            return _decode_base64(payload)
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"the payload is not base64: {error}") from error

    def decode_json(self, payload: str) -> Any:
        """The JSON value in a base64 payload; `InvalidInput` if there is none."""
        return _json_input(self.decode_payload(payload))

    # The rest of the world.

    def call(
        self,
        topic: str,
        payload: Any = b"",
        *,
        target: Optional[str] = None,
        timeout: Optional[float] = None,
        priority: Optional[int] = None,
        trace_id: Optional[str] = None,
    ) -> CallResponse:
        """Call another module by topic and wait for its answer.

        ``payload`` is bytes, str (sent as UTF-8) or anything JSON can express. ``target`` narrows
        who may answer: ``name``, ``name:version`` or ``name:version/instance-002``. ``timeout`` is
        in seconds; without one the topic's own timeout holds, and in either case the call ends with
        the handler it is made in. ``priority`` is 0 to 3, higher first, 1 if not given. The trace
        id is that of the current handler unless given. Raises `CallError`.
        """
        params = _message(topic, payload, target, priority)
        return CallResponse(self._service("message_bus", "call", params, timeout, trace_id))

    def send(
        self,
        topic: str,
        payload: Any = b"",
        *,
        target: Optional[str] = None,
        priority: Optional[int] = None,
        trace_id: Optional[str] = None,
    ) -> None:
        """Call another module by topic without waiting for its answer; parameters as in ``call``.

        It returns when the supervisor has accepted the call, which then outlives the handler it is
        made in. How it ends is in the supervisor's journal only. Raises `CallError` if it was not
        accepted.
        """
        params = _message(topic, payload, target, priority)
        self._service("message_bus", "send", params, trace_id=trace_id)

    def publish(self, topic: str, payload: Any = b"", *, trace_id: Optional[str] = None) -> None:
        """Publish an event; ``payload`` and ``trace_id`` as in ``call``.

        The topic has to match one of ``[provides] events`` in the manifest. It returns when the
        event is taken over, and stored if a durable subscription waits for it; nobody who handles
        it is waited for. Raises `CallError`.
        """
        self._service("events", "publish", _message(topic, payload), trace_id=trace_id)

    def subscribe(
        self,
        pattern: str,
        handler: Callable[[Event], object],
        *,
        durable: Optional[str] = None,
        group: bool = False,
        from_kept: bool = False,
        buffer: Optional[int] = None,
    ) -> None:
        """Have ``handler(event)`` called for every event whose topic matches ``pattern``.

        In a pattern ``*`` stands for one segment of a topic and a last ``>`` for all that follow;
        ``[requires] events`` in the manifest has to cover it. Handlers of all subscriptions and
        watches run on one thread, one event at a time. What a handler returns is ignored.

        ``durable`` names a subscription that is kept: it resumes where it stopped, and an event
        whose handler raised is delivered again. A durable one that is new begins with new events,
        or with ``from_kept`` with those another durable subscription still waits for. With
        ``group`` one instance of the module gets each event, otherwise every instance gets all.
        ``buffer`` is how many events may wait without ``durable``, 256 if not given; beyond it
        the oldest are lost.

        To subscribe again with the same pattern and ``durable`` replaces the handler. Raises
        `CallError`, and then nothing has changed.
        """
        params: JSONObject = {"pattern": pattern}
        if durable is not None:
            params["durable"] = durable
        if group:
            params["group"] = True
        if from_kept:
            params["from"] = "kept"
        if buffer is not None:
            params["buffer"] = buffer
        key = ("events", durable or "", pattern)
        deliver = partial(_deliver_event, _callable(handler))
        self._connection().subscribe(key, "subscribe", params, deliver)

    def unsubscribe(self, pattern: str, *, durable: Optional[str] = None) -> None:
        """End a subscription of this process; of a durable one all that waits is dropped too.

        No handler of it is called once this returns, save one that runs already. Raises
        `NotFound` if there is none, or another `CallError`.
        """
        self._connection().unsubscribe(("events", durable or "", pattern), "unsubscribe")

    # cached_property rather than property: an author's own ``self.kv = ...`` goes on working.

    @cached_property
    def kv(self) -> KvBucket:
        """The module's own keys and values."""
        return KvBucket(self)

    @cached_property
    def blob(self) -> BlobBucket:
        """The module's own blobs."""
        return BlobBucket(self)

    def cancelled(self) -> bool:
        """True once the current handler should stop.

        Its caller gave up, its deadline passed, or the module is being stopped; the handler of an
        event may use half of the time to stop before. False outside a handler.
        """
        task = _current.get()
        return task is not None and task.is_over()

    def remaining(self) -> Optional[float]:
        """Seconds until the current handler's deadline, never negative; None if it has none."""
        task = _current.get()
        return task.remaining() if task is not None else None

    def log(self, message: object, **fields: Any) -> None:
        """Log at level info. Keyword arguments stay fields of the line, for filtering."""
        self._log("info", message, fields)

    def log_debug(self, message: object, **fields: Any) -> None:
        """Log at level debug."""
        self._log("debug", message, fields)

    def log_warning(self, message: object, **fields: Any) -> None:
        """Log at level warn."""
        self._log("warn", message, fields)

    def log_error(self, message: object, **fields: Any) -> None:
        """Log at level error."""
        self._log("error", message, fields)

    def run(self) -> None:
        """Serve the supervisor until it is done with this module, then return.

        Raises SystemExit with code 2 if no supervisor started this program, and with code 1 if it
        could not be reached or broke the protocol, or if ``on_init`` or ``on_shutdown`` failed. A
        handler that still runs when the time to stop is over is abandoned: the process then ends
        with code 1 and without ``on_shutdown``.
        """
        path = os.environ.get("IXT_IPC_SOCKET")
        if not path:
            sys.stderr.write(_NOT_SUPERVISED.format(program=os.path.basename(sys.argv[0])))
            raise SystemExit(2)
        self.module_id = os.environ.get("IXT_MODULE_ID", "")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
        except OSError as error:
            sock.close()
            sys.stderr.write(f"cannot connect to the supervisor at {path}: {error}\n")
            raise SystemExit(1) from None
        _line_buffer_stdout()
        session = _Session(self, _Wire(sock))
        self._session = session
        try:
            with _signals(session.stop_reading):
                orderly = session.serve()
        finally:
            self._session = None
        if not orderly:
            raise SystemExit(1)

    # The seams below are private: not for authors.

    def _service(
        self,
        service: str,
        method: str,
        params: JSONObject,
        timeout: Optional[float] = None,
        trace_id: Optional[str] = None,
    ) -> JSONObject:
        """Ask a host service and return the answer's data."""
        return self._connection().request_service(service, method, params, timeout, trace_id)

    def _connection(self) -> _Session:
        if self._session is None:
            raise CallError(
                "UNAVAILABLE",
                "no supervisor is connected; host services work between run() and its return",
                outcome="not_delivered",
                origin=self.module_id,
            )
        return self._session

    def _log(self, level: str, message: object, fields: JSONObject) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        line: JSONObject = {
            "level": level,
            "time": now.replace("+00:00", "Z"),
            "message": str(message),
            "module": self.module_id,
        }
        task = _current.get()
        if task is not None and task.trace_id:
            line["trace_id"] = task.trace_id
        for name, value in fields.items():
            line[f"field_{name}" if name in line else name] = value
        try:
            text = json.dumps(line, default=str, allow_nan=False)
        except (ValueError, TypeError, RecursionError):  # NaN, a cycle, a key that is no string
            text = json.dumps({name: str(value) for name, value in line.items()})
        try:
            sys.stderr.write(text + "\n")  # one write, so lines of several threads stay whole
            sys.stderr.flush()
        except (OSError, ValueError):
            pass  # nobody reads the log any more, which is no reason to fail a call


_NOT_SUPERVISED = """\
{program} is an ixt module: a supervisor starts it and sets IXT_IPC_SOCKET, which is not set here.

    ixt run DIR               run every module found under DIR
    ixt dev manifest.toml     run this one by hand: prints the variables to export first
"""


# --- What the supervisor keeps for a module -------------------------------------------------------


class _Bucket:
    """A named store of one service. Any thread may use it."""

    _service: str

    def __init__(self, module: IxtProcessModule, name: str = "") -> None:
        self._module = module
        self._name = name

    def bucket(self: _AnyBucket, name: str) -> _AnyBucket:
        """Another bucket: one shared by all who name it, or another module's by its name."""
        return type(self)(self._module, name)

    def _request(self, method: str, **params: Any) -> JSONObject:
        return self._module._service(self._service, method, self._placed(params))

    def _placed(self, params: JSONObject) -> JSONObject:
        return {"bucket": self._name, **params} if self._name else params

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name or self._module.module_id!r})"


_AnyBucket = TypeVar("_AnyBucket", bound=_Bucket)


class KvBucket(_Bucket):
    """Small values under keys: ``self.kv``, or ``self.kv.bucket(name)``.

    A key is made of letters, digits, ``_-/=`` and dots between segments, at most 512 bytes; a
    value has at most 1 MiB. In a pattern ``*`` stands for one segment, a last ``>`` for all that
    follow. A bucket that is not the module's own has to be in ``[requires] kv`` of the manifest.
    Every write gives the key a larger revision. All methods raise `CallError`.
    """

    _service = "kv"

    @overload
    def get(self, key: str) -> Optional[bytes]: ...

    @overload
    def get(self, key: str, default: _T) -> Union[bytes, _T]: ...

    def get(self, key: str, default: Any = None) -> Any:
        """The value as bytes, ``default`` if there is no such key."""
        try:
            return self.entry(key).value
        except NotFound:
            return default

    def entry(self, key: str) -> KvEntry:
        """The value with its revision and time; `NotFound` if there is no such key."""
        answer = self._request("get", key=key)
        revision = _member(answer, "revision", int)
        return KvEntry(_payload_of(answer), revision, _member(answer, "time", int) / 1000)

    def set(
        self,
        key: str,
        value: Any,
        *,
        revision: Optional[int] = None,
        ttl: Optional[float] = None,
    ) -> int:
        """Write a value (bytes, str as UTF-8, or anything JSON can express); its revision.

        With ``revision`` only if that is the key's present one, 0 standing for no such key;
        otherwise `Conflict`. After ``ttl`` seconds the key is gone.
        """
        params: JSONObject = {"key": key, "payload": _encode_base64(_payload_bytes(value))}
        if revision is not None:
            params["revision"] = revision
        if ttl is not None:
            if not ttl > 0:
                raise ValueError(f"ttl is {ttl!r}; it must be more than 0 seconds")
            params["ttl_ms"] = math.ceil(min(ttl, _FOREVER) * 1000)
        return _member(self._request("set", **params), "revision", int)

    def add(self, key: str, delta: int = 1) -> int:
        """Add to a counter, which begins at 0, in one step; its new value.

        The key holds it as decimal text.
        """
        return _member(self._request("add", key=key, delta=delta), "value", int)

    def delete(self, key: str, *, revision: Optional[int] = None) -> None:
        """Delete a key, if there is one; with ``revision`` as in ``set``."""
        if revision is None:
            self._request("delete", key=key)
        else:
            self._request("delete", key=key, revision=revision)

    def exists(self, key: str) -> bool:
        """Whether there is such a key."""
        return _member(self._request("exists", key=key), "exists", bool)

    def keys(self, pattern: str = ">") -> List[str]:
        """The keys that match, sorted; ``TOO_LARGE`` if they are more than 10,000."""
        return _member(self._request("keys", pattern=pattern), "keys", list)

    def watch(
        self,
        pattern: str,
        handler: Callable[[KvChange], object],
        *,
        buffer: Optional[int] = None,
    ) -> None:
        """Have ``handler(change)`` called for the present value of every key, then every change.

        It runs on the thread of the event handlers. ``buffer`` is how many changes may wait, 256
        if not given; beyond it the older changes of a key give way to its newest. To watch the
        same pattern again replaces the handler.
        """
        params = self._placed({"pattern": pattern})
        if buffer is not None:
            params["buffer"] = buffer
        deliver = partial(_deliver_change, _callable(handler))
        self._module._connection().subscribe(self._key(pattern), "watch", params, deliver)

    def unwatch(self, pattern: str) -> None:
        """End a watch of this process; `NotFound` if there is none."""
        self._module._connection().unsubscribe(self._key(pattern), "unwatch")

    def _key(self, pattern: str) -> _Key:
        return ("kv", self._name, pattern)


class BlobBucket(_Bucket):
    """Data of any size under names: ``self.blob``, or ``self.blob.bucket(name)``.

    Names are like keys of a `KvBucket`. A blob is there for others when all of it is, never in
    part. A bucket that is not the module's own has to be in ``[requires] blobs`` of the manifest.
    All methods raise `CallError`, and `NotFound` if there is no such blob.
    """

    _service = "blob"

    def put(self, name: str, data: Union[Bytes, str, BinaryIO]) -> BlobInfo:
        """Store bytes, str as UTF-8, or what a file opened in binary mode still has to read.

        A blob of that name is replaced. The supervisor verifies the SHA-256 of what arrived.
        """
        import hashlib  # here, because it loads OpenSSL: a fair part of a module's start

        if isinstance(data, str):
            data = data.encode("utf-8")
        source: Any = data if hasattr(data, "read") else io.BytesIO(_raw_bytes(data))
        digest = hashlib.sha256()
        params: JSONObject = {"name": name}
        chunk = source.read(_CHUNK)
        while True:
            digest.update(_raw_bytes(chunk))
            params["payload"] = _encode_base64(chunk)
            chunk = source.read(_CHUNK) if chunk else b""
            if not chunk:
                break
            params["upload"] = _member(self._request("put", **params), "upload", str)
        return _blob_info(self._request("put", **params, last=True, sha256=digest.hexdigest()))

    def get(self, name: str) -> bytes:
        """All of a blob."""
        return b"".join(self._chunks(name))

    def open(self, name: str) -> io.BufferedReader:
        """A blob as a file opened in binary mode for reading, which holds one part at a time.

        What is read is one version, also when the blob is replaced meanwhile.
        """
        chunks = self._chunks(name)
        return io.BufferedReader(_BlobReader(next(chunks), chunks), _CHUNK)

    def stat(self, name: str) -> BlobInfo:
        """Size, SHA-256 and time of a blob."""
        return _blob_info(self._request("stat", name=name))

    def list(self, prefix: str = "") -> List[BlobInfo]:
        """The blobs whose names begin with ``prefix``, sorted by name."""
        return [
            _blob_info(blob)
            for blob in _member(self._request("list", prefix=prefix), "blobs", list)
        ]

    def delete(self, name: str) -> None:
        """Delete a blob."""
        self._request("delete", name=name)

    def _chunks(self, name: str) -> Generator[bytes, None, None]:
        answer = self._request("get", name=name)
        download = answer.get("download")  # absent if there is no further chunk
        try:
            yield _payload_of(answer)
            while not _member(answer, "last", bool):
                answer = self._request("get", download=download)
                yield _payload_of(answer)
        except GeneratorExit:  # the rest is not wanted, and the supervisor need not keep it ready
            if not _member(answer, "last", bool):
                self._request("get", download=download, last=True)
            raise


class _BlobReader(io.RawIOBase):
    """The chunks of a blob as a stream."""

    def __init__(self, first: bytes, others: Generator[bytes, None, None]) -> None:
        self._chunks = others
        self._rest = memoryview(first)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._chunks.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        part = self._rest[: len(buffer)]
        self._rest = self._rest[len(part) :]
        buffer[: len(part)] = part
        return len(part)


# --- The life of one connection -------------------------------------------------------------------


class _Request:
    """A request of the supervisor that has not been answered yet."""

    def __init__(self, kind: str, id: int, frame: JSONObject) -> None:
        self.kind = kind
        self.id = id
        self.frame = frame


class _Task(_Request):
    """A `handle` or an `event`: what cancelled(), remaining() and a nested call need to know."""

    def __init__(self, kind: str, id: int, frame: JSONObject) -> None:
        super().__init__(kind, id, frame)
        self.message: JSONObject = frame["message"]
        context = frame.get("context")
        self.context: JSONObject = context if isinstance(context, dict) else {}
        # The members an author is promised are there even if the supervisor had nothing to say.
        self.message.setdefault("topic", "")
        self.message.setdefault("payload", "")
        self.message.setdefault("priority", 1)
        self.context.setdefault("trace_id", "")
        self.context.setdefault("source_module", "")
        self.context.setdefault("timestamp", 0)
        self.trace_id: str = self.context["trace_id"]
        ttl = _milliseconds(self.message.get("ttl_ms"))
        self.deadline = None if ttl is None else time.monotonic() + ttl
        self.cancelled = False

    def remaining(self) -> Optional[float]:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def is_over(self) -> bool:
        return self.cancelled or self.remaining() == 0.0


_current: ContextVar[Optional[_Task]] = ContextVar("ixt_current_task", default=None)

_Key = Tuple[str, str, str]  # of a subscription as an author names it: service, which one, pattern
_Deliver = Callable[[_Task], None]


def _deliver_event(handler: Callable[[Event], object], task: _Task) -> None:
    event, context = task.frame["event"], task.context
    handler(
        Event(
            topic=task.message["topic"],
            payload=_payload_of(task.message),
            source=context["source_module"],
            trace_id=task.trace_id,
            timestamp=context["timestamp"],
            seq=_member(event, "seq", int),
            lost=_member(event, "lost", int),
            attempt=_member(context, "attempt", int) or 1,
        )
    )


def _deliver_change(handler: Callable[[KvChange], object], task: _Task) -> None:
    event = task.frame["event"]
    handler(
        KvChange(
            key=task.message["topic"],
            value=None if event.get("op") == "delete" else _payload_of(task.message),
            revision=_member(event, "revision", int),
            seq=_member(event, "seq", int),
            lost=_member(event, "lost", int),
        )
    )


class _PendingCall:
    """A service_request of ours that waits for its answer.

    Whoever takes it off the table of pending calls, and only he, ends it.
    """

    def __init__(self, task: Optional[_Task]) -> None:
        self.task = task
        self.done = threading.Event()
        self.data: JSONObject = {}
        self.error: Optional[CallError] = None

    def end(self, data: JSONObject, error: Optional[CallError] = None) -> None:
        self.data, self.error = data, error
        self.done.set()

    def wait(self, seconds: Optional[float]) -> bool:
        """True once it has ended, False if that takes longer.

        It waits in parts: a signal that arrives just when a wait of the main thread begins is not
        heard before that wait is over.
        """
        end = time.monotonic() + (_FOREVER if seconds is None else seconds)
        while not self.done.wait(max(0.0, min(1.0, end - time.monotonic()))):
            if time.monotonic() >= end:
                return False
        return True


class _Session:
    """Both directions of one connection, from init to the last answer.

        socket -> who reads --+-- init, handle --> jobs ---> main thread (and N-1 more)
                              +-- event ---------> events -> event thread
                              +-- health_check --> probes -> health thread
                              +-- service_response, cancel: wakes whoever waits in call()

    Who reads never runs an author's code, so it always sees an answer, a cancel or the end. It does
    write the refusals (BUSY, UNKNOWN_TYPE ...): a peer that floods and never reads stalls only
    itself.

    That is the reader thread. But if handlers run one at a time, the main thread reads for itself
    while it has nothing to do: handing a call from thread to thread costs more than all else about
    it. It leaves off with every call it gets, and the reader thread takes over when that call takes
    longer than a blink, or at once when anybody waits for an answer of the supervisor.

    Locks: the wire's write lock is taken before `_state`, never after it; nothing is sent under
    `_state`. `_subscribing` comes before both and is held from a question to its answer.
    """

    def __init__(self, module: IxtProcessModule, wire: _Wire) -> None:
        self._module = module
        self._wire = wire
        self._jobs: queue.SimpleQueue[Optional[_Request]] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Optional[_Task]] = queue.SimpleQueue()
        self._probes: queue.SimpleQueue[Optional[_Request]] = queue.SimpleQueue()
        # How many requests of a kind may be open, which also bounds the queues above.
        self._limits = {
            "init": 1,
            "handle": module.max_concurrency,
            "event": _OPEN_EVENTS,
            "health_check": 1,
            "shutdown": 1,
        }
        self._reading = threading.Lock()  # held by who reads
        self._shares_reading = module.max_concurrency == 1
        self._alarm = threading.Event()  # has the reader thread look whether it is needed
        self._asleep = False  # it does so after an alarm only
        self._begun = 0  # jobs the main thread has read for itself
        self._at_end = False  # there is nothing left to read

        self._watchdog: Optional[threading.Timer] = None
        self._patience: Optional[threading.Timer] = None

        # Subscriptions are made and ended one after the other. Their names come with the answer,
        # and an event may come before it: whoever does not know an event's name waits for the lock.
        self._subscribing = threading.Lock()  # guards changes of the three below
        self._deliver: Dict[str, _Deliver] = {}  # by the supervisor's name of a subscription
        self._names: Dict[_Key, str] = {}
        self._ended: Deque[str] = deque(maxlen=256)  # whose last events may be under way

        self._state = threading.Lock()  # guards everything below
        self._open: Dict[int, _Request] = {}
        self._open_count = dict.fromkeys(self._limits, 0)
        self._pending: Dict[int, _PendingCall] = {}
        self._last_id = 0
        self._connected = True
        self._greeted = False
        self._ending = False
        self._failed = False
        self._extensions: List[str] = []
        self._shutdown: Optional[_Request] = None

    # The main thread.

    def serve(self) -> bool:
        """Run the module's whole life; True if it ended as it should."""
        reader = threading.Thread(target=self._keep_reading, name="ixt-reader", daemon=True)
        health = threading.Thread(target=self._check_health, name="ixt-health", daemon=True)
        reader.start()
        health.start()
        try:
            init = self._jobs.get()
            if init is None:
                if not self._failed:
                    self._module.log_error("the connection ended before init")
                return False
            if not self._initialise(init):
                self._answer_the_rest(self._module.success())
                return False
            workers = [
                threading.Thread(target=self._work, name=f"ixt-handle-{n}", daemon=True)
                for n in range(2, self._module.max_concurrency + 1)
            ]
            workers.append(
                threading.Thread(target=self._serve_events, name="ixt-events", daemon=True)
            )
            for worker in workers:
                worker.start()
            self._work()
            for worker in workers:
                worker.join()  # bounded by the watchdog, as is all that follows
            return self._shut_down()
        finally:
            self._probes.put(None)
            self._wire.shut(socket.SHUT_RDWR)
            self._alarm.set()
            reader.join()
            self._wire.close()
            for timer in (self._patience, self._watchdog):
                if timer is not None:  # the reader's last act may have been to start it
                    timer.cancel()

    def stop_reading(self) -> None:
        """Begin to end, as if the supervisor had hung up. Safe in a signal handler."""
        self._wire.shut(socket.SHUT_RD)

    def _initialise(self, request: _Request) -> bool:
        frame = request.frame
        offered_protocol = frame.get("protocol", _PROTOCOL)
        if not isinstance(offered_protocol, int) or offered_protocol < _PROTOCOL:
            text = f"the supervisor speaks protocol {offered_protocol}, this module {_PROTOCOL}"
            self._answer(request, self._module.error("UNSUPPORTED_PROTOCOL", text))
            return False
        config = frame.get("config", {})
        try:
            if not isinstance(config, dict):
                raise ConfigError(f"config is {type(config).__name__}, not an object")
            self._module.on_init(config)
        except BaseException as error:
            code = "CONFIG_INVALID" if isinstance(error, ConfigError) else "INIT_FAILED"
            text = str(error) if isinstance(error, ConfigError) else _describe(error)
            self._module.log_error(f"on_init failed: {text}", stack=traceback.format_exc())
            self._answer(request, self._module.error(code, text))
            return False
        data = {
            "protocol": _PROTOCOL,
            "sdk": f"ixt-python/{__version__}",
            "extensions": self._extensions,
            "max_concurrency": self._module.max_concurrency,
        }
        self._answer(request, self._module.success(data))
        return True

    def _work(self) -> None:
        next_job = self._read_job if self._shares_reading else self._jobs.get
        for handle in iter(next_job, None):
            assert isinstance(handle, _Task)
            token = _current.set(handle)
            try:
                self._answer(handle, self._handle(handle))
            finally:
                _current.reset(token)

    def _read_job(self) -> Optional[_Request]:
        """The next job of a main thread that reads for itself, unless the reader thread reads."""
        if self._jobs.empty() and not self._ending and self._reading.acquire(blocking=False):
            try:
                self._read()
            finally:
                self._reading.release()
        job = self._jobs.get()
        # The count goes up before the reader thread is looked at, which looks at the count after it
        # has said that it sleeps: one of the two always notices the other.
        self._begun += 1
        if self._asleep or self._pending or self._ending:
            self._alarm.set()
        return job

    def _handle(self, handle: _Task) -> JSONObject:
        """One call of on_handle, whatever it does, turned into an answer."""
        module = self._module
        if handle.cancelled:
            return module.error("CANCELLED", "cancelled before the handler started")
        try:
            answer = module.on_handle(handle.message, handle.context)
        except BaseException as error:  # SystemExit too: a call never goes without its answer
            return self._answer_for(error, handle, "on_handle")
        fault = _fault_in(answer)
        if fault is not None:
            module.log_error(fault)
            return module.error("HANDLER_ERROR", fault)
        return answer

    def _answer_for(self, error: BaseException, task: _Task, name: str) -> JSONObject:
        """What a handler's caller is told of what it raised."""
        module = self._module
        if isinstance(error, InvalidInput):
            return module.error("INVALID_INPUT", error.message, error.details)
        details: Optional[JSONObject] = None
        if isinstance(error, CallError):
            if task.is_over() and error.code == "CANCELLED":
                return module.error("CANCELLED", "the caller gave up")
            details = {"cause": error.to_dict()}
        module.log_error(f"{name}: {_describe(error)}", stack=traceback.format_exc())
        return module.error("HANDLER_ERROR", _describe(error), details)

    def _shut_down(self) -> bool:
        module = self._module
        orderly, answer = not self._failed, module.success()
        try:
            module.on_shutdown()
        except BaseException as error:
            module.log_error(f"on_shutdown: {_describe(error)}", stack=traceback.format_exc())
            orderly, answer = False, module.error("HANDLER_ERROR", _describe(error))
        self._answer_the_rest(answer)
        return orderly

    def _answer_the_rest(self, last: JSONObject) -> None:
        """Answer what is still open, and the shutdown request, if there is one, as the last."""
        with self._state:
            open_now = list(self._open.values())
        for request in open_now:
            if request is not self._shutdown:
                stopped = self._module.error("CANCELLED", "the module was stopped")
                self._answer(request, stopped)
        if self._shutdown is not None:
            self._answer(self._shutdown, last)

    # The event thread.

    def _serve_events(self) -> None:
        for event in iter(self._events.get, None):
            token = _current.set(event)
            try:
                self._serve_event(event)
            finally:
                _current.reset(token)

    def _serve_event(self, event: _Task) -> None:
        module = self._module
        name: str = event.frame["event"]["subscription"]
        deliver = self._deliver.get(name)
        if deliver is None:
            with self._subscribing:
                deliver = self._deliver.get(name)
                if deliver is None and not self._ending:
                    return self._drop(event, name)
        if deliver is None or self._ending:
            return self._answer(event, module.error("UNAVAILABLE", "the module is being stopped"))
        if event.cancelled:
            text = "cancelled before the handler started"
            return self._answer(event, module.error("CANCELLED", text))
        answer = module.success()
        try:
            deliver(event)
        except BaseException as error:
            answer = self._answer_for(error, event, f"the handler of {name}")
        self._answer(event, answer)

    def _drop(self, event: _Task, name: str) -> None:
        """End a subscription that nobody serves, such as one of an earlier process.

        A durable one stays: what waits there is not thrown away because the module has not come to
        subscribing yet.
        """
        text = f"no handler in this process for the subscription {name}"
        self._answer(event, self._module.error("UNKNOWN_TOPIC", text))
        of_key = event.frame["event"].get("op")
        durable = ":" in name and not of_key
        if name not in self._ended:
            self._ended.append(name)
            what_follows = "what it is about will come again" if durable else "it is ended"
            self._module.log_warning(f"{text}; {what_follows}", topic=event.message["topic"])
        if durable:
            return
        service, method = ("kv", "unwatch") if of_key else ("events", "unsubscribe")
        try:
            self.request_service(service, method, {"subscription": name}, _DROP_SECONDS)
        except CallError as error:  # the next event of it brings the next try
            self._module.log_debug(f"{method} {name}: {error}")

    # The health thread.

    def _check_health(self) -> None:
        for request in iter(self._probes.get, None):
            try:
                report = self._module.on_health_check()
                if not isinstance(report, dict):
                    kind = type(report).__name__
                    raise TypeError(f"on_health_check returned {kind}, not a dict")
                report = {"healthy": True, **report}
                _encode_json(report)
            except BaseException as error:
                self._module.log_error(
                    f"on_health_check: {_describe(error)}", stack=traceback.format_exc()
                )
                report = {"healthy": False, "reason": _describe(error)}
            self._answer(request, self._module.success(report))

    # The reader thread.

    def _keep_reading(self) -> None:
        while not self._at_end:
            if self._reading.acquire(blocking=False):
                try:
                    self._read()
                finally:
                    self._reading.release()
            self._stand_by()

    def _stand_by(self) -> None:
        """Wait until nobody reads although somebody should."""
        while not self._ending:
            if self._pending and not self._reading.locked():
                return
            begun = self._begun
            if not self._alarm.wait(_BLINK_SECONDS) and begun == self._begun:
                if not self._reading.locked():
                    return
                self._asleep = True  # nothing happens
                if begun == self._begun:
                    self._alarm.wait()
                self._asleep = False
            self._alarm.clear()

    # Whoever reads.

    def _read(self) -> None:
        """Take frames in until the main thread has something to do for which it leaves off reading,
        or until the end."""
        try:
            while True:
                try:
                    frame = self._wire.read()
                except _FrameTooLarge as excess:
                    self._refuse_oversize(excess)
                    continue
                if frame is None:
                    break
                if self._dispatch(frame) and self._shares_reading:
                    return
        except _ProtocolError as error:
            self._failed = True
            self._module.log_error(f"the supervisor broke the protocol: {error}")
        except OSError as error:
            self._module.log_debug(f"the connection ended: {error}")
        except Exception:
            self._failed = True
            self._module.log_error("reading failed", stack=traceback.format_exc())
        self._at_end = True
        if self._failed:
            self._wire.shut(socket.SHUT_RDWR)
        self._end_calls()
        self._end_within(_ENDING_SECONDS)

    def _dispatch(self, frame: JSONObject) -> bool:
        """Pass a frame on; True if it is one for which the main thread leaves off reading."""
        kind = frame.get("type")
        if not isinstance(kind, str):
            raise _ProtocolError("a frame has no type")
        if not self._greeted and kind != "init":
            raise _ProtocolError(f"the first frame is {kind!r}, not 'init'")
        if kind == "service_response":
            self._take_answer(frame)
        elif kind == "cancel":
            self._cancel(frame.get("id"))
        elif "id" in frame:
            return self._admit(kind, frame["id"], frame)
        return False  # a notification of a type this version does not know is ignored

    def _admit(self, kind: str, id: Any, frame: JSONObject) -> bool:
        """Hand a request to the thread that serves it, or refuse it here and now."""
        if type(id) is not int or not 1 <= id <= _MAX_ID:
            raise _ProtocolError(f"the id of a {kind!r} is {id!r}")
        if id in self._open:  # without the lock: nobody else adds to it
            raise _ProtocolError(f"the id {id} of a {kind!r} is in flight already")
        if kind not in self._limits:
            return self._refuse(id, "UNKNOWN_TYPE", f"unknown request type {kind!r}")
        is_task = kind == "handle" or kind == "event"
        if is_task and not isinstance(frame.get("message"), dict):
            return self._refuse(id, "PROTOCOL_ERROR", f"the {kind} carries no message object")
        if kind == "event" and not _names_subscription(frame.get("event")):
            return self._refuse(id, "PROTOCOL_ERROR", "the event names no subscription")
        if kind == "init":
            if self._greeted:
                return self._refuse(id, "PROTOCOL_ERROR", "init was sent already")
            self._greet(frame)
        request = _Task(kind, id, frame) if is_task else _Request(kind, id, frame)
        with self._state:
            ending = self._ending and is_task
            full = self._open_count[kind] >= self._limits[kind]
            if not ending and not full:
                self._open[id] = request
                self._open_count[kind] += 1
        if ending:
            return self._refuse(id, "UNAVAILABLE", "the module is being stopped")
        if full:
            text = f"this module takes {self._limits[kind]} {kind} at a time"
            return self._refuse(id, "BUSY", text)
        if kind == "event":
            assert isinstance(request, _Task)
            self._events.put(request)
        elif kind == "health_check":
            self._probes.put(request)
        elif kind == "shutdown":
            self._shutdown = request
            grace = _milliseconds(frame.get("grace_ms")) or _GRACE_SECONDS
            self._end_within(0.9 * grace)  # the rest is for the answer to arrive in time
        else:
            self._jobs.put(request)
        return kind == "handle" or kind == "shutdown"

    def _greet(self, frame: JSONObject) -> None:
        self._greeted = True
        self._module.module_id = frame.get("module_id") or self._module.module_id
        max_frame = frame.get("max_frame")
        if isinstance(max_frame, int) and max_frame > 0:
            self._wire.max_frame = max_frame
        offered = frame.get("extensions")
        if isinstance(offered, list):
            self._extensions = [name for name in _EXTENSIONS if name in offered]

    def _refuse(self, id: int, code: str, message: str) -> bool:
        self._send(_response(id, self._module.error(code, message)))
        return False  # nobody has anything to do

    def _refuse_oversize(self, excess: _FrameTooLarge) -> None:
        self._module.log_warning(str(excess))
        id = excess.members.get("id")
        if type(id) is not int:
            return
        if excess.members.get("type") == "service_response":
            with self._state:
                call = self._pending.pop(id, None)
            if call is not None:
                call.end({}, self._call_error("FRAME_TOO_LARGE", str(excess), "unknown"))
        else:
            self._refuse(id, "FRAME_TOO_LARGE", str(excess))

    def _take_answer(self, frame: JSONObject) -> None:
        id = frame.get("id")
        with self._state:
            call = self._pending.pop(id, None) if type(id) is int else None
        if call is None:
            return  # its caller has given up
        data, error = frame.get("data", {}), frame.get("error")
        if frame.get("status") == "success" and isinstance(data, dict):
            call.end(data)
        elif isinstance(error, dict):
            call.end({}, _call_error_from(error))
        else:
            text = "the supervisor's answer has neither data nor error"
            call.end({}, self._call_error("PROTOCOL_ERROR", text, "unknown"))

    def _cancel(self, id: Any) -> None:
        with self._state:
            task = self._open.get(id) if type(id) is int else None
        if isinstance(task, _Task):
            self._cancel_all([task])

    def _cancel_all(self, tasks: List[_Task]) -> None:
        """Tell handlers that nobody waits for them, and end the calls they are waiting in."""
        with self._state:
            for task in tasks:
                task.cancelled = True
            ids = [id for id, call in self._pending.items() if call.task in tasks]
            calls = {id: self._pending.pop(id) for id in ids}
        for id, call in calls.items():
            text = "nobody waits for this handler any more"
            call.end({}, self._call_error("CANCELLED", text, "unknown"))
            self._send_cancel(id)

    def _end_calls(self) -> None:
        """The connection is gone, and with it whoever waited for us and whom we waited for."""
        with self._state:
            self._connected = False
            for request in self._open.values():
                if isinstance(request, _Task):
                    request.cancelled = True
            calls, self._pending = self._pending, {}
        for call in calls.values():
            text = "the connection to the supervisor ended"
            call.end({}, self._call_error("CANCELLED", text, "unknown"))

    def _end_within(self, seconds: float) -> None:
        """Let the worker threads run out; the first cause to end the module sets the bound."""
        with self._state:
            if self._ending:
                return
            self._ending = True
            tasks = [each for each in self._open.values() if isinstance(each, _Task)]
        self._watchdog = threading.Timer(seconds, self._abandon, [seconds])
        self._watchdog.daemon = True
        self._watchdog.start()
        self._cancel_all([task for task in tasks if task.kind == "handle"])
        for _ in range(self._module.max_concurrency):
            self._jobs.put(None)
        # Handles had their time before the shutdown came. The event that is being handled has not,
        # and may end with its services at hand; those that wait are not begun any more.
        events = [task for task in tasks if task.kind == "event"]
        if events:
            self._patience = threading.Timer(seconds / 2, self._cancel_all, [events])
            self._patience.daemon = True
            self._patience.start()
        self._events.put(None)

    def _abandon(self, seconds: float) -> None:
        """End the process although an author's code still runs: nothing else stops a thread."""

        def say_so() -> None:
            text = f"still busy after {seconds:g} s; the process ends without waiting any longer"
            self._module.log_error(text)
            self._answer_the_rest(self._module.error("HANDLER_ERROR", text))

        # In a thread with a bound of its own, because the supervisor may have stopped reading.
        last_words = threading.Thread(target=say_so, name="ixt-last-words", daemon=True)
        last_words.start()
        last_words.join(1.0)
        os._exit(1)

    # Any thread.

    def request_service(
        self,
        service: str,
        method: str,
        params: JSONObject,
        timeout: Optional[float] = None,
        trace_id: Optional[str] = None,
    ) -> JSONObject:
        task = _current.get()
        limits = [timeout, task.remaining() if task is not None else None]
        ttl = min((min(limit, _FOREVER) for limit in limits if limit is not None), default=None)
        if ttl is not None and ttl <= 0:
            text = "no time was left to make the call"
            raise self._call_error("TTL_EXPIRED", text, "not_delivered")
        frame: JSONObject = {
            "type": "service_request",
            "id": 0,
            "service": service,
            "method": method,
            "params": params,
        }
        if ttl is not None:
            frame["ttl_ms"] = math.ceil(ttl * 1000)
        if task is not None:
            if task.kind == "handle":
                frame["parent"] = task.id
            trace_id = trace_id or task.trace_id
        if trace_id:
            frame["context"] = {"trace_id": trace_id}

        call = _PendingCall(task)
        # One hold of the write lock from id to socket, so that ids grow on the wire as well.
        with self._wire.write_lock:
            id = frame["id"] = self._expect_answer(call)
            try:
                body = _encode_json(frame)
                if len(body) > self._wire.max_frame:
                    text = f"the call takes {len(body)} bytes, max_frame is {self._wire.max_frame}"
                    raise self._call_error("FRAME_TOO_LARGE", text, "not_delivered")
                self._wire.write_locked(body)
            except OSError:
                self._end_calls()
            except BaseException:
                with self._state:
                    self._pending.pop(id, None)
                raise
        if not self._reading.locked():
            self._alarm.set()

        # The supervisor knows better than this clock what became of the call, so its verdict gets a
        # moment longer; but never beyond the handler's deadline, when nobody would hear it.
        wait = None if ttl is None else ttl + _VERDICT_SECONDS
        if wait is not None and task is not None and task.deadline is not None:
            wait = min(wait, task.deadline - time.monotonic())
        if not call.wait(wait):
            with self._state:
                timed_out = self._pending.pop(id, None) is not None
            if timed_out:
                self._send_cancel(id)
                raise self._call_error("TIMEOUT", f"no answer within {ttl:.3f} s", "unknown")
            call.done.wait()  # another thread took it off the table and is about to end it
        if call.error is not None:
            raise call.error
        return call.data

    def subscribe(self, key: _Key, method: str, params: JSONObject, deliver: _Deliver) -> None:
        with self._subscribing:
            answer = self.request_service(key[0], method, params)
            name = _member(answer, "subscription", str)
            self._names[key], self._deliver[name] = name, deliver

    def unsubscribe(self, key: _Key, method: str) -> None:
        with self._subscribing:
            name = self._names.get(key)
            if name is None:
                text = f"this process has no subscription to {key[2]!r}"
                if key[1]:
                    text += f" of {key[1]!r}"
                raise self._call_error("NOT_FOUND", text, "not_delivered")
            with suppress(NotFound):  # ended already
                self.request_service(key[0], method, {"subscription": name})
            del self._names[key]
            self._deliver.pop(name, None)
            self._ended.append(name)

    def _expect_answer(self, call: _PendingCall) -> int:
        """Put a call on the table and return its id."""
        with self._state:
            if not self._connected:
                text = "the connection to the supervisor ended"
                raise self._call_error("CANCELLED", text, "not_delivered")
            if call.task is not None and call.task.cancelled:
                text = "nobody waits for this handler any more"
                raise self._call_error("CANCELLED", text, "not_delivered")
            self._last_id += 1
            self._pending[self._last_id] = call
            return self._last_id

    def _answer(self, request: _Request, answer: JSONObject) -> None:
        """Send a request's one answer; a second one for the same request is dropped."""
        try:
            body = _response(request.id, answer)
        except (TypeError, ValueError, RecursionError) as error:
            text = f"the answer is not JSON: {error}; bytes go through encode_payload()"
            self._module.log_error(text)
            body = _response(request.id, self._module.error("HANDLER_ERROR", text))
        if len(body) > self._wire.max_frame:
            text = f"the answer takes {len(body)} bytes, max_frame is {self._wire.max_frame}"
            self._module.log_error(text)
            body = _response(request.id, self._module.error("FRAME_TOO_LARGE", text))
        with self._wire.write_lock:
            # The slot is free before the answer leaves: the supervisor may fill it at once.
            with self._state:
                if self._open.pop(request.id, None) is None:
                    return
                self._open_count[request.kind] -= 1
            try:
                self._wire.write_locked(body)
            except OSError:
                pass  # the reader sees the same end and acts on it

    def _send_cancel(self, id: int) -> None:
        if "cancel" in self._extensions:
            self._send(_encode_json({"type": "cancel", "id": id}))

    def _send(self, body: bytes) -> None:
        with self._wire.write_lock:
            try:
                self._wire.write_locked(body)
            except OSError:
                pass  # the reader sees the same end and acts on it

    def _call_error(self, code: str, message: str, outcome: str) -> CallError:
        kind = _KINDS.get(code, CallError)
        return kind(code, message, outcome=outcome, origin=self._module.module_id)


# --- Frames ---------------------------------------------------------------------------------------


class _ProtocolError(Exception):
    """The peer broke the wire's rules; the connection cannot go on."""


class _FrameTooLarge(Exception):
    """A frame above max_frame was skipped; ``members`` is what its beginning gave away."""

    def __init__(self, size: int, max_frame: int, members: JSONObject) -> None:
        super().__init__(f"a frame of {size} bytes was skipped, max_frame is {max_frame}")
        self.members = members


class _Wire:
    """Frames on a socket: u32 little-endian length, then that many bytes of one JSON object.

    One thread reads at a time. Any thread writes, holding ``write_lock``.
    """

    _HEADER = struct.Struct("<I")
    _ATTACHMENT = 1 << 31
    _PEEK = 4096
    _CHUNK = 64 * 1024

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._received = b""
        self._position = 0  # of what is not taken yet in _received
        self.max_frame = _MAX_FRAME
        self.write_lock = threading.Lock()

    def read(self) -> Optional[JSONObject]:
        """The next frame, or None at the end. Raises _ProtocolError, _FrameTooLarge, OSError."""
        header = self._take(4)
        if not header:
            return None
        size: int = self._HEADER.unpack(header)[0] if len(header) == 4 else 0
        if size & self._ATTACHMENT:
            raise _ProtocolError("a frame has an attachment, which was not negotiated")
        if size > self.max_frame:
            raise _FrameTooLarge(size, self.max_frame, self._skip(size))
        body = self._take(size)
        if len(header) < 4 or len(body) < size:
            raise ConnectionError("end of stream inside a frame")
        try:
            frame = _decode_json(body)
        except ValueError as error:
            raise _ProtocolError(f"a frame is not JSON: {error}") from None
        if not isinstance(frame, dict):
            raise _ProtocolError("a frame is not a JSON object")
        return frame

    def _skip(self, size: int) -> JSONObject:
        beginning = self._take(min(size, self._PEEK))
        left = size - len(beginning)
        while left > 0:
            chunk = self._take(min(left, self._CHUNK))
            if not chunk:
                break  # the next read() reports the end
            left -= len(chunk)
        return _peek_members(beginning)

    def _take(self, size: int) -> bytes:
        """The next bytes, fewer only at the end."""
        start, end = self._position, self._position + size
        if end > len(self._received):
            self._receive(size)
            start, end = 0, size
        self._position = end
        return self._received[start:end]

    def _receive(self, size: int) -> None:
        """Have at least ``size`` bytes to take, unless the end comes first."""
        chunks = [self._received[self._position :]]
        missing = size - len(chunks[0])
        while missing > 0:
            chunk = self._sock.recv(self._CHUNK)
            if not chunk:
                break
            chunks.append(chunk)
            missing -= len(chunk)
        self._received = b"".join(chunks)

    def write_locked(self, body: bytes) -> None:
        """Send one frame; the caller holds ``write_lock``."""
        self._sock.sendall(self._HEADER.pack(len(body)) + body)

    def shut(self, how: int) -> None:
        """Wake the reader with an end of stream (SHUT_RD), or both peers (SHUT_RDWR)."""
        try:
            self._sock.shutdown(how)
        except OSError:
            pass  # already shut

    def close(self) -> None:
        self._sock.close()


_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+)')


def _peek_members(beginning: bytes) -> JSONObject:
    """The scalar members of a JSON object that can be read off its first bytes.

    Only those of the outermost object count: an "id" inside a payload is not the frame's id.
    """
    text = beginning.decode("utf-8", "replace")
    members: JSONObject = {}
    depth, position = 0, 0
    name: Optional[str] = None
    while True:
        match = _TOKEN.match(text, position)
        if match is None or match.end() == len(text):  # cut off: the token may be incomplete
            return members
        position = match.end()
        token = match.group(1)
        if token in "{[":
            depth += 1
        elif token in "}]":
            depth -= 1
        elif depth == 1 and token == ",":
            name = None
        elif depth == 1 and token != ":":
            try:
                value = json.loads(token)
            except ValueError:
                return members
            if name is None:
                name = str(value)
            else:
                members[name] = value


# --- Small conversions ----------------------------------------------------------------------------


def _not_a_number(literal: str) -> Any:
    raise ValueError(f"{literal} is not JSON")


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_decoder = json.JSONDecoder(parse_constant=_not_a_number)


def _encode_json(value: Any) -> bytes:
    return _encoder.encode(value).encode("utf-8")


def _decode_json(data: bytes) -> Any:
    try:
        return _decoder.decode(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _encode_base64(data: Bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _json_input(data: bytes) -> Any:
    try:
        return _decode_json(data)
    except ValueError as error:
        raise InvalidInput(f"the payload is not JSON: {error}") from error


def _payload_bytes(payload: Any) -> Bytes:
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return payload
    return payload.encode("utf-8") if isinstance(payload, str) else _encode_json(payload)


def _raw_bytes(data: Any) -> Bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return data
    raise TypeError(f"a blob is made of bytes, not {type(data).__name__}")


def _payload_of(answer: JSONObject) -> bytes:
    return _decode_base64(_member(answer, "payload", str))


def _member(answer: JSONObject, name: str, kind: Type[_T]) -> _T:
    """A member of what the supervisor said; one that is left out is 0, empty or false."""
    value = answer.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        text = f"the supervisor gave {name!r} as {type(value).__name__}, not {kind.__name__}"
        raise CallError("PROTOCOL_ERROR", text)
    return value


def _message(
    topic: str, payload: Any, target: Optional[str] = None, priority: Optional[int] = None
) -> JSONObject:
    message: JSONObject = {"topic": topic, "payload": _encode_base64(_payload_bytes(payload))}
    if target is not None:
        message["target"] = target
    if priority is not None:
        if priority not in (0, 1, 2, 3):
            raise ValueError(f"priority is {priority!r}; it must be 0, 1, 2 or 3")
        message["priority"] = priority
    return message


def _blob_info(answer: JSONObject) -> BlobInfo:
    return BlobInfo(
        name=_member(answer, "name", str),
        size=_member(answer, "size", int),
        sha256=_member(answer, "sha256", str),
        time=_member(answer, "time", int) / 1000,
    )


def _names_subscription(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("subscription"), str)


def _callable(handler: _T) -> _T:
    if not callable(handler):
        raise TypeError(f"the handler is {type(handler).__name__}; it must be a function")
    return handler


def _milliseconds(value: Any) -> Optional[float]:
    """A duration of the wire in seconds; None where 0 or nothing means the default."""
    if isinstance(value, (int, float)) and value > 0:
        return min(value, _FOREVER * 1000) / 1000
    return None


def _response(id: int, answer: JSONObject) -> bytes:
    status: str = answer["status"]
    part = "data" if status == "success" else "error"
    content = answer[part]
    if len(content) == 1 and isinstance(content.get("payload"), str):  # the usual answer, for speed
        text = f'{{"payload":{_encoder.encode(content["payload"])}}}'
    else:
        text = _encoder.encode(content)
    head = f'{{"type":"response","id":{id},"status":"{status}","{part}":'
    return f"{head}{text}}}".encode("utf-8")


_KINDS: Dict[str, Type[CallError]] = {"NOT_FOUND": NotFound, "CONFLICT": Conflict}


def _call_error_from(error: JSONObject) -> CallError:
    code, details = str(error.get("code", "UNKNOWN")), error.get("details")
    outcome = str(error.get("outcome", "unknown"))
    # With the outcome "done" the code is another module's own, whatever that means by it.
    kind = CallError if outcome == "done" else _KINDS.get(code, CallError)
    return kind(
        code=code,
        message=str(error.get("message", "")),
        details=details if isinstance(details, dict) else None,
        outcome=outcome,
        origin=str(error.get("origin", "")),
        retry_after=_milliseconds(error.get("retry_after_ms")),
    )


def _describe(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _fault_in(answer: Any) -> Optional[str]:
    """What is wrong with a return value of on_handle, None if nothing is."""
    remedy = "return self.success({...}) or self.error(code, message)"
    if not isinstance(answer, dict):
        return f"on_handle returned {type(answer).__name__}; {remedy}"
    error = answer.get("error")
    if answer.get("status") == "success" and isinstance(answer.get("data"), dict):
        return None
    if answer.get("status") == "error" and isinstance(error, dict) and error.get("code"):
        return None
    return f"on_handle returned a dict that is no answer; {remedy}"


# --- The process ----------------------------------------------------------------------------------


def _line_buffer_stdout() -> None:
    """Let a print reach the log at once, although stdout is a pipe."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True)


@contextmanager
def _signals(end: Callable[[], None]) -> Iterator[None]:
    """SIGTERM ends the module in order, and so does a second Ctrl-C. SIGQUIT tells where it hangs.

    The first Ctrl-C is ignored: it reaches every process of the terminal, and when to stop a module
    is the supervisor's decision. SIGQUIT, which the supervisor sends before it kills a module that
    does not answer, writes the stacks of all threads to stderr; that needs no running interpreter.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may install handlers; whoever runs us here has their own
        return
    interrupts = 0

    def on_terminate(signum: int, frame: Optional[FrameType]) -> None:
        end()

    def on_interrupt(signum: int, frame: Optional[FrameType]) -> None:
        nonlocal interrupts
        interrupts += 1
        if interrupts == 1:  # os.write: a handler must not re-enter a buffered stream
            os.write(2, b"left to the supervisor; Ctrl-C again stops this module\n")
        else:
            end()

    previous = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, on_terminate),
        signal.SIGINT: signal.signal(signal.SIGINT, on_interrupt),
    }
    faulthandler.register(signal.SIGQUIT, file=2, all_threads=True)
    try:
        yield
    finally:
        faulthandler.unregister(signal.SIGQUIT)
        for number, handler in previous.items():
            signal.signal(number, handler)
