"""Where the code of a command for Node, Bun, Deno or a shell is: the packages that its script is part of, or the project.

A module is looked for in `node_modules` of the script's own folder and of each above, after links have been followed (Node's documentation,
"Loading from node_modules folders"); so the folders that count are those above the real file.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.permissions import Resolved
    from stdioguard.sandbox.runtime import Collector

_MAX_TEXT = 1 << 16
_PACKAGES = "the packages that the script is part of"
_LINKED = "a package that is linked to"


def collect(collector: Collector, resolved: Resolved) -> None:
    """Take what such a command needs. Raises `PermissionRefused`."""
    if resolved.kind == "sh":
        for script in resolved.scripts:
            collector.add_script(script.path, alone=True)
            _look_into_shell_script(collector, script.path)
        return
    if not _add_node(collector, resolved.executable.realpath):
        collector.add_libraries(resolved.executable)
    for script in resolved.scripts:
        _add_code(collector, script.path)
    if resolved.kind == "deno":
        cache = collector.environment.get("DENO_DIR") or os.path.join(collector.home, ".cache", "deno")
        # Not all of it: location_data is what scripts have stored.
        for name in ("deps", "gen", "npm", "registries", "remote"):
            collector.add(os.path.join(cache, name), "code that Deno has fetched", quiet=True)


def _add_node(collector: Collector, program: str) -> bool:
    """Take Node's own folder if it has one (nvm, fnm, an archive), with npm and what is installed globally."""
    prefix = os.path.dirname(os.path.dirname(program))
    return os.path.exists(os.path.join(prefix, "include", "node")) and collector.add_installation(program, "Node's own files")


def _look_into_shell_script(collector: Collector, path: str) -> None:
    """Take what a package's stand-in starts: pnpm writes shell scripts with `"$basedir/../package/index.js"`."""
    text = _text(path)
    if "$basedir/" not in text:
        return
    folder = os.path.dirname(os.path.realpath(path))
    for piece in text.split('"$basedir/')[1:]:
        target = os.path.normpath(os.path.join(folder, piece.partition('"')[0]))
        if os.path.isfile(target) and os.path.basename(target) != "node":
            _add_code(collector, target)
    for place in collector.environment.get("PATH", "").split(":"):
        program = os.path.join(place, "node")
        if place.startswith("/") and os.path.isfile(program) and os.access(program, os.X_OK):
            if collector.add(program, "Node, which the script starts"):
                _add_node(collector, os.path.realpath(program))
            return


def _add_code(collector: Collector, path: str) -> None:
    """Take the packages or the project that a script belongs to, and what is linked into them."""
    try:
        real, links, _ = collector.checker.seen(path)
    except OSError:
        return
    collector.add_links(links)
    if collector.has(os.path.dirname(real)):
        return
    above, found, _ = real.partition("/node_modules/")
    if found and "/.pnpm-store/" not in real:
        above = _linked_store(real) or f"{above}/node_modules"
        if collector.add(above, _PACKAGES):
            _add_linked(collector, above)
            return
    project = _project(collector, real)
    if not project or not collector.add(project, "the project that the script is part of"):
        collector.add_script(real)
        project = os.path.dirname(real)
    folder = project
    while folder not in ("/", collector.home, os.path.realpath(collector.home)):
        packages = os.path.join(folder, "node_modules")
        if os.path.isdir(packages):
            collector.add(packages, "the project's packages")
            _add_linked(collector, packages)
        folder = os.path.dirname(folder)
    if os.path.exists(os.path.join(project, ".pnp.cjs")):
        collector.add(
            os.path.join(collector.home, ".yarn", "berry", "cache"), "the project's packages, in Yarn's cache", quiet=True
        )


def _linked_store(real: str) -> str:
    """Return the store of packages that pnpm links from every project, if the script is in one (`enableGlobalVirtualStore`)."""
    store, found, _ = real.partition("/links/")
    return f"{store}/links" if found and os.path.basename(os.path.dirname(store)) == "store" else ""


def _project(collector: Collector, real: str) -> str:
    """Return the nearest folder above a file with a package.json that has a name; those without only say how a folder is read."""
    folder = os.path.dirname(real)
    while not collector.unfit(folder):
        if '"name"' in _text(os.path.join(folder, "package.json")) or os.path.exists(os.path.join(folder, "deno.json")):
            return folder
        folder = os.path.dirname(folder)
    return ""


def _add_linked(collector: Collector, packages: str, depth: int = 0) -> None:
    """Take the packages that are links to other places: workspaces, `npm link`."""
    try:
        with os.scandir(packages) as entries:
            for entry in entries:
                if entry.is_symlink():
                    real = os.path.realpath(entry.path)
                    if entry.name[0] != "." and os.path.isdir(real) and not collector.has(real):
                        collector.add(entry.path, f"{_LINKED} ({entry.name})")
                elif entry.name[0] == "@" and depth == 0:
                    _add_linked(collector, entry.path, 1)
    except OSError:
        return


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_TEXT)
    except OSError:
        return ""
