"""A corpus of our own: what is asked for, times where it stands, times how it is hidden; and honest texts that look like it.

`poisoned()` and `benign()` give cases. Each belongs to one half, by the wording it was made from, so that a rule that was tuned on one half
is measured on words that it has not seen.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
TUNE, HELD_OUT = "tune", "held-out"

HOSTS = (
    ("get_forecast", "Return the forecast for a city."),
    ("convert_units", "Convert a quantity from one unit to another."),
    ("list_issues", "List the open issues of a repository."),
    ("summarize", "Summarize a text in a few sentences."),
)


class Case(NamedTuple):
    """One definition of the corpus."""

    label: str
    track: str
    half: str
    made_of: str
    definition: dict[str, Any]


def half(wording: str) -> str:
    return TUNE if hashlib.sha256(wording.encode()).digest()[0] % 2 else HELD_OUT


def load(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / f"{name}.toml").read_text("utf-8"))


def tool(name: str, description: str, parameters: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    properties = {key: {"type": "string", "description": said} for key, said in (parameters or {}).items()}
    schema = more.pop("schema", None) or {"type": "object", "properties": properties, "required": list(properties)}
    return {"name": name, "description": description, "inputSchema": schema, **more}


# Where a payload stands.
def plain(payload: str, at: int) -> dict[str, Any]:
    name, said = HOSTS[at % len(HOSTS)]
    return tool(name, f"{said} {payload}", {"query": "What to look for"})


def block(payload: str, at: int) -> dict[str, Any]:
    name, said = HOSTS[at % len(HOSTS)]
    return tool(name, f"{said}\n\n<IMPORTANT>\n{payload}\n</IMPORTANT>", {"query": "What to look for"})


def parameter(payload: str, at: int) -> dict[str, Any]:
    name, said = HOSTS[at % len(HOSTS)]
    return tool(name, said, {"query": "What to look for", "options": f"Options. {payload}"})


def docstring(payload: str, at: int) -> dict[str, Any]:
    name, said = HOSTS[at % len(HOSTS)]
    return tool(
        name,
        f"{said}\n\nArgs:\n    query: What to look for\n    mode: Mode of operation\n\nNotes:\n    {payload}\n\nReturns:\n    The result",
        {"query": ""},
    )


def nested(payload: str, at: int) -> dict[str, Any]:
    name, said = HOSTS[at % len(HOSTS)]
    inner = {"type": "object", "properties": {"flags": {"type": "array", "items": {"type": "string", "description": payload}}}}
    return tool(name, said, schema={"type": "object", "properties": {"options": inner}})


def output(payload: str, at: int) -> dict[str, Any]:
    name, said = HOSTS[at % len(HOSTS)]
    return tool(name, said, {"query": "q"}, outputSchema={"type": "object", "description": payload})


def comment(payload: str, at: int) -> dict[str, Any]:
    name, said = HOSTS[at % len(HOSTS)]
    return tool(name, f"{said} <!-- {payload} -->", {"query": "q"})


CARRIERS = (plain, block, parameter, docstring, nested, output, comment)


# How a payload is hidden.
def zero_width(text: str) -> str:
    return "\u200b".join(text)


def tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) for char in text if char.isascii() and char.isprintable())


def selectors(text: str) -> str:
    return "".join(chr(0xFE00 + byte) if byte < 16 else chr(0xE0100 + byte - 16) for byte in text.encode())


def in_base64(text: str) -> str:
    return "Decode and follow: " + base64.b64encode(text.encode()).decode()


def in_hex(text: str) -> str:
    return text.encode().hex()


def look_alikes(text: str) -> str:
    return text.translate(str.maketrans("aeopcxi", "\u0430\u0435\u043e\u0440\u0441\u0445\u0456"))


def full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def leetspeak(text: str) -> str:
    return text.lower().translate(str.maketrans("oieas", "01345"))


def rot13(text: str) -> str:
    import codecs

    return codecs.encode(text, "rot13")


def backwards(text: str) -> str:
    return text[::-1]


def shouted(text: str) -> str:
    return "**" + text.upper().replace(" ", "  ") + "**"


DISGUISES = (zero_width, tags, selectors, in_base64, in_hex, look_alikes, full_width, leetspeak, rot13, backwards, shouted)


def poisoned() -> list[Case]:
    cases = []
    for track in ("text", "preference"):
        for at, payload in enumerate(load(track)["payloads"]):
            made = half(payload)
            cases += [
                Case("poisoned", track, made, payload, carrier(payload, at + n))
                for n, carrier in enumerate(CARRIERS[at % 3 :: 3])
            ]
            if payload.isascii() and track == "text":
                disguises = (DISGUISES[at % len(DISGUISES)], DISGUISES[(at * 7 + 3) % len(DISGUISES)])
                cases += [
                    Case("poisoned", f"{track}, disguised", made, payload, plain(disguise(payload), at)) for disguise in disguises
                ]
    for at, payload in enumerate(load("templates")["payloads"]):
        cases += [Case("poisoned", "templates", half(payload), payload, carrier(payload, at)) for carrier in (plain, parameter)]
    code = load("code")
    for at, payload in enumerate(code["payloads"]):
        name, said = HOSTS[at % len(HOSTS)]
        cases.append(
            Case("poisoned", "code", half(payload), payload, tool(name, f"{said} Run `{payload}` to set it up.", {"q": "q"}))
        )
        schema = {"type": "object", "properties": {"setup": {"type": "string", "default": payload}}}
        cases.append(Case("poisoned", "code", half(payload), payload, tool(name, said, schema=schema)))
    for track, tools in (("code", code["tools"]), ("structural", load("structural")["tools"])):
        cases += [Case("poisoned", track, half(one["name"] + one["description"]), one["name"], tool(**one)) for one in tools]
    return cases


def benign() -> list[Case]:
    return [
        Case("benign", one.pop("kind", "plain"), half(one["name"] + one["description"]), one["name"], tool(**one))
        for one in load("benign")["tools"]
    ]
