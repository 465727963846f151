"""What a command line starts: the answer, and the words that it is read from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stdioguard.sandbox.fetcher_options import split_options

if TYPE_CHECKING:
    from collections.abc import Sequence

Ecosystem = Literal["npm", "pypi", "oci", "deno", "nuget", "go", "command", "opaque"]


Source = Literal["registry", "git", "url", "path", "installed", "project", "program"]


@dataclass(frozen=True)
class Started:
    """What a command line starts."""

    ecosystem: Ecosystem
    """Where it comes from; `command` for a program that is there already, `opaque` where that cannot be told."""

    name: str
    """The package's or image's name without its version, or the program's without folders and without `.exe` or `.cmd`."""

    source: Source
    """`registry` for a package that is fetched by name; `git`, `url` and `path` for one that is fetched from elsewhere; `installed` for a
    package's file below a `node_modules`, or for a package that may not be fetched; `project` for what a project's own tools run;
    `program` for anything else."""

    arguments: tuple[str, ...] = ()
    """The server's own arguments."""

    spec: str = ""
    """The package as it is written, version and all."""

    version: str | None = None
    """The version, range, tag, revision or digest that is asked for; `None` where there is none."""

    is_pinned: bool = False
    """Whether the next start can only get the same package: one exact version, a digest or a full commit."""

    index: int | None = None
    """Which of the words names the package or the program; `None` where it is part of one."""

    program: str = ""
    """The word that is started in the end: `npx`, `docker`, a path."""

    wrappers: tuple[str, ...] = ()
    """What it is started through, outermost first: `cmd`, `bash`, `env`, `mise`, `stdioguard`..."""

    also: tuple[str, ...] = ()
    """Other packages that are fetched and loaded with it; `npm:` or `pypi:` stands before those of which the program does not tell it."""

    sets: tuple[str, ...] = ()
    """The variables that the words themselves set: `env NAME=value ...`."""

    in_project: bool = False
    """Whether a wrapper looks in a project's folder for what it starts, or for variables: `poetry run`, `direnv exec`."""

    registry: str = ""
    """Another registry than the usual one, if the words name one."""

    opaque: str = ""
    """Why the words may start other things than this; empty where they surely do not."""

    def named(self, spec: str) -> str:
        """Return one of its packages as `also` of another command names it."""
        return f"{self.ecosystem}:{spec}" if self.ecosystem in ("npm", "pypi") and spec else spec

    @property
    def identity(self) -> str:
        """The ecosystem and the name, without a version: `npm:@scope/package`."""
        return f"{self.ecosystem}:{self.name}"


class Word(str):
    """A word that knows its place in the command line that was given; `None` if it was part of a longer one."""

    __slots__ = ("place",)
    place: int | None

    @classmethod
    def at(cls, text: str, place: int | None) -> Word:
        """Return a word at a place."""
        word = cls(text)
        word.place = place
        return word


def place_of(words: Sequence[Word], spec: str) -> int | None:
    """Return the place of the word that is `spec`, or is an option with it as its value."""
    return next((word.place for word in words if word == spec or word.endswith(f"={spec}")), None)


def options_of(words: Sequence[Word], takes_value: frozenset[str]) -> tuple[dict[str, list[str]], list[Word]]:
    """Split words into options, by name with every value, and what begins with the first word that is none."""
    options, rest = split_options(words, takes_value)
    return options, rest  # type: ignore[return-value]  # the words that are left are the same objects


def values_of(text: str) -> frozenset[str]:
    """Return the options in a text; for tables that would be long lists."""
    return frozenset(text.split())


def plain_name(word: str) -> str:
    """Return a program's name without folders and without the endings that Windows gives to programs, where case says nothing either."""
    name = word.replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    if dot and ending.lower() in ("exe", "cmd", "bat", "com", "ps1"):
        return stem.lower()
    return name


PYTHON = re.compile(r"(python|pypy|pythonw|py)[0-9.]*t?", re.IGNORECASE)
EXACT = re.compile(r"[v=]?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.\-]+)?(\+[0-9A-Za-z.\-]+)?")


COMMIT = re.compile(r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?")


def last_part(address: str) -> str:
    """Return the last part of an address or path, as a name for people."""
    path = address.replace("\\", "/").rstrip("/").partition("?")[0]
    name = path.rpartition("/")[2] or path
    for ending in (".git", ".tgz", ".tar.gz", ".whl"):
        name = name.removesuffix(ending)
    return name.rpartition(":")[2] or address


SCRIPT = re.compile(r"\.([cm]?[jt]sx?|py|rb|sh|jar|dll|php|pl|lua|exs?)$", re.IGNORECASE)


def is_file(word: str) -> bool:
    """Tell whether a word looks like a file, and not like the name of a script or a program."""
    return SCRIPT.search(word) is not None or word.startswith((".", "/", "~")) or "/" in word or "\\" in word


def script(rest: list[Word]) -> Started | None:
    """Read `SCRIPT ARGUMENTS`: a package's own file if it is below a `node_modules`, else a program with that path."""
    if not rest:
        return None
    path = rest[0].replace("\\", "/")
    if "/node_modules/" in f"/{path}":
        parts = f"/{path}".rpartition("/node_modules/")[2].split("/")
        name = "/".join(parts[:2] if parts[0].startswith("@") else parts[:1])
        if len(parts) > name.count("/") + 1 and name and not name.startswith("."):
            return Started("npm", name, "installed", tuple(rest[1:]), str(rest[0]), None, is_pinned=True, index=rest[0].place)
    return Started(
        "command", path.rstrip("/").rpartition("/")[2] or path, "path", tuple(rest[1:]), str(rest[0]), index=rest[0].place
    )
