"""Where this machine's clients keep their servers: homes, the files in them, projects, and what each file names.

Which files there are is `stdioguard.sandbox.clients`; this module turns that table into paths that exist. Whatever is wrong with a file is
part of its listing, in one line: one broken config must never hide the others.
"""

from __future__ import annotations

import fnmatch
import functools
import glob
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from stdioguard.guard.display import visible
from stdioguard.installs import bundles, dialects
from stdioguard.installs.dialects import claude_code, jetbrains
from stdioguard.sandbox import clients
from stdioguard.sandbox.protected import MOVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stdioguard.installs.entries import Entry, Level
    from stdioguard.installs.files import Snapshot
    from stdioguard.installs.formats.document import Document, Path

MAX_DEPTH = 10
MAX_FOLDERS = 50_000
SKIPPED = frozenset(
    {
        "node_modules", ".git", ".hg", ".svn", ".venv", "venv", "__pycache__", "site-packages", ".tox", ".nox", ".mypy_cache",
        ".ruff_cache", ".pytest_cache", ".cache", ".npm", ".cargo", ".rustup", ".gradle", ".m2", "target", "bower_components",
        ".terraform", ".next", ".yarn", ".pnpm-store", ".Trash", "Library", "AppData",
    }
)  # fmt: skip
"""Folders that no person keeps a project's settings in, and that are large."""


@dataclass(frozen=True)
class Home:
    """One person's home directory."""

    path: str
    user: str = ""
    uid: int | None = None
    gid: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The environment of the person's programs, if it is known: some variables move files."""


@dataclass(frozen=True)
class Found:
    """A file that a client reads servers from."""

    client: str
    path: str
    level: Level
    form: str
    """`json`, `jsonc`, `json5`, `toml`, `yaml` or `xml`; `mcpb` for an archive with a manifest in it."""

    key: str
    """The way to the servers in it, as in the table of clients; empty if it is to be guessed."""

    home: Home | None = None
    project: str = ""
    """The project's folder, for a project's file."""


@dataclass(frozen=True)
class Listing:
    """What one file names."""

    found: Found
    document: Document | None = None
    """The file's text and value; `None` if it cannot be read, or is never edited (XML)."""

    snapshot: Snapshot | None = None
    entries: list[Entry] = field(default_factory=list)
    problem: str = ""
    """Why nothing, or not everything, could be read: one line."""


@dataclass(frozen=True)
class Projects:
    """The project files below a folder."""

    files: list[Found]
    problem: str = ""
    """Why there may be more of them: one line."""


def homes() -> list[Home]:
    """Return this user's home; for root every person's, its own first."""
    own = _own_home()
    if os.name != "posix" or os.geteuid() != 0:
        return [own]
    import pwd  # noqa: PLC0415 - not on Windows

    found = [own]
    for person in pwd.getpwall():
        if (person.pw_uid == 0 or 500 <= person.pw_uid < 65534) and not _same(person.pw_dir, (home.path for home in found)):
            try:
                status = os.stat(person.pw_dir, follow_symlinks=True)
            except (OSError, ValueError):
                continue
            # A directory of somebody else's is no home: /, /var/empty, /nonexistent.
            if os.path.isdir(person.pw_dir) and status.st_uid == person.pw_uid:
                found.append(Home(person.pw_dir, person.pw_name, person.pw_uid, person.pw_gid))
    return found


def _own_home() -> Home:
    path = os.path.expanduser("~")
    if os.name != "posix":
        return Home(path, environment=os.environ)
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        person = pwd.getpwuid(os.geteuid())
    except KeyError:
        return Home(path, uid=os.geteuid(), gid=os.getegid(), environment=os.environ)
    return Home(path if path.startswith("/") else person.pw_dir, person.pw_name, person.pw_uid, person.pw_gid, os.environ)


def _same(path: str, others: Iterable[str]) -> bool:
    return any(os.path.realpath(path) == os.path.realpath(other) for other in others)


