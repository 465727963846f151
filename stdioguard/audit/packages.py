"""Which packages a server's command line brings in: the server's own, and those that are loaded beside it."""

from __future__ import annotations

import functools
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stdioguard.installs.launchers import npm, python
from stdioguard.installs.launchers.started import plain_name

if TYPE_CHECKING:
    from stdioguard.audit.interface import EntryView
    from stdioguard.installs.commands import Started
    from stdioguard.installs.formats.document import Path

_LARGEST = 1 << 20
"""Bytes of a package's manifest that are read."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package of one registry, as a command line asks for it."""

    ecosystem: str
    """`npm`, `pypi`, `oci`, `nuget`, `deno` or `go`."""
    name: str
    version: str | None
    """The version, range, tag or digest that is asked for."""
    source: str
    """As in `Started`: `registry`, `git`, `url`, `path` or `installed`."""
    is_pinned: bool
    spec: str
    """The package as it is written."""
    path: Path
    """The way to the word that asks for it."""


def of(view: EntryView) -> list[Package]:
    """Return the packages of an entry, the server's own first."""
    if "packages" not in view.memory:
        view.memory["packages"] = _of(view) if view.entry.kind == "stdio" else []
    return list(view.memory["packages"])


def _of(view: EntryView) -> list[Package]:
    started = view.started
    found = []
    if started.ecosystem in ("npm", "pypi", "oci", "nuget", "deno", "go") and started.source != "project":
        found.append(_package(started, view.word(started.index) if started.index is not None else _place(view, started.spec)))
    for written in started.also:
        if written.endswith(".txt"):
            continue  # a list of requirements
        registry, _, spec = written.partition(":") if written.startswith(("npm:", "pypi:")) else ("", "", written)
        of_python = registry == "pypi" or (
            not registry and (started.ecosystem == "pypi" or plain_name(started.program) in ("uv", "uvx", "pipx"))
        )
        other = python.package(spec, ()) if of_python else npm.package(spec, ())
        if other.ecosystem != "opaque":
            found.append(_package(other, _place(view, spec)))
    return found


def _package(started: Started, path: Path) -> Package:
    return Package(
        started.ecosystem, started.name, started.version, started.source, started.is_pinned, started.spec or started.name, path
    )


def _place(view: EntryView, spec: str) -> Path:
    index = next((index for index, word in enumerate(view.argv) if spec in re.split(r"[=,]", word) or word == spec), None)
    if index is None and spec:
        index = next((index for index, word in enumerate(view.argv) if spec in word), None)  # a shell's line
    return view.word(index)


def installed_version(view: EntryView, package: Package) -> str | None:
    """Return the version of a package of npm's whose file below a `node_modules` the entry starts; only of what is on this machine."""
    manifest = manifest_of(view, package)
    version = json_of(manifest).get("version") if manifest else None
    return version if isinstance(version, str) else None


def manifest_of(view: EntryView, package: Package) -> str:
    """Return the path of an installed package's `package.json`; empty where it is not on this machine."""
    marker = f"/node_modules/{package.name}/"
    text = package.spec.replace("\\", "/")
    if not view.machine.is_here or package.source != "installed" or package.ecosystem != "npm" or marker not in text:
        return ""
    folder = text[: text.rindex(marker) + len(marker)]
    return os.path.join(folder, "package.json") if os.path.isabs(folder) else ""


@functools.lru_cache(maxsize=256)
def json_of(path: str) -> dict[str, object]:
    """Return what a manifest says, or nothing where it is no regular file of a common size with an object in it."""
    try:
        # A FIFO would keep the audit waiting for its other end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except (OSError, ValueError):
        return {}
    try:
        data = os.read(descriptor, _LARGEST)
        value = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return {}
    finally:
        os.close(descriptor)
    return value if isinstance(value, dict) else {}
