"""Zed: `context_servers`; a command may be an object of its own, and some servers are an extension's, which knows the command."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects.standard import Standard, command_line, first, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Path


@dataclass(frozen=True)
class Zed(Standard):
    """`{"command": "npx", "args": []}`; before 2025-10 `{"source": "custom", "command": {"path": "npx", "args": [], "env": {}}}`."""

    client: str = "Zed"
    variables: tuple[str, ...] = ()

    def entry(self, name: str, member: Any, path: Path) -> Entry:
        """Read one entry, of either age."""
        entry = super().entry(name, member, path)
        inner = member.get("command") if isinstance(member, dict) else None
        return nested(entry, inner, "command", ("path", "command")) if isinstance(inner, dict) else entry

    def judged(self, entry: Entry, member: Mapping[str, Any], command: Any, args: Any) -> Entry:
        """Return the entry with its kind; an extension's servers are no broken ones, but have no command here."""
        if command is None and entry.url is None and (member.get("source") == "extension" or "settings" in member):
            return replace(
                entry, kind="broken", problem="an extension of Zed starts it: there is no command here to put a guard before"
            )
        return super().judged(entry, member, command, args)


def nested(entry: Entry, inner: Mapping[str, Any], key: str, programs: tuple[str, ...]) -> Entry:
    """Return an entry whose command is in an object inside it, at `key`."""
    where = (*entry.path, key)
    program = first(inner, programs) or programs[0]
    argv, shape, problem = command_line(inner.get(program), inner.get("args"))
    has_env = inner.get("env") is not None
    fields = replace(
        entry.fields, command_path=(*where, program), args_path=(*where, "args") if inner.get("args") is not None else None,
        args_key=None if shape == "array" else (*where, "args"), env_path=(*where, "env") if has_env else entry.fields.env_path,
        env_key=(*where, "env"),
    )  # fmt: skip
    return replace(
        entry, kind="broken" if problem else "stdio", problem=problem, argv=argv, fields=fields,
        shape="array" if shape == "array" else "nested", env=texts(inner.get("env")) if has_env else entry.env,
    )  # fmt: skip


ZED = Zed()
