"""The version to pin an unpinned package to: that of the copy which the next start would use, as the fetcher's cache has it.

Nothing is asked of a registry. Where there is no copy, or it is not clear which one is started, nothing is offered: a version that
nobody here has run is no safer than none.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Fix
from stdioguard.installs import commands
from stdioguard.sandbox import fetchers

if TYPE_CHECKING:
    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import EntryView

RULES = ("unpinned-package", "mutable-version")
_FETCHERS = ("npx", "npm", "uvx", "uv", "pipx")
_EXACT = re.compile(r"[0-9]+(\.[0-9]+)+([-+.]?[0-9A-Za-z][0-9A-Za-z.+\-]*)?\Z")
_MAX_MANIFEST = 1 << 20


def offer(report: Report) -> None:
    """Give each finding about an unpinned package the fix that pins it, where its version is known here."""
    views = {(config.file, view.entry.path): view for config in report.configs for view in config.entries}
    by_name = {(file, view.entry.name): view for (file, _), view in views.items()}
    for number, finding in enumerate(report.findings):
        if finding.rule not in RULES or finding.fix is not None:
            continue
        view = by_name.get((finding.file, finding.entry))
        fix = _fix(view) if view is not None and view.entry.editable else None
        if fix is not None:
            report.findings[number] = replace(finding, fix=fix)


def _fix(view: EntryView) -> Fix | None:
    started = view.started
    index, document = started.index, view.config.listing.document
    if (
        index is None
        or document is None
        or started.opaque
        or started.also
        or started.registry
        or started.ecosystem not in ("npm", "pypi")
    ):
        return None
    version = _version(view)
    word = view.argv[index]
    if not version or not word.endswith(started.spec):
        return None
    option = word[: len(word) - len(started.spec)]
    spec = _pinned(started.name, started.spec, version, is_from=option.endswith("=") or _is_value(view.argv, index))
    now = [*view.argv[:index], option + spec, *view.argv[index + 1 :]]
    read = commands.recognise(now)
    if not read.is_pinned or (read.identity, read.version) != (started.identity, version):
        return None
    path = view.word(index)
    value = document.value
    for step in path:
        value = value[step]
    if value != word:
        return None  # the word is a piece of a longer text
    return Fix(f"pin it to {version}, which is what it starts here now", "edit", edits=((path, option + spec),))


def _is_value(argv: list[str], index: int) -> bool:
    return index > 0 and argv[index - 1] in ("--from", "--spec", "--with", "--package", "-p")


def _pinned(name: str, spec: str, version: str, *, is_from: bool) -> str:
    """Return a package's name with a version, in the way that its fetcher reads."""
    extras = re.search(r"\[[^\]]*\]", spec)
    written = re.match(r"@?[^@=<>~!\[\s]+", spec)
    base = (written[0] if written is not None else name) + (extras[0] if extras is not None else "")
    return f"{base}=={version}" if is_from and not spec.startswith("@") and not _is_npm(spec, name) else f"{base}@{version}"


def _is_npm(spec: str, name: str) -> bool:
    return name.startswith("@") or spec.startswith("@")


def _version(view: EntryView) -> str:
    """Return the version of the copy that the fetcher would start; empty where there is none."""
    started = view.started
    program = commands.plain_name(started.program)
    if program not in _FETCHERS or started.program not in view.argv:
        return ""
    home = view.config.listing.found.home
    environment = dict(home.environment) if home is not None else {}
    if home is None:
        environment = dict(view.machine.environment) if view.machine.is_here else {}
    environment |= {"HOME": home.path if home is not None else environment.get("HOME") or os.path.expanduser("~")}
    words = view.argv[view.argv.index(started.program) + 1 :]
    try:
        # From the root: what lies in a project's folder is somebody else's, and another start may be from elsewhere.
        direct = fetchers.installed(program, words, os.sep, environment)
    except (OSError, ValueError):
        return ""
    if direct is None:
        return ""
    version = _npm(direct.command[0], started.name) if started.ecosystem == "npm" else _pypi(direct.command[0], started.name)
    return version if _EXACT.match(version) else ""


def _npm(program: str, name: str) -> str:
    manifest = os.path.join(os.path.dirname(os.path.dirname(program)), name, "package.json")
    try:
        with open(manifest, "rb") as file:
            value = json.loads(file.read(_MAX_MANIFEST))
    except (OSError, ValueError, RecursionError):
        return ""
    version = value.get("version") if isinstance(value, dict) and value.get("name") == name else None
    return version if isinstance(version, str) else ""


def _pypi(program: str, name: str) -> str:
    environment = os.path.dirname(os.path.dirname(program))
    libraries = os.path.join(environment, "lib")
    try:
        packages = [
            entry
            for folder in os.listdir(libraries)
            for entry in os.listdir(os.path.join(libraries, folder, "site-packages"))
            if folder.startswith("python")
        ]
    except OSError:
        return ""
    for entry in packages:
        found, _, version = entry.removesuffix(".dist-info").rpartition("-")
        if entry.endswith(".dist-info") and commands.normal(found) == commands.normal(name):
            return version
    return ""
