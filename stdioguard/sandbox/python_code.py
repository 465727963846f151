"""Where a Python command's code is: its environment, the installation below that, what the environment's files add, and the script.

It follows what Python does at start (Modules/getpath.py, Lib/site.py), by reading names and text only: nothing is imported, and a line of
code in a `.pth` file is searched for paths, not run.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.permissions import Resolved
    from stdioguard.sandbox.runtime import Collector

_MAX_TEXT = 1 << 15  # a larger buffer would be mapped anew for each file
_ENDINGS = ("", ".py", ".pyc", ".abi3.so")
_OURS = "Python's own files"
_NAMED = "code that the Python environment names"


def collect(collector: Collector, resolved: Resolved) -> None:
    """Take what a Python command needs. Raises `PermissionRefused`."""
    program, real = resolved.executable.path, resolved.executable.realpath
    venv, settings = _environment(program)
    bases = [os.path.dirname(os.path.dirname(real))]
    if venv:
        if not collector.add(venv, "the command's Python environment", quiet=True):
            _add_parts(collector, venv, real)
        home = settings.get("home", "")
        # The interpreter is a link to the one that the environment was made with, or, made with --copies, a copy of it.
        if home.startswith("/"):
            bases = [os.path.dirname(home), *(base for base in bases if base != collector.real(venv))]
    for base in bases:
        if not collector.has(collector.real(base)) and not collector.add(base, _OURS, quiet=True):
            _add_parts(collector, base, real)
            collector.add_libraries(resolved.executable)
    version = _version([venv, *bases] if venv else bases, real)
    is_closed = bool(venv) and settings.get("include-system-site-packages", "false").lower() != "true"
    sites = [path for root in ([venv] if venv else []) + ([] if is_closed else bases) for path in _sites(root, version)]
    named = [path for site in sites for path in _named(collector, site)]
    if not is_closed and not set("Is") & set(resolved.flags):
        named += _own_packages(collector, resolved, version, [*sites, *named])
    search = [*sites, *named, *(os.path.join(base, "lib", f"python{version}") for base in bases)]
    _add_start(collector, resolved, search)


def _environment(program: str) -> tuple[str, dict[str, str]]:
    """Return the virtual environment that an interpreter's name belongs to, and its settings; empty if to none."""
    folder = os.path.dirname(program)
    for place in (folder, os.path.dirname(folder)):
        text = _text(os.path.join(place, "pyvenv.cfg"))
        if text:
            pairs = (line.partition("=") for line in text.splitlines())
            return os.path.dirname(folder), {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}
    return "", {}


def _add_parts(collector: Collector, prefix: str, program: str) -> None:
    """Take of an installation in a folder that holds other things (`--prefix=$HOME`) what Python has put there."""
    collector.add(program, "the Python interpreter", quiet=True)
    for name in ("lib", "lib64"):
        folder = os.path.join(prefix, name)
        for entry in _names(folder):
            if entry.startswith(("python3", "libpython3", "pypy3", "libpypy3")):
                collector.add(os.path.join(folder, entry), _OURS)


def _version(prefixes: list[str], program: str) -> str:
    """Return an interpreter's version, `3.12`, from its name or from the folders that it would look for."""
    name = os.path.basename(program).removeprefix("python")
    if name[:1].isdigit() and "." in name:
        return name
    for prefix in prefixes:
        for entry in _names(os.path.join(prefix, "lib")):
            if entry.startswith("python3."):
                return entry.removeprefix("python")
    return ""


def _sites(prefix: str, version: str) -> list[str]:
    """Return the folders of installed packages that there are; Debian's own Python has others (Lib/site.py there)."""
    places = [f"{prefix}/lib/python{version}/site-packages", f"{prefix}/lib64/python{version}/site-packages"]
    if prefix == "/usr":
        places += [f"/usr/local/lib/python{version}/dist-packages", "/usr/lib/python3/dist-packages"]
    return [path for i, path in enumerate(places) if os.path.isdir(path) and os.path.realpath(path) not in places[:i]]


