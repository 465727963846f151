"""Grants that would give away more than they say: all of the home folder, a parent of something protected, another name of it."""

from __future__ import annotations

import os

from stdioguard.sandbox import patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stdioguard.sandbox.plan import Plan


class GrantRefused(Exception):  # noqa: N818 - a decision, shown to the user
    """A grant that will not be given, with what to do, in one line."""


def links_on(path: str) -> dict[str, str]:
    """Return the symbolic links that are met on the way to an absolute path, and their targets."""
    links: dict[str, str] = {}
    parts = [part for part in os.path.normpath(path).split("/") if part]
    at = ""
    steps = 0
    while parts and steps < 80:
        steps += 1
        here = f"{at}/{parts.pop(0)}"
        try:
            target = os.readlink(here)
        except OSError:
            at = here
            continue
        links[here] = target
        joined = os.path.normpath(os.path.join(at or "/", target, *parts))
        parts = [part for part in joined.split("/") if part]
        at = ""
    return links


def check_links(links: Mapping[str, str], writable: Sequence[str]) -> None:
    """Refuse to follow a link that a session before may have made: it would widen the next one's grants. Raises `GrantRefused`.

    `links` are those by which grants were named, with their targets; `writable` are the folders that the server may change.
    """
    for link, target in links.items():
        above = os.path.realpath(os.path.dirname(link))
        folder = next((folder for folder in writable if _is_below(above, folder)), None)
        if folder is not None:
            raise GrantRefused(
                f"a grant goes by the link {link} (to {target}), and the server may change links in {folder}: grant what it leads to"
            )


def hidden(plan: Plan, files: Sequence[str]) -> list[str]:
    """Return those of `files`, canonical paths, that a grant would show. Raises `GrantRefused` for one among the runtime's own files."""
    for file in files:
        folder = next((folder for folder in plan.runtime if _is_below(file, folder)), None)
        if folder is not None:
            raise GrantRefused(f"{file} is in {folder}, which the server needs to run; keep it elsewhere")
        folder = next((folder for folder in plan.private() if _is_below(file, folder)), None)
        if folder is not None:
            raise GrantRefused(f"{file} is in {folder}, which is the server's own; keep it elsewhere")
    shown = [file for file in files if any(_is_below(file, folder) for folder in (*plan.read, *plan.write))]
    return [*shown, *(f"{file}.*" for file in shown)]  # and what is written beside it, to take its place


def check(plan: Plan, *, home: str, own: Sequence[str]) -> None:
    """Refuse the grants of `plan.read` and `plan.write` that give more than they say. Raises `GrantRefused`.

    `home` is the user's own folder, `own` are stdioguard's places; both canonical.
    """
    if not plan.read and not plan.write:
        return
    anchors = [patterns.literal_part(pattern) for pattern in plan.protected if pattern.startswith("/")]
    whole = {"/": "the whole file system", home: "your home folder", **dict.fromkeys(own, "stdioguard's own folder")}
    inodes: dict[tuple[int, int], str] = {}
    for folder in dict.fromkeys(above for path in (*whole, *anchors) for above in _upwards(path)):
        identity = _identity(folder)
        if identity is not None:
            inodes.setdefault(identity, folder)
    for kind, grants in (("read", plan.read), ("write", plan.write)):
        for grant in grants:
            what = f"[sandbox] {kind} grants {grant}"
            problem = _problem(kind, grant, whole, anchors, own)
            identity = _identity(grant)
            alias = inodes.get(identity, grant) if identity is not None else grant
            if problem is None and alias != grant:
                problem = f"another name of {alias}: grant the folders in it that the server needs"
            if problem is not None:
                raise GrantRefused(f"{what}, {problem}")


def _problem(kind: str, grant: str, whole: dict[str, str], anchors: list[str], own: Sequence[str]) -> str | None:
    for path, name in whole.items():
        if _is_below(path, grant):
            thing = f"which is {name}" if path == grant else f"a parent of {name} ({path})"
            return f"{thing}: grant the folders in it that the server needs"
    for path in own:
        if _is_below(grant, path):
            return f"which is inside stdioguard's own folder {path}: use ${{STATE}}, ${{CACHE}} or ${{TMP}}"
    for path in anchors:
        if grant != path and _is_below(path, grant):
            return f"a parent of {path}, which is protected: grant the folders in it that the server needs"
        if kind == "write" and _is_below(grant, path):
            return "which is protected, since a program of yours obeys what is written there: grant it for reading only"
    return None


def _upwards(path: str) -> list[str]:
    found = [path]
    while path != "/":
        path = os.path.dirname(path)
        found.append(path)
    return found


def _is_below(path: str, folder: str) -> bool:
    return folder in (path, "/") or path.startswith(folder + "/")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