def config_files(home: Home, *, platform: str = clients.PLATFORM) -> Iterator[Found]:
    """Yield the files that are there of those which clients read for this person, administrators' files included."""
    seen: set[tuple[str, str]] = set()
    for config in clients.CLIENT_CONFIGS:
        for place in config.user[platform]:
            for pattern in _patterns(place, home, platform):
                for path in _existing(pattern):
                    if (os.path.realpath(path), config.key) not in seen:
                        seen.add((os.path.realpath(path), config.key))
                        yield Found(config.client, path, _level(place), _form(path, config.format), config.key, home)


def _patterns(place: str, home: Home, platform: str) -> list[str]:
    """Return where a place of the table is for this person: usually one pattern, more if a variable moves it."""
    if place.startswith("%"):
        variable, _, rest = place[1:].partition("%")
        usual = {
            "APPDATA": f"{home.path}/AppData/Roaming", "LOCALAPPDATA": f"{home.path}/AppData/Local",
            "PROGRAMFILES": "C:/Program Files", "PROGRAMDATA": "C:/ProgramData",
        }  # fmt: skip
        return [glob.escape(home.environment.get(variable) or usual[variable]) + rest]
    if os.path.isabs(place):
        return [place]
    found = [os.path.join(glob.escape(home.path), *place.split("/"))]
    for variable, default in MOVED.items():
        value = home.environment.get(variable, "")
        if os.path.isabs(value) and (place == default or place.startswith(default + "/")):
            found.append(glob.escape(value) + place[len(default) :])
    if place == ".claude.json" and os.path.isabs(home.environment.get("CLAUDE_CONFIG_DIR", "")):
        found.append(os.path.join(glob.escape(home.environment["CLAUDE_CONFIG_DIR"]), ".claude.json"))
    return found


def _existing(pattern: str) -> list[str]:
    """Return what is there for a pattern; a link that leads nowhere is there too, so that it is told of."""
    try:
        if glob.has_magic(pattern):
            return sorted(glob.glob(pattern, include_hidden=True))
        return [pattern] if os.path.lexists(pattern) else []
    except (OSError, ValueError):
        return []


def _level(place: str) -> Level:
    if place.startswith(("/", "%PROGRAMFILES%", "%PROGRAMDATA%")):
        return "managed"
    return "extension" if re.search(r"(Extensions|extensions|plugins)[/\-]", place) else "user"


def _form(path: str, usual: str) -> str:
    """Return a file's format: the client's, but a `.json` among YAML files is JSON."""
    return "json" if usual == "yaml" and path.endswith(".json") else usual


_FORMS = {
    ".json": "json", ".jsonc": "jsonc", ".json5": "json5", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".xml": "xml",
    ".code-workspace": "jsonc",
}  # fmt: skip


def given(path: str) -> Found:
    """Return how to read a file that a person names: as the client's whose file it looks like, else by guessing."""
    path = os.path.abspath(path)
    if bundles.is_bundle(path):
        return Found("Claude Desktop", path, "extension", "mcpb", "server.mcp_config")
    like = [(config, place) for config, place in _places() if _ends_like(path, place)]
    if like:
        # The longest says most: `.warp/.mcp.json` is Warp's, though `.mcp.json` is Claude Code's.
        config, _ = max(like, key=lambda one: len(one[1]))
        return Found(config.client, path, "given", _form(path, config.format), config.key)
    return Found("generic", path, "given", _FORMS.get(os.path.splitext(path)[1].lower(), "json"), "")


@functools.cache
def _places() -> list[tuple[clients.ClientConfig, tuple[str, ...]]]:
    """Return every place of the table on any platform, split into the names on the way."""
    found = {}
    for config in clients.CLIENT_CONFIGS:
        for place in (*config.project, *(one for places in config.user.values() for one in places)):
            found[id(config), place] = (config, tuple(place.rpartition("%")[2].strip("/").split("/")))
    return list(found.values())


def _ends_like(path: str, wanted: tuple[str, ...]) -> bool:
    if "*" not in wanted[-1] and not path.endswith(wanted[-1]):
        return False
    parts = PurePath(path).parts
    return len(parts) > len(wanted) and all(map(fnmatch.fnmatchcase, parts[-len(wanted) :], wanted))


