"""JSON5 (spec.json5.org): JSON as a programmer writes it in JavaScript, with bare keys, single quotes, hexadecimal numbers and comments.

The text is translated to JSON token by token, and `json` says what that means. So whatever is not understood here is refused there.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

from stdioguard.installs.formats.flow import Grammar
from stdioguard.installs.formats.json_text import JsonDocument, Token, for_people
from stdioguard.installs.formats.values import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

_SPACE = "\\t\\n\\v\\f\\r \\u00a0\\u2028\\u2029\\ufeff\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000"
_LINE_END = "\\n\\r\\u2028\\u2029"
_COMMENT = rf"//[^{_LINE_END}]*+|/\*.*?\*/"
_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|[\n\r\u2028\u2029])|(0)(?![0-9])|([^ux0-9]))|(\\)|([\"\x01-\x1f])", re.DOTALL
)
_SHORT = {"b": "\\b", "f": "\\f", "n": "\\n", "r": "\\r", "t": "\\t", "v": "\\u000b", '"': '\\"', "\\": "\\\\"}
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<constant>Infinity|NaN)|0[xX](?P<hex>[0-9a-fA-F]+)|(?P<whole>0|[1-9][0-9]*)?(?P<point>\.)?(?P<part>[0-9]*)(?P<power>[eE][+-]?[0-9]+)?)"
)


class Json5Document(JsonDocument):
    """JSON5, which plain JSON and JSON with comments are too."""

    tokens_pattern: ClassVar[re.Pattern[str]] = re.compile(
        rf"""[{_SPACE}]*+(?:
            (?P<string>"(?>[^"\\\n\r]+|\\\r\n|\\.)*+" | '(?>[^'\\\n\r]+|\\\r\n|\\.)*+')
          | (?P<mark>[{{}}\[\]:,])
          | (?P<comment>{_COMMENT})
          | (?P<word>[^{_SPACE}{{}}\[\]:,"'/]++)
        )""",
        re.VERBOSE | re.DOTALL,
    )
    blank: ClassVar[re.Pattern[str]] = re.compile(rf"[{_SPACE}]*+")
    grammar: ClassVar[Grammar] = Grammar(
        gap=re.compile(rf"(?>[{_SPACE}]++|{_COMMENT})*+", re.DOTALL),
        remark=re.compile(rf"[ \t]*+(?://[^{_LINE_END}]*+|/\*[^{_LINE_END}]*?\*/)"),
    )

    def _decoded_with_comments(self) -> Any:
        tokens = [token for token in self._tokens() if token[0] != "comment"]
        if not tokens:
            self.empty = True
            return {}
        pieces: list[str] = []
        for index, token in enumerate(tokens):
            before = tokens[index - 1] if index else None
            after = tokens[index + 1] if index + 1 < len(tokens) else None
            pieces.append(self._translated(token, before, after))
        try:
            # A space after each piece: two tokens never become one.
            return json.loads(" ".join(pieces))
        except json.JSONDecodeError as error:
            raise self.broken(for_people(error), self._origin(tokens, pieces, error.pos)) from error
        except ValueError as error:
            raise FormatError(for_people(error)) from error

    def _origin(self, tokens: list[Token], pieces: list[str], position: int) -> int:
        """Return where in the text the token begins that the translation has at `position`."""
        for token, piece in zip(tokens, pieces, strict=True):
            if position <= len(piece):
                return token[1]
            position -= len(piece) + 1
        return len(self.text)

    def _translated(self, token: Token, before: Token | None, after: Token | None) -> str:
        kind, start, end = token
        text = self.text[start:end]
        if kind == "string":
            return self._string(text, start)
        if kind == "mark":
            ends = (
                text == ","
                and after is not None
                and self._closes(after)
                and before is not None
                and not self._opens_or_parts(before)
            )
            return "" if ends else text
        if after is not None and self.text[after[1]] == ":" and after[0] == "mark":
            return json.dumps(_identifier(text)) if _is_identifier(_identifier(text)) else text
        return self._number(text, start)

    def _string(self, text: str, start: int) -> str:
        def escaped(found: re.Match[str]) -> str:
            four, two, line, zero, other, alone, raw = found.groups()
            if alone:
                raise self.broken("an escape that JSON5 does not have", start + 1 + found.start())
            if four or two:
                return f"\\u{four or '00' + two}"
            if line:
                return ""
            if zero:
                return "\\u0000"
            if raw:
                return '\\"' if raw == '"' else f"\\u{ord(raw):04x}"
            return _SHORT.get(other, other)

        return f'"{_ESCAPE.sub(escaped, text[1:-1])}"'

    def _number(self, text: str, start: int) -> str:
        found = _NUMBER.fullmatch(text)
        if not found or not any(found[name] for name in ("constant", "hex", "whole", "part")):
            return text  # true, false, null, or what `json` refuses
        sign = "-" if found["sign"] == "-" else ""
        if found["constant"]:
            return "NaN" if found["constant"] == "NaN" else f"{sign}Infinity"
        if found["hex"]:
            if len(found["hex"]) > 1000:
                raise self.broken("a number of too many digits", start)
            return f"{sign}{int(found['hex'], 16)}"
        if found["part"] and not found["point"]:
            return text  # a leading zero
        power = found["power"] or ""
        return f"{sign}{found['whole'] or 0}{'.' + (found['part'] or '0') if found['point'] else ''}{power}"

    def _key_name(self, start: int, end: int) -> str:
        text = self.text[start:end]
        return _identifier(text) if text[0] not in "\"'" else str(json.loads(self._string(text, start)))

    def _key(self, colon: str, _opening: str = "") -> Callable[[str], str]:
        def key(name: str) -> str:
            if _opening and _opening not in "\"'" and _is_identifier(name):
                return name + colon
            quoted = json.dumps(name, ensure_ascii=not name.isprintable())
            if _opening == "'" and "'" not in quoted and "\\" not in quoted:
                return f"'{quoted[1:-1]}'{colon}"
            return quoted + colon

        return key

    def _scalar(self, value: Any) -> str:
        if isinstance(value, float):
            return json.dumps(value)
        return super()._scalar(value)


def _identifier(text: str) -> str:
    """Return the name that a bare key spells, which may use escapes."""
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)


def _is_identifier(name: str) -> bool:
    return name.replace("$", "_").replace("\u200c", "").replace("\u200d", "").isidentifier()
