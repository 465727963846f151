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

_KEY_SOURCE = (
    r"passw|passphrase|pwd$|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|authori[sz]ation|credential|cookie|bearer"
)
_TEXT_SOURCE = "|".join(
    (
        r"\bsk-[A-Za-z0-9_\-]{16,}",  # OpenAI, Anthropic
        r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
        r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bglpat-[A-Za-z0-9_\-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,}",  # Slack
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",  # AWS
        r"\bAIza[0-9A-Za-z_\-]{30,}",  # Google
        r"\b(?:npm|hf)_[A-Za-z0-9]{20,}|\bpypi-[A-Za-z0-9_\-]{20,}",
        r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*",  # JWT
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",  # user:password in a URL
        r"(?i:\bbearer\s+)[A-Za-z0-9._~+/\-]{12,}=*",
        r"(?i:(?:password|passwd|secret|token|api[-_]?key)\s*[=:]\s*)[^\s\"',;&]{4,}",
    )
)
_compiled: tuple[re.Pattern[str], re.Pattern[str]] | None = None


def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    global _compiled  # noqa: PLW0603 - compiled at the first call that has arguments, not before `initialize` is answered
    if _compiled is None:
        _compiled = (re.compile(_KEY_SOURCE, re.IGNORECASE), re.compile(_TEXT_SOURCE))
    return _compiled


def text(value: str) -> str:
    """Return `value` with what looks like a secret replaced, at most `MAX_TEXT` characters of it."""
    # A secret may straddle the cut, so look a little further than is kept.
    shown = _patterns()[1].sub(REDACTED, value[: MAX_TEXT * 4])
    return shown if len(shown) <= MAX_TEXT and len(value) <= MAX_TEXT * 4 else f"{shown[:MAX_TEXT]}[... {len(value)} characters]"


def arguments(value: Any) -> Any:
    """Return a copy of a JSON value for the record: redacted, cut, and never more than `MAX_ENCODED` bytes of JSON."""
    kept = _copy(value, 0)
    encoded = len(strict_json.encode(kept))
    return kept if encoded <= MAX_ENCODED else f"[{encoded} bytes of arguments]"


def _copy(value: Any, depth: int) -> Any:
    if type(value) is str:
        return text(value)
    if type(value) is dict:
        if depth > 8:
            return "[...]"
        secret = _patterns()[0].search
        kept = {
            text(key): REDACTED if secret(key) and isinstance(member, str | dict | list) else _copy(member, depth + 1)
            for key, member in list(value.items())[:_MAX_MEMBERS]
        }
        if len(value) > _MAX_MEMBERS:
            kept["[...]"] = len(value) - _MAX_MEMBERS
        return kept
    if type(value) is list:
        if depth > 8:
            return "[...]"
        return [_copy(member, depth + 1) for member in value[:_MAX_MEMBERS]] + (
            [f"[... {len(value) - _MAX_MEMBERS} more]"] if len(value) > _MAX_MEMBERS else []
        )
    if isinstance(value, strict_json.Number):
        return text(value.text)
    return value


def command(argv: list[str]) -> list[str]:
    """Return a command line for the record: `--token X` and `--token=X` lose their X."""
    secret = _patterns()[0].search
    kept: list[str] = []
    hide_next = False
    for word in argv:
        if hide_next and not word.startswith("-"):
            kept.append(REDACTED)
            hide_next = False
            continue
        name, equals, _ = word.partition("=")
        named = word.startswith("-") and secret(name) is not None
        kept.append(f"{name}={REDACTED}" if named and equals else text(word))
        hide_next = named and not equals
    return kept
