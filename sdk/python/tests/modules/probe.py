"""A module that does on command whatever a test wants to see: one method per topic.

Where a test has to hold a handler, the handler calls the topic "gate": the call tells the test that
the handler runs, and the answer lets it go on.
"""

import os
import sys
import threading
import time

import ixt_process_module
from ixt_process_module import CallError, ConfigError, InvalidInput, IxtProcessModule

ixt_process_module._ENDING_SECONDS = float(os.environ.get("PROBE_ENDING_SECONDS", "5"))


class Probe(IxtProcessModule):
    config = None
    init_thread = None
    busy = threading.Event()  # do_until_cancelled runs

    # Lifecycle: what the configuration asks for.

    def on_init(self, config):
        self.config = config
        self.init_thread = threading.current_thread()
        wish = config.get("init")
        if wish == "config_error":
            raise ConfigError("limit is below zero")
        if wish == "key_error":
            config["missing"]
        if wish == "exit":
            sys.exit(3)
        if wish == "call":
            self.call("gate")
        if wish == "call_then_raise":
            self.outcome_of(lambda: self.call("gate"))
            raise OSError("no such device")

    def on_shutdown(self):
        if self.config.get("shutdown") == "raise":
            raise OSError("disk full")
        if self.config.get("shutdown") == "call":
            self.call("gate")
        self.log("on_shutdown")

    def on_health_check(self):
        wish = self.config.get("health")
        if wish == "raise":
            raise RuntimeError("sensor lost")
        if wish == "list":
            return [1]
        if wish == "bytes":
            return {"healthy": True, "raw": b"x"}
        if wish == "call":
            self.call("gate")
        if wish == "await_handler":
            self.busy.wait()
        return {"ready": False, "reason": "device offline"}

    def on_handle(self, message, context):
        method = getattr(self, "do_" + message["topic"].replace(".", "_"), None)
        if method is None:
            return self.error("UNKNOWN_TOPIC", f"no topic {message['topic']}")
        return method(message, context)

    def text(self, text):
        return self.success({"payload": self.encode_payload(text)})

    # Plain answers.

    def do_echo(self, message, context):
        return self.success({"payload": message["payload"]})

    def do_mirror(self, message, context):
        return self.success({"message": message, "context": context})

    def do_nothing(self, message, context):
        return self.success()

    def do_thread(self, message, context):
        same = threading.current_thread() is self.init_thread is threading.main_thread()
        return self.success({"same": same})

    def do_error(self, message, context):
        return self.error("OUT_OF_INK", "no ink left", {"colour": "blue"})

    def do_deadline(self, message, context):
        return self.success({"remaining": self.remaining(), "cancelled": self.cancelled()})

    def do_log(self, message, context):
        print("printed")
        self.log("hello", size=3, level="mine", odd=b"x", nan=float("nan"))
        self.log_debug("d")
        self.log_warning("w")
        self.log_error("e\nf")
        return self.success()

    # Faults.

    def do_raise(self, message, context):
        raise ZeroDivisionError("no such quotient")

    def do_exit(self, message, context):
        sys.exit("enough")

    def do_invalid(self, message, context):
        raise InvalidInput("name is missing", {"field": "name"})

    def do_json(self, message, context):
        return self.success({"value": self.decode_json(message["payload"])})

    def do_return(self, message, context):
        answers = {
            "none": None,
            "text": "hello",
            "dict": {"result": 1},
            "status": {"status": "fine"},
            "bytes": self.success({"raw": b"x"}),
            "nan": self.success({"x": float("nan")}),
            "surrogate": self.success({"x": "\ud800"}),
            "extra": {**self.success({"x": 1}), "id": 999, "type": "cancel"},
        }
        return answers[self.decode_payload(message["payload"]).decode()]

    def do_success_of_text(self, message, context):
        return self.success("hello")

    def do_big(self, message, context):
        return self.text("x" * int(self.decode_payload(message["payload"])))

    def do_until_cancelled(self, message, context):
        self.busy.set()
        while not self.cancelled():
            time.sleep(0.001)
        self.busy.clear()
        return self.success()

    def do_call_beside(self, message, context):
        def ask():
            self.answer_beside = self.call("gate").payload

        self.beside = threading.Thread(target=ask)
        self.beside.start()
        return self.success()

    def do_join_beside(self, message, context):
        self.beside.join()
        return self.text(self.answer_beside)

    def do_hang(self, message, context):
        self.outcome_of(lambda: self.call("gate"))
        threading.Event().wait()

    # Calls of other modules.

    def do_gate(self, message, context):
        return self.text(self.call("gate", self.decode_payload(message["payload"])).payload)

    def do_cancelled(self, message, context):
        try:
            self.call("gate")
        except CallError as error:
            again = self.outcome_of(lambda: self.call("gate"))
            return self.success(
                {"cancelled": self.cancelled(), "first": error.to_dict(), "again": again}
            )
        return self.success({"cancelled": self.cancelled()})

    def do_hold_then_raise(self, message, context):
        try:
            self.call("gate")
        except CallError:
            self.log("gate broke")
            raise
        return self.success()

    def do_call(self, message, context):
        wish = self.decode_json(message["payload"])
        payload = wish.pop("bytes").encode() if "bytes" in wish else wish.pop("payload", b"")
        response = self.call("other.topic", payload, **wish)
        return self.success({"data": response.data, "json": response.json()})

    def do_call_object(self, message, context):
        self.call("other.topic", object())

    def do_catch(self, message, context):
        wish = self.decode_json(message["payload"])
        if "size" in wish:
            wish["payload"] = "x" * wish.pop("size")
        return self.success(self.outcome_of(lambda: self.call("other.topic", **wish)))

    def outcome_of(self, call):
        try:
            call()
        except CallError as error:
            return {**error.to_dict(), "retry_after": error.retry_after, "text": str(error)}
        return {"code": None}


if __name__ == "__main__":
    Probe(max_concurrency=int(os.environ.get("PROBE_CONCURRENCY", "1"))).run()
