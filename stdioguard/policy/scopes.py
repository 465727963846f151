"""Scopes: what a client was granted, held against what a tool, prompt or resource needs.

A scope is words with `:` between them, `files:read`. Only a last word that is `*` is a wildcard, and it has to be written: `files:*` covers
`files:read` and `files:read:own`, and not `files`. No name has a meaning of its own; `admin` covers `admin` and nothing else.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FORM = r"^[A-Za-z0-9_.\-]+(:[A-Za-z0-9_.\-]+)*(:\*)?$"
MAX_LENGTH = 128
_FORM = re.compile(FORM.replace("$", r"\Z"))


def is_scope(text: object) -> bool:
    """Tell whether a value is a scope, perhaps one with a wildcard."""
    return type(text) is str and len(text) <= MAX_LENGTH and _FORM.match(text) is not None


def covers(granted: frozenset[str], needed: str) -> bool:
    """Tell whether one of the scopes granted is the needed one, or a wildcard above it."""
    if needed in granted:
        return True
    at = needed.rfind(":")
    while at > 0:
        if needed[:at] + ":*" in granted:
            return True
        at = needed.rfind(":", 0, at)
    return False


def narrowed(granted: Iterable[str], limit: frozenset[str]) -> frozenset[str]:
    """Return what is granted by both: each scope of either that the other covers."""
    wanted = frozenset(granted)
    return frozenset(scope for scope in wanted if covers(limit, scope)) | frozenset(
        scope for scope in limit if covers(wanted, scope)
    )
