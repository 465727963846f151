"""Programs that fetch a package and start it (`npx`, `uvx`, `uv run`, `pipx run`), and the copy that one of them has fetched before.

In the sandbox they cannot do their work: npm 11 and uv 0.13 write to their caches even to start what is there, and a cache that a server
could write to would be every other server's code. So what they would start is found here and started in their place, with nothing of
their caches in reach but that one package. The same is done for the scripts that pyenv and its like put in the place of programs, which are
no more than a slow way to find a version.
"""

from __future__ import annotations

import json
import os

from stdioguard.sandbox.fetcher_options import NPM_VALUES, UV_VALUES, joined_options, last_value, npm_name, split_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_VERSION_FILES = {"goenv": ".go-version", "nodenv": ".node-version", "pyenv": ".python-version", "rbenv": ".ruby-version"}


class Direct:
    """What to start in the place of a command that fetches: another command, the folder to start it in, and why it is the same."""

    __slots__ = ("command", "cwd", "reason")

    def __init__(self, command: list[str], cwd: str, reason: str) -> None:
        self.command = command
        self.cwd = cwd
        self.reason = reason


def installed(fetcher: str, words: Sequence[str], cwd: str, environment: Mapping[str, str]) -> Direct | None:
    """Return what `fetcher` with the arguments `words` would start, if it has been fetched already; else `None`.

    `environment` is the guard's own: HOME and the variables that move caches.
    """
    words = list(words)
    if fetcher == "npm":
        return _npm(words[1:], cwd, environment) if words[:1] in (["exec"], ["x"]) else None
    if fetcher == "npx":
        return _npm(words, cwd, environment)
    if fetcher == "pipx":
        return _pipx(words[1:], cwd, environment) if words[:1] == ["run"] else None
    options, rest = ({}, ["tool", "run", *words]) if fetcher == "uvx" else split_options(words, UV_VALUES)
    if rest[:1] == ["run"]:
        more, rest = split_options(rest[1:], UV_VALUES)
        return _uv_run(joined_options(options, more), rest, cwd, environment)
    if rest[:2] == ["tool", "run"]:
        more, rest = split_options(rest[2:], UV_VALUES)
        return _uv_tool(joined_options(options, more), rest, cwd, environment)
    return None


def chosen(shim: str, words: Sequence[str], cwd: str, environment: Mapping[str, str]) -> Direct | None:
    """Return what a shim of pyenv (or nodenv, rbenv, goenv) would start, from its real path and arguments; `None` if that is not clear."""
    folder, name = os.path.split(shim)
    root = os.path.dirname(folder)
    manager = next((entry for entry in _names(os.path.join(root, "libexec")) if entry in _VERSION_FILES), "")
    if not manager or os.path.basename(folder) != "shims":
        return None
    for version in _versions(environment.get(f"{manager.upper()}_VERSION", ""), _VERSION_FILES[manager], cwd, root):
        path = os.path.join(root, "versions", version, "bin", name)
        if _is_program(path):
            return Direct([path, *words], cwd, f"{manager}'s shim is not run: it would start {path}")
    return None


def _versions(variable: str, file: str, cwd: str, root: str) -> list[str]:
    """Return the versions that are asked for: by a variable, else by the nearest file above the working directory, else globally."""
    folder = os.path.abspath(cwd)
    text = variable.replace(":", "\n") or _text(os.path.join(folder, file))
    while not text and folder != "/":
        folder = os.path.dirname(folder)
        text = _text(os.path.join(folder, file))
    installed_here = _names(os.path.join(root, "versions"))
    found = []
    for word in (text or _text(os.path.join(root, "version"))).split():
        name = word.removeprefix("python-")
        near = [version for version in installed_here if version.startswith(f"{name}.") and version.replace(".", "").isdigit()]
        latest = sorted(near, key=lambda version: [int(part) for part in version.split(".")])[-1:]
        found += [name] if name in installed_here else latest
    return found


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096)
    except OSError:
        return ""


