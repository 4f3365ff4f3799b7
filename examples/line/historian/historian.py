"""Historian: remembers every reading of every line, also those that came while it did not run."""

import json

from ixt_process_module import IxtProcessModule


class Historian(IxtProcessModule):
    def on_init(self, config):
        # Durable: readings are stored until they are in the history, and come again if that fails.
        self.subscribe("line.*.temp", self.remember, durable="history")

    def remember(self, event):
        reading = event.json()
        key = f"history.{reading['line']}"
        history = json.loads(self.kv.get(key, b"[]"))
        history.append(reading["temp"])
        self.kv.set(key, json.dumps(history[-1000:]))
        self.log(f"{reading['line']}: {reading['temp']}", count=len(history))

    def history(self, line):
        return json.loads(self.kv.get(f"history.{line}", b"[]"))

    def on_handle(self, message, context):
        if message["topic"] == "historian.average":
            temps = self.history(self.decode_json(message["payload"])["line"])
            return self.success({"temp": sum(temps) / len(temps) if temps else 0.0, "count": len(temps)})
        if message["topic"] == "historian.archive":
            line = self.decode_payload(message["payload"]).decode()
            rows = "".join(f"{n},{temp}\n" for n, temp in enumerate(self.history(line)))
            info = self.blob.put(f"{line}.csv", rows)
            return self.success({"bytes": info.size})
        return self.error("UNKNOWN_TOPIC", f"no {message['topic']} here")


if __name__ == "__main__":
    Historian().run()
