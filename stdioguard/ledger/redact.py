"""Arguments and command lines as the record may keep them: without secrets, and short.

By key (a name that says it holds a secret) and by pattern (a text that looks like one, whatever its name). Redaction is a second line:
the record is the user's own file with mode 0600.
"""

from __future__ import annotations

import re

from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REDACTED = "[redacted]"
MAX_TEXT = 256
MAX_ENCODED = 8192
_MAX_MEMBERS = 64
_MAX_DEPTH = 8
_MAX_VALUES = 512

_KEY_PATTERN = (
    r"(?i)passw|passphrase|(^|[-_])(pass|pwd|pin|auth|pat|sig)$|pwd$|secret|token|api[-_]?key|access[-_]?key|private[-_]?key"
    r"|signature|authori[sz]ation|credential|cookie|bearer"
)
_NEVER_A_NUMBER = re.compile(r"(?i)passw|passphrase|pwd$|secret|(^|[-_])(pass|pin)$")

# The texts that look like a secret, for the record and for what is found in clients' configs.
# Marker, pattern: a pattern is tried only where the text, case folded, holds its marker. Every match of a pattern holds its marker.
SHAPES = (
    ("sk-", r"\bsk-[A-Za-z0-9_\-]{16,}"),  # OpenAI, Anthropic
    ("k_live_", r"\b[sr]k_live_[A-Za-z0-9]{16,}"),  # Stripe
    ("k_test_", r"\b[sr]k_test_[A-Za-z0-9]{16,}"),
    ("gh", r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
    ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    ("glpat-", r"\bglpat-[A-Za-z0-9_\-]{16,}"),
    ("xox", r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,}"),  # Slack
    ("akia", r"\bAKIA[0-9A-Z]{16}\b"),  # AWS
    ("asia", r"\bASIA[0-9A-Z]{16}\b"),
    ("aiza", r"\bAIza[0-9A-Za-z_\-]{30,}"),  # Google
    ("npm_", r"\bnpm_[A-Za-z0-9]{20,}"),
    ("hf_", r"\bhf_[A-Za-z0-9]{20,}"),
    ("pypi-", r"\bpypi-[A-Za-z0-9_\-]{20,}"),
    ("eyj", r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*"),  # JWT
    ("sgc:", r"sgc:[A-Za-z0-9_.\-]{1,64}:[A-Za-z0-9_\-]{20,}"),  # our own
    ("private key-----", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    ("://", r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password in a URL
    ("bearer", r"(?i)\bbearer\s+[A-Za-z0-9._~+/\-]{12,}=*"),
    ("basic", r"(?i)\bbasic\s+[A-Za-z0-9+/]{8,}=*"),
    ("--pass", r"(?i)--pass(?:word|wd)?\s+\S+"),
    ("sig=", r"(?i)[?&]sig=[^&\s]+"),
    ("key=", r"(?i)[?&]key=[^&\s]+"),
    *((word, rf"(?i){pattern}\s*[=:]\s*[^\s\"',;&]{{4,}}") for word, pattern in (
        ("password", "password"), ("passwd", "passwd"), ("secret", "secret"), ("token", "token"), ("api", "api[-_]?key"),
        ("pwd", "pwd"), ("_pass", "_pass"))),
)  # fmt: skip
_REFERENCE = re.compile(r"secret:[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_keys: dict[str, bool] = {}
_names: dict[str, str] = {}


def _is_secret(key: str) -> bool:
    known = _keys.get(key)
    if known is None:
        known = re.search(_KEY_PATTERN, key) is not None
        if len(_keys) < 1024:
            _keys[key] = known
    return known


def name(value: Any) -> Any:
    """Return the name of a tool or method for the record; honest ones come again and again, so they are remembered."""
    if type(value) is not str:
        return value
    known = _names.get(value)
    if known is None:
        known = text(value)
        if len(value) <= MAX_TEXT and len(_names) < 1024:
            _names[value] = known
    return known


def text(value: str) -> str:
    """Return `value` with what looks like a secret replaced, at most `MAX_TEXT` characters of it."""
    # A secret may straddle the cut, so look a little further than is kept.
    shown = value[: MAX_TEXT * 4]
    folded = shown.casefold()
    for marker, pattern in SHAPES:
        if marker in folded:
            shown = re.sub(pattern, REDACTED, shown)
    return shown if len(shown) <= MAX_TEXT and len(value) <= MAX_TEXT * 4 else f"{shown[:MAX_TEXT]}[... {len(value)} characters]"


def arguments(value: Any) -> str:
    """Return a JSON value as the record keeps it, as JSON: redacted, cut, and never more than `MAX_ENCODED` bytes."""
    encoded = strict_json.encode(_Copier().copy(value, 0))
    return encoded if len(encoded) <= MAX_ENCODED else f'"[{len(encoded)} bytes of arguments]"'


class _Copier:
    """Copies one value, with a bound on how much of it: a record's line is no place for a document."""

    def __init__(self) -> None:
        self._left = _MAX_VALUES

    def copy(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or (depth > _MAX_DEPTH and isinstance(value, dict | list)):
            return "[...]"
        if type(value) is str:
            return text(value)
        if type(value) is dict:
            return self._object(value, depth)
        if type(value) is list:
            kept = [self.copy(member, depth + 1) for member in value[:_MAX_MEMBERS]]
            return [*kept, f"[... {len(value) - _MAX_MEMBERS} more]"] if len(value) > _MAX_MEMBERS else kept
        if isinstance(value, strict_json.Number):
            return text(value.text)
        return value

    def _object(self, members: dict[str, Any], depth: int) -> dict[str, Any]:
        # `{"name": "password", "value": ...}` says of its value what a key says of its own.
        called = members.get("name", members.get("key")) if "value" in members else None
        kept: dict[str, Any] = {}
        for key, member in members.items():
            if len(kept) == _MAX_MEMBERS:
                kept["[...]"] = len(members) - _MAX_MEMBERS
                break
            label = called if key == "value" and type(called) is str else key
            kept[name(key)] = REDACTED if _is_secret(label) and _hides(label, member) else self.copy(member, depth + 1)
        return kept


def _hides(label: str, value: Any) -> bool:
    """Tell whether a member whose name says secret holds one; `max_tokens: 100` does not, `pin: 1234` does."""
    if value is None or isinstance(value, bool):
        return False
    return isinstance(value, str | dict | list) or _NEVER_A_NUMBER.search(label) is not None


def command(argv: list[str]) -> list[str]:
    """Return a command line for the record: `--token X` and `--token=X` lose their X, unless it only names a secret (`secret:NAME`)."""
    kept: list[str] = []
    hide_next = False
    for word in argv:
        before, equals, after = word.partition("=")
        if _REFERENCE.fullmatch(after if equals else word):
            kept.append(f"{text(before)}={after}" if equals else word)
            hide_next = False
            continue
        if hide_next:
            kept.append(REDACTED)
            hide_next = False
            continue
        name, equals, _ = word.partition("=")
        named = word.startswith("-") and _is_secret(name.lstrip("-"))
        kept.append(f"{name}={REDACTED}" if named and equals else text(word))
        hide_next = named and not equals
    return kept