def advice(fetcher: str, words: Sequence[str]) -> str:
    """Return what a person can do about a package that has not been fetched."""
    command = " ".join([fetcher, *words[:6]])
    return f"{fetcher} fetches packages when it starts, which it cannot do in the sandbox: run it once yourself, to have them ({command})"


def _folder(environment: Mapping[str, str], variable: str, *default: str) -> str:
    """Return a folder that a variable moves; `default` is below HOME, or, as `XDG_...`, below that variable's folder if it is set."""
    value = environment.get(variable, "")
    if value.startswith("/"):
        return value
    home = environment.get("HOME") or os.path.expanduser("~")
    if default[0].startswith("XDG_"):
        base = environment.get(default[0], "")
        return os.path.join(base if base.startswith("/") else os.path.join(home, default[1]), *default[2:])
    return os.path.join(home, *default)


def _newest(paths: Sequence[str]) -> list[str]:
    def age(path: str) -> float:
        try:
            return -os.stat(path).st_mtime
        except OSError:
            return 0.0

    return sorted(paths, key=age)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


# npm


def _npm(words: list[str], cwd: str, environment: Mapping[str, str]) -> Direct | None:
    options, rest = split_options(words, NPM_VALUES | {"-p", "--package"})
    if rest[:1] == ["--"]:
        rest = rest[1:]
    wanted = options.get("-p", []) + options.get("--package", [])
    if not rest or "-c" in options or "--call" in options:
        return None
    specs = wanted or rest[:1]
    if any(npm_name(spec)[0] == "" for spec in specs):
        return None  # a folder, an archive or a repository
    cache = (
        last_value(options, "--cache") or environment.get("npm_config_cache") or _folder(environment, "NPM_CONFIG_CACHE", ".npm")
    )
    name, version = npm_name(specs[0])
    for folder in _npm_folders(os.path.join(cwd, cache, "_npx"), specs, cwd, environment):
        manifest = _json(os.path.join(folder, "node_modules", name, "package.json"))
        if version not in ("", "latest", manifest.get("version")) and len(specs) == 1:
            continue
        command = rest[0] if wanted else _npm_command(manifest, name)
        path = os.path.join(folder, "node_modules", ".bin", command)
        if command and os.path.sep not in command and _is_program(path):
            found = f"{name} {manifest.get('version', '')}".strip()
            return Direct(
                [path, *rest[1:]], cwd, f"npx is not run: it would start {path}, the copy of {found} that it has installed"
            )
    return None


def _npm_folders(cache: str, specs: Sequence[str], cwd: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the folders whose `node_modules` may hold the packages, npx's own installs first.

    npx itself looks in the working directory first; but that is often somebody else's repository, and what it brings along would
    run with the grants of the server that was meant.
    """
    same = {tuple(sorted(specs)), tuple(sorted(spec.removesuffix("@latest") for spec in specs))}
    for name in _names(cache):
        manifest = _json(os.path.join(cache, name, "package.json"))
        kept = manifest.get("_npx")
        packages = kept.get("packages") if isinstance(kept, dict) else None
        if not isinstance(packages, list) or not all(isinstance(package, str) for package in packages):
            dependencies = manifest.get("dependencies")  # npm 9 and older do not write the list
            packages = list(dependencies) if isinstance(dependencies, dict) else []
        if tuple(sorted(package.removesuffix("@latest") for package in packages)) in same or tuple(sorted(packages)) in same:
            yield os.path.join(cache, name)
    folder, home = os.path.abspath(cwd), environment.get("HOME") or os.path.expanduser("~")
    while folder not in ("/", home):
        if os.path.isdir(os.path.join(folder, "node_modules")):
            yield folder
        folder = os.path.dirname(folder)


def _npm_command(manifest: Mapping[str, object], name: str) -> str:
    """Return which of a package's programs npx starts (libnpmexec, get-bin-from-manifest.js)."""
    programs, plain = manifest.get("bin"), name.rpartition("/")[2]
    if isinstance(programs, str):
        return plain
    if not isinstance(programs, dict):
        return ""
    if len(set(programs.values())) == 1:
        return str(next(iter(programs)))
    return plain if plain in programs else ""


def _json(path: str) -> dict[str, object]:
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read(1 << 20))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


