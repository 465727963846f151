"""A container that gets the whole file system or a home has nothing left that it is kept from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a mount of the root or of a home."""
    for name, value, path in words.container_options(view):
        if name not in ("-v", "--volume", "--mount"):
            continue
        source, is_read_only = _source(name, value)
        reach = words.reach(source)
        if not reach:
            continue
        what = "the whole file system" if reach == "all" else "a whole home directory"
        severity = Level.HIGH if reach == "all" and not is_read_only else Level.MEDIUM
        how = " to read" if is_read_only else " to read and write"
        yield view.finding(RULE, f"the container gets {what}{how}", path, severity=severity)


def _source(name: str, value: str) -> tuple[str, bool]:
    if name == "--mount":
        pairs = dict(part.partition("=")[::2] for part in value.split(","))
        source = pairs.get("source", pairs.get("src", ""))
        return source, any(key in pairs and pairs[key] in ("", "true", "1") for key in ("readonly", "ro"))
    match = re.fullmatch(r"([A-Za-z]:[\\/][^:]*|\$\{[^}]*\}[^:]*|[^:]*):(.*)", value)
    return (match.group(1), "ro" in re.split(r"[:,]", match.group(2))) if match is not None else ("", False)


RULE = Rule(
    slug="container-mount",
    title="A container gets the whole file system or a home",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Mount the folders that the server works in, read-only where it can be.",
    cwe=668,
    owasp="MCP02",
    check=check,
)
