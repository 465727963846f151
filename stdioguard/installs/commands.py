"""What a command line really starts: which package of which registry, through whatever it is wrapped in; and which profile is for that.

A pure function of the words. It never looks at the disk: what a config says is judged, not what happens to be installed here. The tables
of a fetcher's options are those of `sandbox.fetchers`, which finds what the fetcher has fetched.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

from stdioguard.installs.launchers import npm, others, python
from stdioguard.installs.launchers.python import normal
from stdioguard.installs.launchers.shells import SHELLS, line
from stdioguard.installs.launchers.started import PYTHON, Started, Word, place_of, plain_name
from stdioguard.installs.launchers.wrappers import ASSIGNMENT, WRAPPERS, peeled
from stdioguard.policy import load
from stdioguard.policy.environment import is_forbidden
from stdioguard.policy.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Started", "is_launcher", "normal", "plain_name", "profile_for", "recognise"]

MAX_WRAPPERS = 16
"""More than these is no command line that a person wrote."""


_WRAPPING_PACKAGES = {"cross-env": "cross-env", "dotenv-cli": "dotenv", "dotenv": "dotenv", "@dotenvx/dotenvx": "dotenvx"}
"""Packages of npm that start another command, and the wrapper that each is."""


def recognise(argv: Sequence[str]) -> Started:
    """Tell what `argv` starts. Never raises: words that make no sense are `opaque`."""
    found = _recognise([Word.at(text, place) for place, text in enumerate(argv)], ())
    return replace(found, arguments=tuple(map(str, found.arguments)))


def _recognise(words: list[Word], wrappers: tuple[str, ...]) -> Started:
    opaque = ""
    tools: list[str] = []
    sets: list[str] = []
    in_project = False
    while True:
        if not words or not words[0].strip():
            return Started("opaque", "", "program", wrappers=wrappers, opaque=opaque or "there is no command")
        if len(wrappers) > MAX_WRAPPERS:
            return Started("opaque", "", "program", wrappers=wrappers, opaque="too many commands inside each other")
        program = plain_name(words[0])
        peeled = _inside(program, words)
        if peeled is None:
            break
        inner, reason = peeled
        if not inner:
            if reason:
                return Started("opaque", program, "program", program=words[0], wrappers=wrappers, opaque=opaque or reason)
            break
        opaque = opaque or reason
        before = words[: max(len(words) - len(inner), 1)]
        if program in ("mise", "rtx"):
            tools += before[1:]
        sets += [match.group(1) for match in map(ASSIGNMENT.match, before) if match]
        in_project = in_project or program in ("uv", "dotenv") or (program in WRAPPERS and WRAPPERS[program].project)
        if not ASSIGNMENT.match(words[0]):
            wrappers = (*wrappers, "stdioguard" if PYTHON.fullmatch(program) else program)
        words = inner
    read = python.python if PYTHON.fullmatch(program) else _FETCHERS.get(program)
    found = (read(words) if read else None) or others.program(program, words)
    if found.ecosystem == "npm" and found.name in _WRAPPING_PACKAGES and found.arguments:
        # The arguments are still the words that were given.
        inner_words = [word if isinstance(word, Word) else Word.at(word, None) for word in found.arguments]
        inner_found = _recognise([Word.at(_WRAPPING_PACKAGES[found.name], None), *inner_words], (*wrappers, program))
        also = (*found.also, found.spec, *inner_found.also)
        return replace(inner_found, also=also, opaque=opaque or found.opaque or inner_found.opaque)
    found = _with_its_command(found, (*wrappers, program))
    if found.ecosystem == "command" and found.source == "program" and tools:
        found = _of_tools(tools, found)
    if found.index is None and found.spec:
        found = replace(found, index=place_of(words, found.spec))
    return replace(
        found, program=str(words[0]), wrappers=wrappers, opaque=opaque or found.opaque, sets=tuple(sets), in_project=in_project
    )


def _with_its_command(found: Started, wrappers: tuple[str, ...]) -> Started:
    """Look for a fetcher among the arguments of what is no known wrapper: `./start.sh npx -y server`, `uvx mcpo -- uvx server`.

    Which word is where the other command begins is a guess, so the answer is `opaque`.
    """
    inner = _command_in([word if isinstance(word, Word) else Word.at(word, None) for word in found.arguments])
    if not inner:
        return found
    other = _recognise(inner, wrappers)
    if other.ecosystem in ("command", "opaque"):
        return found
    reason = f"{found.name or wrappers[-1]} is given another command"
    also = tuple(other.named(spec) for spec in (other.spec, *other.also))
    if found.ecosystem in ("command", "opaque"):
        return replace(other, arguments=found.arguments, opaque=reason)
    return replace(found, also=(*found.also, *also), opaque=found.opaque or reason)


def _command_in(words: list[Word]) -> list[Word]:
    """Return the command among a program's arguments: at their beginning, after `--`, or one of them as a whole line."""
    starts = [0, *(place + 1 for place, word in enumerate(words) if word == "--")]
    if words[:1] in (["exec"], ["run"]):
        starts.append(1)
    for start in starts:
        if words[start + 1 :] and plain_name(words[start]) in _FETCHES:
            return words[start:]
    for word in words:
        if " " in word.strip() and plain_name(word.split()[0]) in _FETCHES:
            return line(word)[0]
    return []


