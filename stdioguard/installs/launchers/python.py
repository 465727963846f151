"""PyPI's packages: `uvx`, `uv run`, `pipx run`; and Python itself."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from stdioguard.installs.launchers.started import (
    COMMIT,
    PYTHON,
    SCRIPT,
    Started,
    Word,
    is_file,
    last_part,
    options_of,
    plain_name,
    script,
    values_of,
)
from stdioguard.sandbox.fetcher_options import UV_VALUES, joined_options, last_value

if TYPE_CHECKING:
    from collections.abc import Sequence

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(.*)", re.DOTALL)


def normal(name: str) -> str:
    """Return the normal form of a name of PyPI's (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower().strip("-")


def package(spec: str, arguments: Sequence[str]) -> Started:
    """Read one requirement: a name with a version, a repository, an address or a folder (PEP 508, and uv's `name@version`)."""
    text, arguments = str(spec).strip(), tuple(arguments)
    given, at, address = text.partition(" @ ")
    if at:
        return replace(package(address, arguments), name=normal(given.partition("[")[0]), spec=str(spec))
    if text.startswith(("git+", "git@", "git://", "ssh://")) or re.match(
        r"https?://(www\.)?(github|gitlab)\.com/[^/]+/[^/]+(\.git)?(@|$)", text
    ):
        plain = text.partition("#")[0]
        head, slash, tail = plain.rpartition("/")
        tail, _, revision = tail.partition("@")
        if not revision and "@" in head.partition("://")[2].partition("/")[2]:  # a branch with a slash in it
            before, _, after = head.rpartition("@")
            revision, head, slash, tail = f"{after}/{tail}", before, "", ""
        egg = re.search(r"[#&]egg=([A-Za-z0-9._\-]+)", text)
        name = normal(egg.group(1)) if egg else last_part(f"{head}{slash}{tail}")
        return Started("pypi", name, "git", arguments, text, revision or None, COMMIT.fullmatch(revision) is not None)
    if "://" in text:
        digest = "#sha256=" in text
        wheel = last_part(text.partition("#")[0])
        return Started(
            "pypi",
            normal(wheel.partition("-")[0]) if text.partition("#")[0].endswith(".whl") else wheel,
            "url",
            arguments,
            text,
            None,
            digest,
        )
    if text.startswith((".", "/", "~", "${", "$")) or "/" in text or "\\" in text or text.endswith((".whl", ".tar.gz", ".zip")):
        return Started("pypi", last_part(text), "path", arguments, text, None, is_pinned=False)
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        return Started("opaque", text, "program", arguments, text, opaque="no package is called that")
    name, rest = normal(match.group(1)), match.group(2).partition(";")[0].strip()
    if rest.startswith("@"):
        version = rest.removeprefix("@").strip()
        return Started(
            "pypi",
            name,
            "registry",
            arguments,
            text,
            version or None,
            re.fullmatch(r"[0-9][0-9A-Za-z.!+\-]*", version) is not None,
        )
    exact = re.fullmatch(r"={2,3}\s*([^\s,*]+)", rest)
    return Started("pypi", name, "registry", arguments, text, (exact.group(1) if exact else rest) or None, exact is not None)


_INDEXES = ("--index-url", "-i", "--default-index", "--index", "--extra-index-url", "-f", "--find-links")


_PIPX_VALUES = values_of("--python --pip-args --index-url -i --with --spec --suffix")


def uvx(words: list[Word], before: dict[str, list[str]] | None = None) -> Started | None:
    """Read what follows `uvx` or `uv tool run`; `before` are the options that came before those words."""
    options, rest = options_of(words, UV_VALUES)
    options = joined_options(before or {}, options)
    if not rest:
        return None
    source = options.get("--from", [])
    first = source[-1] if source else rest[0]
    found = package(first, rest[1:])
    also = [name for value in options.get("--with", []) for name in value.split(",")]
    also += options.get("--with-editable", []) + options.get("--with-requirements", [])
    return replace(
        found, index=getattr(first, "place", None), also=tuple(map(str, also)), registry=last_value(options, *_INDEXES)
    )


