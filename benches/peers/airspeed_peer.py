"""airspeed: `python airspeed_peer.py FOLDER SECONDS CASE…`."""

import json
import sys
import time

import airspeed

ESCAPES = str.maketrans({'"': '\\"', "'": "\\'", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class Util:
    def escapeJavaScript(self, text):
        return str(text).translate(ESCAPES)


class Text(str):
    """The one method of Java's that the templates call and that Python's text lacks."""

    def replaceAll(self, pattern, replacement):
        return Text(self.replace(pattern, replacement))


class Input:
    def __init__(self, body):
        self.body = body
        self.document = None

    def path(self, path):
        """Plain steps only, which is all that the templates ask: a library of JSONPath would cost more."""
        if self.document is None:
            self.document = json.loads(self.body, object_hook=texts if "replaceAll" in source else None)
        value = self.document
        for name in path.split(".")[1:]:
            value = value.get(name)
        return value

    def json(self, path):
        return json.dumps(self.path(path))


def texts(members):
    return {name: Text(value) if isinstance(value, str) else value for name, value in members.items()}


folder, seconds, names = sys.argv[1], float(sys.argv[2]), sys.argv[3:]


def read(name):
    with open(f"{folder}/{name}", encoding="utf-8") as file:
        return file.read()


context = json.loads(read("context.json"))
for name in names:
    body, source = read(f"{name}.json"), read(f"{name}.vtl")
    template = airspeed.Template(source)

    def render():
        return template.merge({"input": Input(body), "util": Util(), "context": context})

    with open(f"{folder}/{name}.airspeed", "w", encoding="utf-8") as file:
        file.write(render())
    renders, begin, used = 0, time.process_time(), 0.0
    while used < seconds:
        render()
        renders += 1
        used = time.process_time() - begin
    print(name, renders, int(used * 1e9), flush=True)