# uv and pipx


def _uv_tool(options: dict[str, list[str]], rest: list[str], cwd: str, environment: Mapping[str, str]) -> Direct | None:
    if not rest:
        return None
    command, _, asked = rest[0].partition("@")
    source = last_value(options, "--from") or (f"{command}=={asked}" if asked not in ("", "latest") else command)
    command = command.partition("[")[0]
    needs = [source, *(name for value in options.get("--with", []) for name in value.split(","))]
    if "/" in command or {"--with-editable", "--with-requirements", "--directory", "-w"} & options.keys():
        return None
    if source == command and len(needs) == 1 and not options.get("--python") and not options.get("-p"):
        tool = os.path.join(_folder(environment, "UV_TOOL_DIR", "XDG_DATA_HOME", ".local/share", "uv", "tools"), _plain(command))
        path = os.path.join(tool, "bin", command)
        if _is_program(path):
            return Direct([path, *rest[1:]], cwd, f"uvx is not run: it would start {path}, which `uv tool install` has installed")
    for folder in _uv_environments(options, environment):
        path = os.path.join(folder, "bin", command)
        if _is_program(path) and _has(folder, needs, last_value(options, "--python", "-p")):
            return Direct([path, *rest[1:]], cwd, f"uvx is not run: it would start {path}, which it has installed")
    return None


def _uv_environments(options: dict[str, list[str]], environment: Mapping[str, str]) -> list[str]:
    """Return the environments that uv keeps for commands, the newest first. Those of `uvx` are links into its archive."""
    cache = last_value(options, "--cache-dir") or _folder(environment, "UV_CACHE_DIR", "XDG_CACHE_HOME", ".cache", "uv")
    kept = os.path.join(cache, "environments-v2")
    found = [os.path.join(kept, one, other) for one in _names(kept) for other in _names(os.path.join(kept, one))]
    return _newest([os.path.realpath(path) for path in found if os.path.exists(os.path.join(path, "pyvenv.cfg"))])


def _has(folder: str, needs: Sequence[str], python: str) -> bool:
    """Tell whether an environment holds every package that is needed, in the version if one is named, for that Python."""
    versions = [name.removeprefix("python") for name in _names(os.path.join(folder, "lib")) if name.startswith("python")]
    if not versions or (python and not python.startswith("/") and python.removeprefix("python") not in (versions[0], "3")):
        return False
    packages = os.path.join(folder, "lib", f"python{versions[0]}", "site-packages")
    held: dict[str, str] = {}
    for entry in _names(packages):
        if entry.endswith(".dist-info"):
            name, _, version = entry.removesuffix(".dist-info").rpartition("-")
            held[_plain(name)] = version
    return all(_holds(packages, held, need.strip()) for need in needs)


def _holds(packages: str, held: Mapping[str, str], need: str) -> bool:
    if "://" in need:
        url = need.partition(" @ ")[2] or need
        return any(_comes_from(os.path.join(packages, entry), url) for entry in _names(packages) if entry.endswith(".dist-info"))
    name, equals, version = need.partition("==")
    name = name.partition("[")[0]
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return False  # a range of versions, a marker, a path
    return _plain(name) in held and (not equals or held[_plain(name)] == version)


def _comes_from(folder: str, url: str) -> bool:
    """Tell whether a package was installed from `url` (direct_url.json, PEP 610), the revision included."""
    origin = _json(os.path.join(folder, "direct_url.json"))
    address = url.removeprefix("git+").partition("#")[0]
    scheme, _, path = address.partition("://")
    path, _, revision = path.partition("@") if "@" in path.partition("/")[2] else (path, "", "")
    version = origin.get("vcs_info")
    asked = version.get("requested_revision", "") if isinstance(version, dict) else ""
    return origin.get("url") == f"{scheme}://{path}" and asked == revision


