"""The secrets in an entry, with where they stand in its file. Their text never leaves this module."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stdioguard.audit.interface import Level
from stdioguard.audit.shown import is_loopback
from stdioguard.installs import plaintext

if TYPE_CHECKING:
    from stdioguard.audit.interface import EntryView
    from stdioguard.installs.formats.document import Path

_PARTS_OF_A_TOKEN = 3
_LONGEST_TOKEN = 4096

_LEVELS = {plaintext.HIGH: Level.HIGH, plaintext.MEDIUM: Level.MEDIUM}


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret in plain text."""

    kind: str
    """`env`, `header`, `argument`, `url` or `setting`: where it stands."""
    place: str
    """What it stands in, for people: a variable's, a header's or an option's name."""
    path: Path
    span: tuple[int, int] | None
    """Its characters within the value at `path`, where that value is the text that was looked at."""
    why: str
    confidence: Level
    is_minor: bool
    """Whether it opens little: the password of a service on this machine, in that service's address, or a key that browsers are given."""


def of(view: EntryView) -> list[Secret]:
    """Return an entry's secrets: those that `stdioguard wrap` finds, and those in its other settings."""
    if "secrets" not in view.memory:
        view.memory["secrets"] = [_one(view, one) for one in found_in(view)]
    return list(view.memory["secrets"])


def found_in(view: EntryView) -> list[plaintext.Found]:
    """Return what is found in an entry; it is searched once, for all rules and for what is hidden in their texts."""
    if "plaintext" not in view.memory:
        view.memory["plaintext"] = plaintext.secrets_in(view.entry)
    return list(view.memory["plaintext"])


def _one(view: EntryView, found: plaintext.Found) -> Secret:
    entry, text = view.entry, plaintext.text_of(view.entry, found)
    where, name = found.path[0], found.path[-1]
    if where == "env":
        kind, place, path = "env", f"the variable {name}", view.variable(str(name))
    elif where == "headers":
        kind, place, path = "header", f"the header {name}", (*(entry.fields.headers_path or entry.path), name)
    elif where == "argv":
        at = int(name)
        kind, place, path = "argument", _argument(entry.argv, at, found.span), view.word(at - view.offset)
    elif where == "extra":
        kind, place, path = "setting", f"the setting {_setting(found.path[1:])}", (*entry.path, *found.path[1:])
    else:
        kind, place, path = "url", "the address", entry.fields.url_path or entry.path
    span = found.span if _at(view.config.value, path) == text else None
    confidence = _LEVELS.get(found.confidence, Level.MEDIUM)
    if _is_anonymous(text[slice(*found.span)]):
        why = "an anonymous key of Supabase, behind which row-level security has to stand"
        return Secret(kind, place, path, span, why, confidence, is_minor=True)
    return Secret(kind, place, path, span, found.why, confidence, _is_local(text, found.span))


def _setting(path: Path) -> str:
    """Return what a setting is called: by the names on the way to it, without the places in lists."""
    return ".".join(str(step) for step in path if not isinstance(step, int))


def _argument(argv: list[str], at: int, span: tuple[int, int]) -> str:
    """Return what an argument is called: by its own `--name=`, by the option before it, or by its place."""
    own = re.match(r"(-{0,2}[A-Za-z][\w.\-]{0,40})(?:=|:\s)", argv[at][: span[0]])
    if own is not None:
        return f"the argument {own[1]}"
    before = argv[at - 1] if at else ""
    if re.fullmatch(r"-{1,2}[A-Za-z][\w\-]{0,40}", before):
        return f"the argument of {before}"
    return f"argument {at}"


def _is_local(text: str, span: tuple[int, int]) -> bool:
    """Tell whether a secret is the password in an address of this machine: postgres://user:password@localhost/name."""
    host = re.match(r"@(\[[0-9A-Fa-f:]+\]|[^:/@\s?#]+)", text[span[1] :])
    return host is not None and is_loopback(host[1].strip("[]"))


def _is_anonymous(secret: str) -> bool:
    """Tell whether a secret is a token that says of itself that it is for everybody."""
    parts = secret.split(".")
    if len(parts) != _PARTS_OF_A_TOKEN or len(secret) > _LONGEST_TOKEN:
        return False
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(claims, dict) and claims.get("role") == "anon"


def _at(value: Any, path: Path) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