def projects(root: str, *, depth: int = MAX_DEPTH, folders: int = MAX_FOLDERS) -> Projects:
    """Return the files below a folder that make clients start servers because somebody opens that project.

    Links to folders are not followed. Where the limits are reached `problem` says so.
    """
    starts: dict[str, list[tuple[clients.ClientConfig, str]]] = {}
    wild: list[tuple[clients.ClientConfig, str]] = []
    for config in clients.CLIENT_CONFIGS:
        for place in config.project:
            name = place.partition("/")[0]
            (wild if glob.has_magic(name) else starts.setdefault(name, [])).append((config, place))
    files: list[Found] = []
    seen: set[str] = set()
    problem = ""
    queue = [(os.path.abspath(root), 0)]
    count = 0
    while queue:
        folder, level = queue.pop()
        count += 1
        if count > folders:
            problem = f"more than {folders} folders below {root}: the rest was not looked at; name the folders one by one"
            break
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as error:
            if folder == os.path.abspath(root):
                problem = f"{root}: {error.strerror}"
            continue
        names = {entry.name for entry in entries}
        places = [one for name in names & starts.keys() for one in starts[name]]
        places += [(config, place) for config, place in wild if fnmatch.filter(names, place.partition("/")[0])]
        # A client's own folder is no project: what was found in `.warp` or `.opencode` from above is not found in it again.
        inner = [one for one in _of_project(folder, places) if one.path not in seen]
        seen.update(one.path for one in inner)
        files += inner
        inside = [entry for entry in entries if entry.name not in SKIPPED and _is_folder(entry)]
        if level >= depth and inside:
            problem = problem or f"folders deeper than {depth} below {root} were not looked at; name them one by one"
        else:
            queue += [(entry.path, level + 1) for entry in sorted(inside, key=lambda entry: entry.name, reverse=True)]
    return Projects(files, problem)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _of_project(folder: str, places: Iterable[tuple[clients.ClientConfig, str]], home: Home | None = None) -> Iterator[Found]:
    """Yield the files at these places of a project; one file for one key once, for the client that the table names first."""
    order = {id(config): rank for rank, config in enumerate(clients.CLIENT_CONFIGS)}
    seen: set[tuple[str, str]] = set()
    for config, place in sorted(places, key=lambda one: order[id(one[0])]):
        for path in _existing(os.path.join(glob.escape(folder), *place.split("/"))):
            if (path, config.key) not in seen and not os.path.isdir(path):
                seen.add((path, config.key))
                yield Found(config.client, path, "project", _form(path, config.format), config.key, home, folder)


def project_files(folder: str, home: Home | None = None) -> list[Found]:
    """Return the files of one project, its sub-folders left out."""
    return list(_of_project(folder, ((config, place) for config in clients.CLIENT_CONFIGS for place in config.project), home))


def known_projects(listing: Listing) -> list[Found]:
    """Return the project files of the folders that Claude Code knows, from the listing of its `~/.claude.json`."""
    found: list[Found] = []
    if listing.found.client != "Claude Code" or listing.document is None:
        return found
    home = listing.found.home
    for folder in claude_code.projects(listing.document.value):
        try:
            owner = os.stat(folder).st_uid
        except (OSError, ValueError):
            continue  # gone, or no path
        # Root reads for the person that the file belongs to, so only what is that person's.
        if os.path.isabs(folder) and (home is None or home.uid in (None, owner, 0)):
            found += [one for one in project_files(folder, home) if one.path not in (other.path for other in found)]
    return found


def read_entries(found: Found) -> Listing:
    """Read one file. Never raises for what is in it or how it lies there: that is the listing's `problem`."""
    from stdioguard.installs import files, formats  # noqa: PLC0415 - parsers, which finding files does not need

    if found.form == "mcpb":
        return _of_bundle(found)
    try:
        snapshot = files.read(found.path)
    except files.FileProblem as problem:
        where = "" if problem.path == found.path else f"{found.path}: "  # a link may lead elsewhere
        return Listing(found, problem=visible(f"{where}{problem}"))
    if found.form == "xml":
        try:
            value = jetbrains.parse(snapshot.data)
        except ValueError as error:
            return Listing(found, None, snapshot, problem=visible(f"{found.path}: {error}"))
        return Listing(found, None, snapshot, entries_of(found, value))
    try:
        document = formats.parse(snapshot.data, found.form)
    except formats.FormatError as error:
        return Listing(found, None, snapshot, problem=visible(f"{found.path}: {error}"))
    entries = entries_of(found, document.value)
    try:
        entries = [_once(entry, document.duplicates) for entry in entries]
    except formats.FormatError as error:
        entries = [replace(entry, fixed=entry.fixed or visible(str(error))) for entry in entries]
    if found.level == "extension":
        entries = [replace(entry, disabled=entry.disabled or _is_off(found.path)) for entry in entries]
    return Listing(found, document, snapshot, entries)