def _plain(name: str) -> str:
    """Return the normal form of a package's name (PEP 503)."""
    words = name.lower().replace("_", "-").replace(".", "-").split("-")
    return "-".join(word for word in words if word)


def _uv_run(options: dict[str, list[str]], rest: list[str], cwd: str, environment: Mapping[str, str]) -> Direct | None:
    module = last_value(options, "-m", "--module")
    if (not rest and not module) or {
        "--with-editable",
        "--with-requirements",
        "--isolated",
        "--no-project",
        "-w",
    } & options.keys():
        return None
    start = os.path.join(cwd, last_value(options, "--directory"))
    start = os.path.normpath(start)
    if last_value(options, "--with"):
        return _uv_with(options, rest, start, environment) if rest else None
    script = os.path.join(start, rest[0]) if rest and rest[0].endswith(".py") else ""
    if script and _has_own_requirements(script):
        name = os.path.basename(script).removesuffix(".py")
        kept = os.path.join(_folder(environment, "UV_CACHE_DIR", "XDG_CACHE_HOME", ".cache", "uv"), "environments-v2")
        found = [os.path.join(kept, entry) for entry in _names(kept) if entry.rpartition("-")[0] == name]
        pythons = [path for path in (os.path.join(folder, "bin", "python") for folder in found) if _is_program(path)]
        reason = "uv is not run: it would start the script with the environment that it has made for it"
        return Direct([pythons[0], *rest], start, reason) if len(pythons) == 1 else None
    project = os.path.normpath(os.path.join(start, last_value(options, "--project")))
    while not os.path.exists(os.path.join(project, "pyproject.toml")):
        if project == "/":
            return None
        project = os.path.dirname(project)
    own = os.path.join(project, environment.get("UV_PROJECT_ENVIRONMENT") or ".venv", "bin")
    python = os.path.join(own, "python")
    reason = f"uv is not run: it would start this in the environment that it has made for {project}"
    if module:
        return Direct([python, "-m", module, *rest], start, reason) if _is_program(python) else None
    if script or rest[0] in ("python", "python3"):
        return Direct([python, *(rest if script else rest[1:])], start, reason) if _is_program(python) else None
    path = os.path.join(own, rest[0])
    return Direct([path, *rest[1:]], start, reason) if "/" not in rest[0] and _is_program(path) else None


def _uv_with(options: dict[str, list[str]], rest: list[str], start: str, environment: Mapping[str, str]) -> Direct | None:
    """Find the environment of `uv run --with PACKAGE`, which holds these packages only, outside of a project."""
    needs = [name for value in options.get("--with", []) for name in value.split(",")]
    for folder in _uv_environments(options, environment):
        python = os.path.join(folder, "bin", "python")
        words = [python, *rest] if rest[0].endswith(".py") else [os.path.join(folder, "bin", rest[0]), *rest[1:]]
        if _is_program(words[0]) and _has(folder, needs, last_value(options, "--python", "-p")):
            return Direct(words, start, f"uv is not run: it would start {words[0]}, which it has installed")
    return None


def _has_own_requirements(script: str) -> bool:
    """Tell whether a script says itself what it needs (inline script metadata, PEP 723)."""
    try:
        with open(script, "rb") as file:
            return b"\n# /// script" in b"\n" + file.read(1 << 16)
    except OSError:
        return False


def _pipx(words: list[str], cwd: str, environment: Mapping[str, str]) -> Direct | None:
    options, rest = split_options(words, frozenset({"--python", "--pip-args", "--index-url", "--with"}))
    if not rest or "--spec" in options or "=" in rest[0] or "/" in rest[0]:
        return None
    for default in (("XDG_DATA_HOME", ".local/share", "pipx"), (".local/pipx",)):
        folder = os.path.join(_folder(environment, "PIPX_HOME", *default), "venvs", _plain(rest[0]))
        path = os.path.join(folder, "bin", rest[0])
        if _is_program(path):
            return Direct([path, *rest[1:]], cwd, f"pipx is not run: it would start {path}, which it has installed")
    return None
