"""A second JSON parser, as strict as the guard's has to be and written without it: the judge in these tests.

It is slow and plain on purpose: one character after the other, no regular expression over the whole text, no `json`. Numbers
come out as `Num`, so that `==` on two decoded values is exact and type-strict: `1`, `1.0`, `"1"` and `true` all differ.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

MAX_DEPTH = 128
_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_SHORT = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Refused(Exception):
    """The text is not JSON on which careful peers agree."""


class Num(NamedTuple):
    """A JSON number: its value without loss (digits times ten to the exponent), and whether it is written as an integer."""

    integral: bool
    negative: bool
    digits: str
    exponent: int

    def as_int(self) -> int:
        """Return the value of an integer of moderate size."""
        return int(self.digits) * 10**self.exponent * (-1 if self.negative else 1)

    @property
    def width(self) -> int:
        """Characters of the integer as text."""
        return len(self.digits) + self.exponent + self.negative


def num(text: str, *, integral: bool | None = None) -> Num:
    """Return the number that `text` writes."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise Refused(f"not a number: {text[:40]}")
    sign, whole, fraction, power = found.groups()
    if integral is None:
        integral = fraction is None and power is None
    if not integral and float(text) in (float("inf"), float("-inf")):
        raise Refused("overflow")
    after = (fraction or ".")[1:]
    digits = (whole + after).lstrip("0")
    stripped = digits.rstrip("0")
    if not stripped:
        return Num(integral, bool(sign) and not integral, "0", 0)
    # An exponent that Python would refuse to convert belongs to an overflow or to a value that no test tells from another.
    exponent = int((power or "e0")[1:][:4000])
    return Num(integral, bool(sign), stripped, exponent - len(after) + len(digits) - len(stripped))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, literal: str) -> None:
        if not self.text.startswith(literal, self.at):
            raise Refused(f"expected {literal!r} at {self.at}")
        self.at += len(literal)

    def space(self) -> None:
        while self.peek() and self.peek() in " \t\n":
            self.at += 1

    def value(self, depth: int) -> Any:
        char = self.peek()
        if char == "{":
            return self.object(depth + 1)
        if char == "[":
            return self.array(depth + 1)
        if char == '"':
            return self.string()
        for literal, meaning in (("true", True), ("false", False), ("null", None)):
            if char == literal[0]:
                self.take(literal)
                return meaning
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            raise Refused(f"unexpected {char!r} at {self.at}")
        self.at = found.end()
        return num(found[0])

    def object(self, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise Refused("depth")
        members: dict[str, Any] = {}
        folded: set[str] = set()
        self.take("{")
        self.space()
        while self.peek() != "}":
            if members:
                self.take(",")
                self.space()
            key = self.string()
            if key.casefold() in folded:
                raise Refused("duplicate or colliding key")
            folded.add(key.casefold())
            self.space()
            self.take(":")
            self.space()
            members[key] = self.value(depth)
            self.space()
        self.take("}")
        return members

    def array(self, depth: int) -> list[Any]:
        if depth > MAX_DEPTH:
            raise Refused("depth")
        members: list[Any] = []
        self.take("[")
        self.space()
        while self.peek() != "]":
            if members:
                self.take(",")
                self.space()
            members.append(self.value(depth))
            self.space()
        self.take("]")
        return members

    def string(self) -> str:
        self.take('"')
        units: list[str] = []
        while (char := self.peek()) != '"':
            if char < " ":
                raise Refused("control character or end of text in a string")
            self.at += 1
            if char == "\\":
                char = self.escape()
            units.append(char)
        self.at += 1
        # Two escaped halves make one character; a half that is left over makes the text unusable.
        whole = "".join(units).encode("utf-16-le", "surrogatepass")
        try:
            return whole.decode("utf-16-le")
        except UnicodeDecodeError:
            raise Refused("lone surrogate") from None

    def escape(self) -> str:
        char = self.peek()
        self.at += 1
        if char in _SHORT and char:
            return _SHORT[char]
        digits = self.text[self.at : self.at + 4]
        if char != "u" or len(digits) != 4 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise Refused("bad escape")
        self.at += 4
        return chr(int(digits, 16))


def parse(frame: bytes) -> Any:
    """Return the value of one frame. Raises `Refused`."""
    if frame.endswith(b"\r"):
        frame = frame[:-1]
    if b"\r" in frame:
        raise Refused("carriage return")
    try:
        parser = _Parser(frame.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refused("UTF-8") from None
    parser.space()
    try:
        value = parser.value(0)
    except RecursionError:
        raise Refused("depth") from None
    parser.space()
    if parser.peek():
        raise Refused("trailing characters")
    return value


def line(text: str) -> Any:
    """Return the value of one line that the guard wrote, which must be a single line of ASCII."""
    assert isinstance(text, str)
    assert all(" " <= char <= "~" for char in text), f"not one line of printable ASCII: {text!r:.200}"
    try:
        return parse(text.encode("ascii"))
    except Refused as error:
        raise AssertionError(f"the guard wrote what a strict parser refuses ({error}): {text:.200}") from error


class Message(NamedTuple):
    """One of the kinds `request`, `notification`, `response`; the members that the kind lacks are `None`."""

    kind: str
    id: Any
    method: Any
    params: Any
    result: Any
    error: Any


def classify(value: Any) -> Message:
    """Tell what kind of JSON-RPC message a value is, by the letter of the protocol. Raises `Refused`."""
    if type(value) is not dict or value.keys() - {"jsonrpc", "id", "method", "params", "result", "error"}:
        raise Refused("not an envelope")
    if value.get("jsonrpc") != "2.0":
        raise Refused("version")
    id_ = value.get("id")
    good_id = (type(id_) is str and len(id_.encode()) <= 256) or (type(id_) is Num and id_.integral and id_.width <= 256)
    params = value.get("params", {})
    if type(params) is not dict:
        raise Refused("params")
    if "method" in value:
        method = value["method"]
        if type(method) is not str or not 0 < len(method) <= 256 or "result" in value or "error" in value:
            raise Refused("call")
        if "id" not in value:
            return Message("notification", None, method, params, None, None)
        if not good_id:
            raise Refused("id")
        return Message("request", id_, method, params, None, None)
    error = value.get("error")
    if "params" in value or "id" not in value or ("result" in value) == ("error" in value):
        raise Refused("response")
    if "result" in value:
        if not good_id or type(value["result"]) is not dict:
            raise Refused("result")
        return Message("response", id_, None, None, value["result"], None)
    if not good_id and id_ is not None:
        raise Refused("id")
    if type(error) is not dict or error.keys() - {"code", "message", "data"}:
        raise Refused("error")
    code = error.get("code")
    if type(code) is not Num or not code.integral or type(error.get("message")) is not str:
        raise Refused("error")
    return Message("response", id_, None, None, None, error)
