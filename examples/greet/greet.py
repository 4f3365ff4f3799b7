#!/usr/bin/env python3
"""Greets by name: quietly on its own, loudly with the help of the example module echo."""

from ixt_process_module import IxtProcessModule


class Greet(IxtProcessModule):
    def on_init(self, config):
        self.greeting = config["greeting"].encode()
        self.log("ready to greet", greeting=config["greeting"])

    def on_handle(self, message, context):
        name = self.decode_payload(message["payload"])
        greeting = self.greeting + b", " + name

        if message["topic"] == "greet.hello":
            return self.success({"payload": self.encode_payload(greeting)})
        if message["topic"] == "greet.loud":
            answer = self.call("echo.shout", greeting)
            return self.success(answer.data)
        return self.error("UNKNOWN_TOPIC", f"greet does not know {message['topic']}")


if __name__ == "__main__":
    Greet().run()