def _inside(program: str, words: list[Word]) -> tuple[list[Word], str] | None:
    """Return the command inside another, as `wrappers.peeled` does, also for fetchers that start any other command."""
    if program == "uv":
        inner = python.inside(words)
        return (inner, "") if inner and is_launcher(inner[0]) and not PYTHON.fullmatch(plain_name(inner[0])) else None
    if program in ("docker", "podman", "nerdctl", "finch"):
        inner = others.in_container(words)
        return (inner, "the container says what its programs are") if inner and plain_name(inner[0]) in _FETCHES else None
    text = npm.called(program, words)
    return peeled(program, words) if text is None else line(text)


def _of_tools(tools: Sequence[str], found: Started) -> Started:
    """Name the package of a command that mise fetches first: `mise x npm:name@1.2.3 -- name`."""
    for tool in tools:
        backend, colon, spec = tool.partition(":")
        if colon and backend in ("npm", "pipx"):
            read = npm.package if backend == "npm" else python.package
            package = read(spec, found.arguments)
            if found.name in (package.name, package.name.rpartition("/")[2]):
                return replace(package, spec=str(tool), index=getattr(tool, "place", None))
    return found


_FETCHERS: dict[str, Callable[[list[Word]], Started | None]] = {
    "npx": lambda words: npm.npx(words[1:]), "npm": npm.npm, "pnpm": npm.pnpm, "yarn": npm.yarn, "bun": npm.bun, "node": npm.node,
    "pnpx": lambda words: npm.npx(words[1:], npm.PNPM_VALUES), "bunx": lambda words: npm.npx(words[1:], npm.BUNX_VALUES),
    "nodejs": npm.node, "tsx": npm.node, "ts-node": npm.node, "uvx": lambda words: python.uvx(words[1:]), "uv": python.uv,
    "pipx": python.pipx, "docker": others.docker, "podman": others.docker, "nerdctl": others.docker, "finch": others.docker,
    "deno": others.deno, "dnx": others.dnx, "dotnet": others.dotnet, "go": others.go,
}  # fmt: skip
"""Programs that fetch packages or start their files."""

_FETCHES = frozenset({"npx", "npm", "pnpm", "yarn", "pnpx", "bunx", "uvx", "uv", "pipx", "dnx"})
"""Those of them that nothing but a command begins with. `node` and `docker` are also common arguments."""

_KNOWN = frozenset(_FETCHERS) | frozenset(WRAPPERS) | SHELLS | {"cmd", "powershell", "pwsh", "python", "pythonw", "py", "dotenv"}


def is_launcher(word: str) -> bool:
    """Tell whether a word is a program that is known to start others: `npx`, `docker`, `python`, `cmd`..."""
    program = plain_name(word)
    return program in _KNOWN or program in others.INTERPRETERS or PYTHON.fullmatch(program) is not None


def profile_for(started: Started) -> str | None:
    """Return the name of the profile that says it is for what is started; `None` if there is none.

    A profile grants what its server needs, so nothing else may pass for that server: not a repository, folder or registry that a config
    names in place of the usual one, not other packages loaded beside it, not a shell's line of which it is only a part, and not what
    a variable or a project's files put in its place.
    """
    if started.opaque or started.also or started.registry or started.in_project or started.source in ("git", "url", "project"):
        return None
    if any(name.upper() == "PATH" or is_forbidden(name) for name in started.sets):
        return None
    relative = not re.match(r"([A-Za-z]:)?[\\/]", started.spec)
    if started.source in ("path", "installed") and relative:
        return None  # whatever lies in the folder that the client happens to be in
    for name, path in load.names():
        if _is_for(_server(path), started):
            return name
    return None


def _is_for(server: dict[str, object], started: Started) -> bool:
    npm, pypi, command = (str(server.get(key) or "") for key in ("npm", "pypi", "command"))
    if started.ecosystem == "npm":
        return started.name == npm
    if started.ecosystem == "pypi":
        return bool(pypi) and started.source in ("registry", "installed") and started.name == normal(pypi)
    if started.ecosystem != "command":
        return False
    # Installed by hand: as `python -m mcp_server_git` or as the command of the same name.
    by_hand = started.source == "program" and bool(pypi) and normal(started.name) == normal(pypi)
    return by_hand or (bool(command) and command in (started.name, started.spec))


def _server(path: str) -> dict[str, object]:
    try:
        table = tomllib.loads(load.read(path)).get("server")
    except (ProfileError, tomllib.TOMLDecodeError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}