def _of_bundle(found: Found) -> Listing:
    """Read the manifest in an archive. It is never edited, so that there is no snapshot."""
    from stdioguard.installs import files, formats  # noqa: PLC0415 - see above

    try:
        document = formats.parse(bundles.read(found.path).manifest, "json")
    except (files.FileProblem, formats.FormatError) as error:
        return Listing(
            found, problem=str(error) if isinstance(error, files.FileProblem) else f"{found.path}: manifest.json: {error}"
        )
    return Listing(found, document, None, entries_of(found, document.value))


def entries_of(found: Found, value: Any) -> list[Entry]:
    """Return the entries in a file's value."""
    entries: list[Entry] = []
    if found.form == "xml":
        entries = list(jetbrains.JETBRAINS.entries(value, ()))
    elif found.key:
        dialect = dialects.dialect(found.client, found.key)
        for place in dialects.places(value, found.key):
            entries += dialect.entries(value, place)
        if not entries and found.level != "given":
            entries = list(_for_projects(found, value)) or list(_of_plugin(found, value))
    if not entries and (not found.key or found.level == "given"):
        guessed = dialects.guess(value, found.path)
        entries = list(guessed[0].entries(value, guessed[1])) if guessed else []
    return [
        replace(
            entry,
            client=found.client if found.client != "generic" else entry.client,
            file=found.path,
            level=_own_level(found, entry),
        )
        for entry in entries
    ]


def _for_projects(found: Found, value: Any) -> Iterator[Entry]:
    """`~/.claude.json` may have servers for single projects only."""
    if found.client == "Claude Code" and isinstance(value, dict) and "projects" in value:
        yield from claude_code.CLAUDE_CODE.entries(value, ("mcpServers",))


def _of_plugin(found: Found, value: Any) -> Iterator[Entry]:
    """Yield the servers of a plugin of Claude Code, whose `.mcp.json` may be nothing but servers: a repository of plugins has many."""
    if found.client == "Claude Code" and os.path.basename(found.path) == ".mcp.json" and dialects.is_flat(value):
        yield from claude_code.CLAUDE_CODE.entries(value, ())


def _own_level(found: Found, entry: Entry) -> Level:
    return "extension" if entry.level == "extension" and found.level != "given" else found.level


def _once(entry: Entry, duplicates: Iterable[Path]) -> Entry:
    """Close an entry to edits if a key in or above it is written twice: clients differ in which one counts."""
    for path in duplicates:
        shorter = min(len(path), len(entry.path))
        if path[:shorter] == entry.path[:shorter]:
            return replace(entry, fixed=entry.fixed or f"{'.'.join(map(str, path))} is in the file twice: remove one of the two")
    return entry


def _is_off(manifest: str) -> bool:
    """Tell whether Claude Desktop's settings turn an extension off."""
    from stdioguard.installs import files, formats  # noqa: PLC0415 - see above

    folder = os.path.dirname(manifest)
    path = os.path.join(
        os.path.dirname(os.path.dirname(folder)), "Claude Extensions Settings", os.path.basename(folder) + ".json"
    )
    try:
        settings = formats.parse(files.read(path).data, "json").value
    except (files.FileProblem, formats.FormatError):
        return False
    return isinstance(settings, dict) and settings.get("isEnabled") is False


def listings(people: Iterable[Home] | None = None) -> Iterator[Listing]:
    """Yield the listing of every file of these people (default: `homes()`), with the projects that Claude Code knows; each file once."""
    seen: set[tuple[str, str]] = set()
    for home in homes() if people is None else people:
        queue = list(config_files(home))
        while queue:
            found = queue.pop(0)
            mark = (os.path.realpath(found.path), found.key)
            if mark not in seen:
                seen.add(mark)
                listing = read_entries(found)
                yield listing
                queue += known_projects(listing)
