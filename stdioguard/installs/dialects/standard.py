"""The way most clients write an entry: `command`, `args`, `env`, `cwd`, or `url` and `headers`; and the parts that the others share.

A client that only has other names for the same members is this class with other names.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stdioguard.installs.commands import is_launcher
from stdioguard.installs.entries import Entry, Fields, Kind, Shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stdioguard.installs.formats.document import Change, Path

BRACES = r"\$\{[^}]*\}"
"""`${VAR}`, `${env:VAR}`, `${input:id}`, `${workspaceFolder}`: one form, whatever is inside."""

DOLLAR = r"\$[A-Za-z_][A-Za-z0-9_]*"
PERCENT = r"%[A-Za-z_][A-Za-z0-9_()]*%"
CURLY = r"\{(?:env|file):[^}]*\}"
MUSTACHE = r"\$\{\{.*?\}\}"
COMMAND = r"\$\([^)]*\)"

_REMOTE_TYPES = frozenset(
    {"http", "sse", "streamable-http", "streamablehttp", "streamable_http", "remote", "ws", "websocket", "http-stream"}
)
_LOCAL_TYPES = frozenset({"stdio", "local", "command"})


@dataclass(frozen=True)
class Standard:
    """The members of an entry by the names that a client has for them; the first that is there counts."""

    client: str = "generic"
    variables: tuple[str, ...] = (BRACES,)
    """Patterns of what the client fills in. Empty: it takes every text as it is."""

    command: tuple[str, ...] = ("command",)
    args: tuple[str, ...] = ("args",)
    env: tuple[str, ...] = ("env",)
    cwd: tuple[str, ...] = ("cwd",)
    url: tuple[str, ...] = ("url", "serverUrl", "httpUrl")
    headers: tuple[str, ...] = ("headers",)
    off: tuple[str, ...] = ("disabled",)
    on: tuple[str, ...] = ("enabled",)
    item_name: str = "name"
    """What an item of a list calls itself."""

    url_first: bool = False
    """Whether an address counts before a command where there are both and no type."""

    not_servers: frozenset[str] = frozenset()
    """Keys beside the servers that are none."""

    def entries(self, value: Any, key: Path) -> Iterator[Entry]:
        """Yield the entries of an object of servers by name, or of a list of servers that name themselves."""
        servers = at(value, key)
        if isinstance(servers, dict):
            for name, member in servers.items():
                if name not in self.not_servers:
                    yield from self._each(str(name), member, (*key, name))
        elif isinstance(servers, list):
            for place, member in enumerate(servers):
                name = member.get(self.item_name) if isinstance(member, dict) else None
                yield from self._each(name if isinstance(name, str) else str(place), member, (*key, place))
        elif servers is not None:
            yield self._broken(str(key[-1]) if key else "", key, "the servers are neither an object nor a list")

    def rewrite(self, entry: Entry, argv: Sequence[str]) -> list[Change]:
        """Return the changes that make this entry start `argv`."""
        from stdioguard.installs.formats.document import Change  # noqa: PLC0415 - parsers, which reading entries does not need

        if not entry.editable:
            raise ValueError(entry.fixed or entry.problem or f"{entry.name} is not started from here")
        fields = entry.fields
        if entry.shape == "array":
            changes = [Change(fields.command_path, value=list(argv))]
            return changes + ([Change(fields.args_path, value=[])] if fields.args_path else [])
        where = fields.args_path or fields.args_key
        if where is None:  # every shape but the array has one
            raise ValueError(f"{entry.name} has no place for arguments")
        return [Change(fields.command_path, value=argv[0]), Change(where, value=list(argv[1:]))]

    def literal(self, text: str) -> bool:
        """Tell whether the client takes the text as it is."""
        return not any(re.search(pattern, text) for pattern in self.variables)

    def _each(self, name: str, member: Any, path: Path) -> Iterator[Entry]:
        """Yield what one member of the servers is: usually one entry. For clients whose members are not all servers."""
        yield self.entry(name, member, path)

    def _broken(self, name: str, path: Path, problem: str) -> Entry:
        return Entry(self.client, "", "given", name, path, "broken", Fields((*path, self.command[0])), problem=problem)

    def entry(self, name: str, member: Any, path: Path) -> Entry:
        """Read one entry."""
        if not isinstance(member, dict):
            return self._broken(name, path, f"not an object but {kind_of(member)}")
        command, args = first(member, self.command), first(member, self.args)
        url, headers, env, cwd = (first(member, names) for names in (self.url, self.headers, self.env, self.cwd))
        known = {*self.command, *self.args, *self.env, *self.cwd, *self.url, *self.headers, *self.off, *self.on}
        fields = Fields(
            (*path, command or self.command[0]), (*path, args) if args else None, (*path, self.args[0]),
            (*path, env) if env else None, (*path, self.env[0]), (*path, url) if url else None, (*path, headers) if headers else None,
        )  # fmt: skip
        entry = Entry(
            self.client, "", "given", name, path, "stdio", fields,
            env=texts(_at(member, env)), cwd=text_or_none(_at(member, cwd)),
            disabled=any(member.get(one) is True for one in self.off) or any(member.get(one) is False for one in self.on),
            url=text_or_none(_at(member, url)), headers=texts(_at(member, headers)),
            extra={one: other for one, other in member.items() if one not in known},
        )  # fmt: skip
        return self.judged(entry, member, _at(member, command), _at(member, args))

    def judged(self, entry: Entry, member: Mapping[str, Any], command: Any, args: Any) -> Entry:
        """Return the entry with its kind and its command line, once all else of it is known."""
        kind = self._kind(member, command, entry.url)
        if kind == "remote":
            if entry.url is None:
                return replace(entry, kind="broken", problem=f"of type {_type(member)}, but without an address")
            return replace(entry, kind="remote")
        if command is None:
            return replace(entry, kind="broken", problem="names neither a command nor an address")
        argv, shape, problem = command_line(command, args)
        fields = replace(entry.fields, args_key=None) if shape == "array" else entry.fields
        return replace(entry, kind="broken" if problem else "stdio", argv=argv, shape=shape, fields=fields, problem=problem)

    def _kind(self, member: Mapping[str, Any], command: Any, url: str | None) -> Kind:
        given = _type(member).lower()
        if given in _REMOTE_TYPES:
            return "remote"
        if given in _LOCAL_TYPES or url is None:
            return "stdio"
        return "remote" if command is None or self.url_first else "stdio"


def at(value: Any, path: Path) -> Any:
    """Return what is at a path of a value; `None` if nothing is."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def first(member: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return the first of the names that the member has, with a value that is not null."""
    return next((name for name in names if member.get(name) is not None), None)


