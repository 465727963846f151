"""Which processes are MCP servers, and which of them are behind a guard: what rules about running servers share.

A process is known by its command line: that of an entry, as it is written or as an interpreter was given it, or a package that calls
itself an MCP server below a client. What this user may not see is not there.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stdioguard.installs import commands, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import EntryView
    from stdioguard.audit.machine import Machine, Process
    from stdioguard.installs.commands import Started

INITS = frozenset(
    {"systemd", "init", "launchd", "tini", "dumb-init", "docker-init", "catatonit", "s6-svscan", "runit", "openrc-init"}
)
"""Programs that adopt processes whose parent has ended."""

_CLIENTS = re.compile(
    r"(claude|cursor|code|code-insiders|codium|windsurf|codex|gemini|qwen|zed|zed-editor|goose|goosed|opencode|crush|kiro|kiro-cli|amp|"
    r"lm-studio|copilot|trae|warp|junie|continue|cline|antigravity)([ .-].*)?",
    re.IGNORECASE,
)
_SAYS_MCP = re.compile(r"(^|[-_/@.])mcp([-_/.]|$)|modelcontextprotocol", re.IGNORECASE)


@dataclass(frozen=True)
class Running:
    """A server that is running."""

    process: Process
    view: EntryView | None
    """The entry whose command line it has; `None` for one that is in no configuration that was looked at."""
    is_guarded: bool
    started: Started


def servers(report: Report) -> list[Running]:
    """Return the servers that are running, each once: of a launcher and what it has started, the launcher."""
    machine = report.machine
    if machine is None or not machine.is_here:
        return []
    views = [view for config in report.configs for view in config.entries if view.entry.kind == "stdio" and len(view.argv) > 1]
    by_last: dict[str, list[EntryView]] = {}
    for one in views:
        by_last.setdefault(one.argv[-1], []).append(one)
    found: dict[int, Running] = {}
    for process in machine.processes().values():
        if wrapped.read(process.argv) is not None:
            continue  # the guard itself
        view = next((view for view in by_last.get(process.argv[-1], ()) if is_same(process.argv, view.argv)), None)
        started = view.started if view is not None else commands.recognise(process.argv)
        if view is None and not _is_by_itself(machine, process, started):
            continue
        found[process.pid] = Running(process, view, _is_guarded(machine, process), started)
    return [one for one in found.values() if not any(above.pid in found for above in ancestors(machine, one.process))]


def is_same(running: tuple[str, ...], words: list[str]) -> bool:
    """Tell whether a process has an entry's command line: itself, or with an interpreter that the kernel has put before it."""
    for skipped in (0, 1):
        rest = running[skipped:]
        if len(rest) == len(words) and list(rest[1:]) == words[1:] and os.path.basename(rest[0]) == os.path.basename(words[0]):
            return True
    return False


def ancestors(machine: Machine, process: Process) -> Iterator[Process]:
    """Yield the parent, its parent and so on."""
    known = machine.processes()
    seen = {process.pid}
    parent = known.get(process.parent)
    while parent is not None and parent.pid not in seen:
        seen.add(parent.pid)
        yield parent
        parent = known.get(parent.parent)


def family(machine: Machine, process: Process) -> list[Process]:
    """Return a process and all that it has started, directly or not."""
    found, todo = [process], {process.pid}
    children: dict[int, list[Process]] = {}
    for one in machine.processes().values():
        children.setdefault(one.parent, []).append(one)
    queue = [process.pid]
    while queue:
        for child in children.get(queue.pop(), ()):
            if child.pid not in todo:
                todo.add(child.pid)
                queue.append(child.pid)
                found.append(child)
    return found


def _is_guarded(machine: Machine, process: Process) -> bool:
    return any(wrapped.read(above.argv) is not None for above in ancestors(machine, process))


def _is_by_itself(machine: Machine, process: Process, started: Started) -> bool:
    """Tell whether it is a server of a client that no configuration names: a package that says so, right below a client."""
    if started.ecosystem not in ("npm", "pypi") or not _SAYS_MCP.search(started.name):
        return False
    parent = machine.processes().get(process.parent)
    return parent is not None and _CLIENTS.fullmatch(parent.name) is not None
