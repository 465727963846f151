"""Goose: `extensions` by name, with `cmd`, `args` and `envs`; some are built into Goose and start nothing from here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects.standard import BRACES, DOLLAR, Standard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Path

_ITS_OWN = frozenset({"builtin", "platform", "frontend"})


@dataclass(frozen=True)
class Goose(Standard):
    """`type: stdio` with a program; `type: sse` and `streamable_http` with `uri`."""

    client: str = "Goose"
    variables: tuple[str, ...] = (BRACES, DOLLAR)
    command: tuple[str, ...] = ("cmd",)
    env: tuple[str, ...] = ("envs",)
    url: tuple[str, ...] = ("uri",)

    def _each(self, name: str, member: Any, path: Path) -> Iterator[Entry]:
        kind = member.get("type") if isinstance(member, dict) else None
        if isinstance(kind, str) and kind in _ITS_OWN:
            return
        if kind == "inline_python":
            yield self._broken(
                name, path, "its code is in the file itself (inline_python): there is no command to put a guard before"
            )
            return
        yield self.entry(name, member, path)


GOOSE = Goose()
