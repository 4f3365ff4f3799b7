"""A module that asks its host for whatever a test names, and handles events as their topics say."""

import threading

from ixt_process_module import CallError, InvalidInput, IxtProcessModule


class Services(IxtProcessModule):
    max_concurrency = 2

    def on_init(self, config):
        self.seen = []
        self.second = []
        for pattern in config.get("subscribe", []):
            self.subscribe(pattern, self.on_event)

    def on_shutdown(self):
        self.log("on_shutdown", events=[thread.name for thread in threading.enumerate()])

    def on_handle(self, message, context):
        if message["topic"] == "seen":
            return self.success({"seen": self.seen, "second": self.second})
        wish = self.decode_json(message["payload"])
        method = self
        for name in wish["do"].split("."):
            method = method(name) if name == "line-state" else getattr(method, name)
        args = [getattr(self, arg[1:]) if str(arg)[:1] == "@" else arg for arg in wish["args"]]
        try:
            return self.success({"result": self.plain(method(*args, **wish["options"]))})
        except CallError as error:
            kinds = [kind.__name__ for kind in type(error).__mro__]
            revision = getattr(error, "revision", None)
            return self.success({"kinds": kinds, "revision": revision, **error.to_dict()})

    def plain(self, value):
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        if hasattr(value, "_asdict"):
            return {name: self.plain(each) for name, each in value._asdict().items()}
        return value

    # What handles events.

    def on_event(self, event):
        wish = event.topic.rpartition(".")[2]
        if wish == "raise":
            raise ZeroDivisionError("no such quotient")
        if wish == "exit":
            raise SystemExit("enough")
        if wish == "invalid":
            raise InvalidInput("no line", {"field": "line"})
        if wish == "json":
            event.json()
        if wish == "hang":
            self.call("gate")
            threading.Event().wait()
        if wish == "gate":
            self.log("before the gate")
            answer = self.call("gate", event.payload).text()
            self.kv.add(answer)
        if wish == "stubborn":  # until nobody waits any more
            try:
                self.call("gate")
            except CallError as error:
                self.log("let go", code=error.code, cancelled=self.cancelled())
        if wish == "resubscribe":
            self.subscribe("late.>", self.on_second)
        thread = threading.current_thread().name
        self.seen.append({**self.plain(event), "thread": thread})

    def on_second(self, event):
        self.second.append(event.topic)

    def on_change(self, change):
        self.seen.append({**self.plain(change), "text": change.text(), "json": change.json()})

    # Blobs as files.

    def put_file(self, name, path):
        with open(path, "rb") as file:
            return self.blob.put(name, file)

    def read_parts(self, name, sizes):
        with self.blob.open(name) as file:
            return [file.read(size) for size in sizes]


if __name__ == "__main__":
    Services().run()