def _type(member: Mapping[str, Any]) -> str:
    return next((member[name] for name in ("type", "transportType", "transport") if isinstance(member.get(name), str)), "")


def _at(member: Mapping[str, Any], name: str | None) -> Any:
    return None if name is None else member[name]


def kind_of(value: Any) -> str:
    """Return what kind of value it is, in words for people."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "something else")


def text_or_none(value: Any) -> str | None:
    """Return a text that is not empty; else `None`."""
    return value if isinstance(value, str) and value else None


def text(value: Any) -> str:
    """Return a scalar as a client would put it into an environment."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else "" if value is None else str(value)


def texts(value: Any) -> dict[str, str]:
    """Return variables or headers: an object, a list of `NAME=value`, or a list of objects with `name` and `value`."""
    if isinstance(value, dict):
        return {str(name): text(member) for name, member in value.items() if not isinstance(member, (dict, list))}
    found = {}
    for member in value if isinstance(value, list) else []:
        if isinstance(member, str) and "=" in member:
            name, _, rest = member.partition("=")
            found[name] = rest
        elif isinstance(member, dict) and isinstance(member.get("name"), str):
            found[member["name"]] = text(member.get("value"))
    return found


def command_line(command: Any, args: Any) -> tuple[list[str], Shape, str]:
    """Return the words that a command and its arguments make, how they are written, and what is wrong with them."""
    problem = ""
    more: list[str] = []
    if isinstance(args, list):
        more = [text(word) for word in args if not isinstance(word, (dict, list))]
        odd = next(
            (
                word
                for word in args
                if not isinstance(word, str) and (isinstance(word, bool) or not isinstance(word, (int, float)))
            ),
            "",
        )
        if odd != "":
            problem = f"an argument is not a text but {kind_of(odd)}"
    elif args is not None:
        more = _split(args) if isinstance(args, str) else []
        problem = f"the arguments are not a list but {kind_of(args)}"
    if isinstance(command, list):
        if not command or not all(isinstance(word, str) for word in command):
            return (
                [text(word) for word in command],
                "array",
                "the command is a list without a program" if not command else "a word of the command is not a text",
            )
        return [*command, *more], "array", problem or ("" if command[0].strip() else "the command is empty")
    if not isinstance(command, str):
        return more, "command+args", f"the command is not a text but {kind_of(command)}"
    if not command.strip():
        return more, "command+args", "the command is empty"
    if is_line(command, more):
        return [*_split(command), *more], "line", problem
    return [command, *more], "command+args", problem


def is_line(command: str, more: Sequence[str]) -> bool:
    """Tell whether a command is a whole command line, and not the name of a program with spaces in it.

    Which of the two it is only the client knows; a path with spaces is more common than a line, so a line must begin with a program that
    is known to start others, or with a plain name.
    """
    if not re.search(r"\s", command.strip()):
        return False
    words = _split(command)
    if len(words) < 2 or os.path.isfile(command.strip()):
        return False
    if is_launcher(words[0]):
        return True
    return (
        not more and not re.search(r"[/\\]", words[0]) and not re.search(r"\.(exe|cmd|bat|app)$", command.strip(), re.IGNORECASE)
    )


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