def uv(words: list[Word]) -> Started | None:
    """Read `uv run` and `uv tool run`."""
    before, rest = options_of(words[1:], UV_VALUES)
    if rest[:2] == ["tool", "run"]:
        return uvx(rest[2:], before)
    if rest[:1] != ["run"]:
        return None
    options, rest = options_of(rest[1:], UV_VALUES)
    options = joined_options(before, options)
    module = last_value(options, "-m", "--module")
    also = [name for value in options.get("--with", []) for name in value.split(",")]
    also += options.get("--with-editable", []) + options.get("--with-requirements", [])
    registry = last_value(options, *_INDEXES)
    if module:
        found = _module(module, rest)
    elif not rest:
        return None
    else:
        found = _with(also, rest) or _in_project(rest)
        also = [name for name in also if name != found.spec]
    source = "project" if found.source == "program" else found.source  # the project's environment has its own
    return replace(found, source=source, also=(*found.also, *map(str, also)), registry=registry or found.registry)


def _with(packages: Sequence[str], rest: list[Word]) -> Started | None:
    """`uv run --with PACKAGE COMMAND`: the package whose command it is."""
    wanted = normal(plain_name(rest[0]))
    if PYTHON.fullmatch(plain_name(rest[0])) and rest[1:2] == ["-m"] and len(rest) > 2:
        wanted = normal(rest[2].partition(".")[0])
    for spec in packages:
        found = package(spec, rest[1:])
        if found.name == wanted or (len(packages) == 1 and not is_file(rest[0]) and not PYTHON.fullmatch(plain_name(rest[0]))):
            return replace(found, index=getattr(spec, "place", None))
    return None


def _in_project(rest: list[Word]) -> Started:
    """Read what `uv run` starts in a project: a script, Python itself, or a command of the project's environment."""
    if rest[0].startswith(("https://", "http://")):
        return Started("command", last_part(rest[0]), "url", tuple(rest[1:]), str(rest[0]), index=rest[0].place)
    name = plain_name(rest[0])
    if PYTHON.fullmatch(name):
        found = python(rest)
        if found is not None:
            return found
    if SCRIPT.search(rest[0]) or "/" in rest[0] or "\\" in rest[0]:
        found = script(rest)
        if found is not None:
            return found
    return Started("command", name, "project", tuple(rest[1:]), str(rest[0]), index=rest[0].place)


def pipx(words: list[Word]) -> Started | None:
    """Read `pipx run`."""
    _, rest = options_of(words[1:], frozenset())
    if rest[:1] != ["run"]:
        return None
    options, rest = options_of(rest[1:], _PIPX_VALUES)
    source = options.get("--spec", [])
    if not rest:
        return None
    first = source[-1] if source else rest[0]
    arguments = rest[2:] if rest[1:2] == ["--"] else rest[1:]
    found = package(first, arguments)
    return replace(
        found, index=getattr(first, "place", None), also=tuple(map(str, options.get("--with", []))),
        registry=last_value(options, "--index-url", "-i"),
    )  # fmt: skip


_PYTHON_VALUES = values_of("-W -X --check-hash-based-pycs")


def python(words: list[Word]) -> Started | None:
    """Read `python FILE` and `python -m MODULE`."""
    rest = words[1:]
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word, rest = rest[0], rest[1:]
        if word in _PYTHON_VALUES:
            rest = rest[1:]
        elif re.fullmatch(r"-[A-Za-z]*m", word):
            return _module(rest[0], rest[1:]) if rest else None
        elif re.match(r"-[bBdEhiIOPqsSuvx]*m.", word):
            return _module(word.partition("m")[2], rest)
        elif (
            not word.startswith("--")
            and "c" in word
            and not re.fullmatch(r"-[0-9.]+(-[0-9]+)?", word)
            and not word.startswith(("-W", "-X"))
        ):
            return Started(
                "opaque", "python", "program", tuple(rest[1:]), opaque="its code is on the command line", index=words[0].place
            )
    return script(rest) if rest else None


def _module(module: str, rest: list[Word]) -> Started:
    """`python -m MODULE`: installed by hand, so there is no package to name; but tools that start packages are seen through."""
    if rest and module in ("uv", "pipx"):
        found = uv([Word.at(module, None), *rest]) if module == "uv" else pipx([Word.at(module, None), *rest])
        if found is not None:
            return found
    return Started("command", str(module), "program", tuple(rest), f"-m {module}", index=getattr(module, "place", None))


def inside(words: list[Word]) -> list[Word]:
    """Return the command that `uv run COMMAND` starts, whatever it is; empty if it is not that."""
    _, rest = options_of(words[1:], UV_VALUES)
    if rest[:1] != ["run"]:
        return []
    options, rest = options_of(rest[1:], UV_VALUES)
    return [] if options.keys() & {"-m", "--module"} else rest
