"""golden_templates.py [DIR] writes internal/jinja/testdata/templates.json: what jinja2 renders of published templates.

DIR holds the chat templates that testdata/templates.sh fetches (./templates where none is named). The file has nine
chats and, for each template and chat, the SHA-256 of the text that transformers renders. Where jinja2 has an error, the
row has its kind, and the SHA-256 of what raise_exception says. The file holds none of the templates.

Needs transformers 4.57.6 and jinja2 3.1.6.
"""

import datetime
import hashlib
import json
import pathlib
import sys

import jinja2
import transformers
from transformers.utils import chat_template_utils as chats


class Clock(datetime.datetime):
    """The clock of the test in Go."""

    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6, 5, 4, 3)


chats.datetime = Clock

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>",
           "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a city <now> & tomorrow's.",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "Its name, as in \"Zürich\""},
        "days": {"type": "integer", "description": "How many", "minimum": 1, "default": 1},
        "units": {"type": "string", "enum": ["C", "F"]},
        "where": {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}}, "required": ["lat"]},
        "tags": {"type": "array", "items": {"type": "string"}}},
        "required": ["city"]},
    "return": {"type": "string", "description": "A sentence"}}}
CLOCK = {"type": "function", "function": {"name": "now", "description": "The time", "parameters": {"type": "object", "properties": {}}}}


def call(name, arguments, key):
    return {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}


def said(role, content, **more):
    return {"role": role, "content": content, **more}


ASK = said("user", "Is it warm in Zürich?")
CALLS = [
    said("system", "Be brief."), ASK,
    said("assistant", "", tool_calls=[call("get_weather", {"city": "Zürich", "days": 2, "tags": ["a<b", "it's"], "ok": True, "none": None,
                                                           "where": {"lat": 47.5}}, "call00001")]),
    said("tool", "{\"temperature\": 21.5, \"sky\": \"<clear>\"}", name="get_weather", tool_call_id="call00001"),
    said("assistant", "It is 21.5 °C."),
    said("user", "And now?"),
    said("assistant", "I look.", tool_calls=[call("now", {}, "call00002")]),
    said("tool", "12:00", name="now", tool_call_id="call00002"),
]

# The chats: the variables of a rendering beside the special tokens.
CHATS = {
    "system": {"messages": [said("system", "You are brief & <kind>."), said("user", "Hi")], "add_generation_prompt": True},
    "turns": {"messages": [said("user", "One?"), said("assistant", "<think>\nHm.\n</think>\n\nTwo."), said("user", " Three? "),
                           said("assistant", "Four.", reasoning_content="So it is."), said("user", "Five?\n")],
              "add_generation_prompt": True},
    "tools": {"messages": [said("system", "Use tools."), ASK], "tools": [WEATHER, CLOCK], "add_generation_prompt": True},
    "calls": {"messages": CALLS, "tools": [WEATHER, CLOCK], "add_generation_prompt": True},
    "parts": {"messages": [said("system", [{"type": "text", "text": "Look well."}]),
                           said("user", [{"type": "text", "text": "What is "}, {"type": "image"}, {"type": "text", "text": "this?"}]),
                           said("assistant", [{"type": "text", "text": "A cat."}]),
                           said("user", [{"type": "text", "text": "Sure?"}])], "add_generation_prompt": True},
    "unicode": {"messages": [said("user", "naïve ☃ 🙂 ß ǅ\u00a0\u200b\u2028 \"q\" 'q' \\ {{ x }} {% if %}\t\r\n"), said("assistant", "好的。 ÀÉ"),
                             said("user", "  好\u3000")], "add_generation_prompt": True},
    "empty": {"messages": [said("user", "")], "add_generation_prompt": True},
    "no messages": {"messages": [], "add_generation_prompt": True},
    "no prompt": {"messages": [said("system", "S"), said("user", "Hi"), said("assistant", "Hello")], "add_generation_prompt": False},
}


def sha256(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def render(template, variables):
    """Returns the digest of the text, or the kind of error."""
    try:
        texts, _ = chats.render_jinja_template([variables["messages"]], chat_template=template, tools=variables.get("tools"),
                                               add_generation_prompt=variables["add_generation_prompt"], **SPECIAL)
        return {"text": sha256(texts[0])}
    except Exception as e:  # Python has many kinds for what is one error in Go
        if type(e) is jinja2.exceptions.TemplateError:  # by raise_exception
            return {"error": "raised", "raised": sha256(str(e))}
        return {"error": type(e).__name__}


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    files = sorted(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else root / "templates").glob("*.jinja"))
    if len(files) != 70:
        sys.exit(f"{len(files)} templates, want the 70 that testdata/templates.sh fetches")
    rows = []
    for f in files:
        text = f.read_text(encoding="utf-8")
        rows.append({"template": f.name, "sha256": sha256(text), "chats": {name: render(text, v) for name, v in CHATS.items()}})
    golden = {"made by": f"golden_templates.py, transformers {transformers.__version__}, jinja2 {jinja2.__version__}",
              "special": SPECIAL, "chats": CHATS, "templates": rows}
    out = root / "internal" / "jinja" / "testdata" / "templates.json"
    out.write_text(json.dumps(golden, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


main()