def _own_packages(collector: Collector, resolved: Resolved, version: str, search: list[str]) -> list[str]:
    """Take the user's own packages (`pip install --user`) if the command is one of them, and return their folders."""
    for root, below in (
        (f"{collector.home}/.local", f"lib/python{version}/site-packages"),
        (f"{collector.home}/Library/Python/{version}", "lib/python/site-packages"),
    ):
        site = os.path.join(root, below)
        script = resolved.script
        is_used = script is not None and os.path.dirname(script.path) == os.path.join(root, "bin")
        if resolved.module:
            is_used = _holds(site, resolved.module) and not any(_holds(place, resolved.module) for place in search)
        if is_used and collector.add(site, "the user's own Python packages"):
            collector.set_variable("PYTHONUSERBASE", root)
            return [site, *_named(collector, site)]
    return []


def _named(collector: Collector, site: str) -> list[str]:
    """Take the folders that the files of a packages' folder add to the search path, and the sources of editable installs.

    Returns those that are searched. A package that is a link (`flit install --symlink`, uv's link mode) counts too.
    """
    found: list[str] = []
    unclear = False
    names = []
    try:
        with os.scandir(site) as entries:
            for entry in entries:
                names.append(entry.name)
                if entry.is_symlink() and not collector.has(os.path.realpath(entry.path)):
                    collector.add(entry.path, f"{_NAMED} ({entry.name})")
    except OSError:
        return []
    for name in sorted(name for name in names if name.endswith(".pth")):
        for line in _text(os.path.join(site, name)).splitlines():
            line = line.strip()  # noqa: PLW2901
            if not line or line.startswith("#"):
                continue
            if not line.startswith(("import ", "import\t")):
                found += _added(collector, [os.path.join(site, line)], name)
                continue
            if "'/" not in line and '"/' not in line and "editable" not in line:
                continue  # such as distutils-precedence.pth, which is in most environments
            from stdioguard.sandbox import editable  # noqa: PLC0415 - for environments with code in their files

            paths, is_clear = editable.paths(line, site)
            unclear = unclear or not is_clear
            for path in _added(collector, paths, name):
                found.append(path)
                if "addsitedir" in line and path != site:
                    found += _named(collector, path)
    if unclear:
        sources = [editable.source(os.path.join(site, name)) for name in names if name.endswith(".dist-info")]
        _added(collector, sources, "direct_url.json")
    return found


def _added(collector: Collector, paths: list[str], name: str) -> list[str]:
    taken = []
    for path in paths[:200]:
        if path.startswith("/") and os.path.exists(path):
            if not collector.has(os.path.realpath(path)):
                collector.add(path, f"{_NAMED} ({name})")
            taken.append(os.path.normpath(path))
    return taken


def _add_start(collector: Collector, resolved: Resolved, search: list[str]) -> None:
    """Take what Python puts first in its search path: the folder of the script, or with `-m` the working directory."""
    is_alone = bool(set("IP") & set(resolved.flags))
    for script in resolved.scripts:
        collector.add_script(script.path, alone=is_alone)
    if (
        not resolved.module
        or is_alone
        or not _holds(resolved.cwd, resolved.module)
        or collector.has(os.path.realpath(resolved.cwd))
    ):
        return
    if any(_holds(folder, resolved.module) for folder in search):
        collector.note(f"{resolved.cwd} has a module {resolved.module} too, which is not used: the installed one is")
    elif not collector.add(resolved.cwd, f"the folder of the module that is run ({resolved.module})"):
        top = os.path.join(resolved.cwd, resolved.module.partition(".")[0])
        for path in (top, f"{top}.py"):
            collector.add(path, f"the module that is run ({resolved.module})")


def _holds(folder: str, module: str) -> bool:
    """Tell whether a folder of the search path has a module's outermost package."""
    name = os.path.join(folder, module.partition(".")[0])
    return any(os.path.exists(name + ending) for ending in _ENDINGS)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _text(path: str) -> str:
    """Return the text of a small file, empty if there is none; a file object would take ten times as long, for each of them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.read(descriptor, _MAX_TEXT).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
