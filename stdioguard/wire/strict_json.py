"""JSON as two careful peers would agree on it, decoded and written back in one canonical form.

Every rule here refuses a text that two parsers in the field read differently (RFC 8259 sections 4 to 8 leave each of them open):
a duplicate key is last-wins for Python and JavaScript and first-wins elsewhere; Go matches keys without regard to case
(CVE-2026-27896); NaN and 1e400 are numbers to Python only; a lone surrogate crashes an encoder; invalid UTF-8 is repaired to
U+FFFD by some. What is accepted is written again as one line of ASCII, so the far side never sees the sender's bytes.

Numbers keep their value. An integer of any length and a decimal with more digits than a double holds stay as they were written
(`Number`); everything else is a plain Python value.
"""

from __future__ import annotations

import json
import re

from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

MAX_DEPTH = 128
"""How many arrays and objects may be open at once."""

_INFINITE = (float("inf"), float("-inf"))


class Number:
    """A JSON number that neither `int` nor `float` can keep: its text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text


_distinct: set[tuple[str, ...]] = set()
"""Sets of keys that have been found distinct, in any case: the same few come in every message."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    count = len(pairs)
    if len(members) != count:
        raise MalformedError("duplicate-key", "an object has the same key twice")
    if count > 1:
        keys = tuple(members)
        if keys not in _distinct:
            if len(set(map(str.casefold, keys))) != count:
                raise MalformedError("colliding-keys", "an object has two keys that differ only in case")
            if len(_distinct) < 1024 and sum(map(len, keys)) < 256:
                _distinct.add(keys)
    return members


def _float(text: str) -> float | Number:
    value = float(text)
    if value in _INFINITE:
        raise MalformedError("number-overflow", "a number is too large for a double")
    # Fifteen significant digits always survive a normal double (IEEE 754); a longer text, or a value too small to be normal, may
    # say more than the double keeps.
    if (len(text) > 15 or abs(value) < 1e-300) and repr(value) != text:
        from decimal import Decimal, InvalidOperation  # noqa: PLC0415 - rare, and costly to import

        try:
            exact = Decimal(text) == Decimal(repr(value))
        except InvalidOperation:
            exact = False
        if not exact:
            return Number(text)
    return value


def _long_int(text: str) -> int | Number:
    # Python refuses to convert more digits than this (CVE-2020-10735); there is no need to convert them.
    return Number(text) if len(text) > 4000 else int(text)


def _constant(text: str) -> None:
    raise MalformedError("not-a-number", f"{text} is not JSON")


def _no_json(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _fast_encoder() -> Callable[[Any], str]:
    """Return an encoder that is built once: `JSONEncoder.encode` builds its C encoder anew for every message."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without the accelerator
        return json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False).encode
    pieces = make(None, _no_json, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False)
    return lambda value: "".join(pieces(value, 0))


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)
_scan = _decoder.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out; it is what `decode` calls
_long_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_int=_long_int, parse_constant=_constant)
_encode = _fast_encoder()
_text_encoder = json.JSONEncoder(separators=(",", ":"), check_circular=False, allow_nan=False, ensure_ascii=False)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def decode(frame: bytes) -> Any:
    """Decode one frame (without its LF; one CR before it is the sender's line ending and is dropped).

    Raises `MalformedError`; never anything else, whatever the bytes.
    """
    if b"\r" in frame:
        frame = frame.removesuffix(b"\r")
        if b"\r" in frame:
            # Legal white space for JSON, a line ending for the Python SDK: one message here, two there.
            raise MalformedError("carriage-return", "a carriage return inside a message")
    try:
        text = frame.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("invalid-utf8", f"invalid UTF-8 at byte {error.start}") from None
    try:
        try:
            value = _scanned(text)
        except json.JSONDecodeError:
            raise
        except ValueError:
            value = _long_decoder.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedError("invalid-json", f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise MalformedError("too-deep", f"more than {MAX_DEPTH} levels of nesting") from None
    if len(frame) > MAX_DEPTH and frame.count(b"{") + frame.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise MalformedError("too-deep", f"more than {MAX_DEPTH} levels of nesting")
    if b"\\u" in frame and _SURROGATE.search(frame):
        try:
            _as_text(value).encode("utf-8")
        except UnicodeEncodeError:
            raise MalformedError("lone-surrogate", "a string holds half a surrogate pair") from None
    return value


def _scanned(text: str) -> Any:
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        end = -1
    # White space around the value, or something that should not be there: the decoder knows which.
    return value if end == len(text) else _decoder.decode(text)


def _as_text(value: Any) -> str:
    try:
        return _text_encoder.encode(value)
    except TypeError:
        return _text_encoder.encode(_without_numbers(value))


def _deeper_than(value: Any, levels: int) -> bool:
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        below: list[Any] = []
        for container in layer:
            members = container.values() if type(container) is dict else container
            below += [member for member in members if type(member) is dict or type(member) is list]
        if not below:
            return False
        layer = below
    return True


def encode(value: Any) -> str:
    """Encode `value` as one line of ASCII JSON, without a line ending.

    Raises `ValueError` for NaN and infinities, which `decode` never yields.
    """
    try:
        return _encode(value)
    except TypeError:
        return _encode_exactly(value)


def readable(value: Any) -> str:
    """Encode `value` for people: not ASCII only, with spaces. Control characters stay escaped; what else shows badly is the caller's."""
    return json.dumps(value, ensure_ascii=False, default=repr)


def canonical(value: Any) -> str:
    """Encode `value` with sorted keys: equal values, and only those, give equal texts. `1` and `1.0` differ."""
    return _encode_exactly(value, sort_keys=True)


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_numbers(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_without_numbers(member) for member in value]
    return None if isinstance(value, Number) else value


def _encode_exactly(value: Any, *, sort_keys: bool = False) -> str:
    # A placeholder that begins with half a surrogate pair cannot be mistaken for data: `decode` refuses such strings.
    numbers: list[str] = []

    def placeholder(number: object) -> str:
        if not isinstance(number, Number):
            _no_json(number)
        numbers.append(number.text)
        return f"\udc00{len(numbers) - 1}"

    encoder = json.JSONEncoder(
        separators=(",", ":"), check_circular=False, allow_nan=False, sort_keys=sort_keys, default=placeholder
    )
    text = encoder.encode(value)
    return re.sub(r'"\\udc00(\d+)"', lambda match: numbers[int(match[1])], text) if numbers else text
