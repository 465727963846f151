"""What is known of packages, as of a day: vulnerabilities, malicious packages, archived servers, and names that are worth imitating.

The tables are beside this file and ship with the package: an audit asks nobody. `snapshot.toml` says of which day they are;
`audit --online` asks OSV for what came after it.
"""

from __future__ import annotations

import functools
import os
import re
import tomllib
from dataclasses import dataclass
from typing import Any

import nodesemver
from packaging.version import InvalidVersion, Version

_BOUND = re.compile(r"(<=|>=|<|>)(\S+)")


@dataclass(frozen=True, slots=True)
class Advisory:
    """One published advisory, or one malicious package."""

    id: str
    ecosystem: str
    """`npm` or `pypi`."""
    package: str
    severity: str
    """`low`, `medium` or `high`."""
    summary: str
    """What can be done with it, in a few words."""
    affected: tuple[str, ...]
    """Ranges of versions, any of which is enough."""
    alias: str = ""
    kind: str = "vulnerable"
    """`vulnerable` or `malicious`."""

    def affects(self, version: str) -> bool:
        """Tell whether an exact version is affected; one that makes no sense is not."""
        return any(_within(self.ecosystem, version, one) for one in self.affected)

    @property
    def fixed(self) -> str:
        """The first version after the affected ones; empty where there is none."""
        ends = [bound for one in self.affected for sign, bound in _BOUND.findall(one) if sign == "<"]
        return ends[-1] if ends else ""


@dataclass(frozen=True, slots=True)
class Known:
    """The tables about servers' names."""

    names: dict[str, frozenset[str]]
    """By registry: names of servers that many people start."""
    elsewhere: dict[str, frozenset[str]]
    """By registry: names of servers that are on another registry only."""
    archived: dict[str, dict[str, dict[str, str]]]
    """By registry and name: what is known of archived servers."""


def date() -> str:
    """Return the day of the snapshot, such as `2026-11-21`."""
    return str(_table("snapshot.toml")["date"])


def of(ecosystem: str, package: str) -> list[Advisory]:
    """Return what is known of a package, whatever the version. Names of npm's are compared in small letters, as its registry does."""
    return _by_package().get((ecosystem, package.lower()), [])


def every() -> list[Advisory]:
    """Return the whole snapshot."""
    return [one for group in _by_package().values() for one in group]


@functools.cache
def known() -> Known:
    """Return the tables of servers' names."""
    table = _table("servers.toml")
    return Known(
        {registry: frozenset(table[registry]) for registry in ("npm", "pypi", "oci")},
        {registry: frozenset(names) for registry, names in table["elsewhere"].items()},
        table["archived"],
    )


def newer(ecosystem: str, version: str, than: str) -> bool | None:
    """Tell whether a version comes after another; `None` where one of them is no version of that registry's."""
    order = _compared(ecosystem, version, than)
    return None if order is None else order > 0


def _within(ecosystem: str, version: str, span: str) -> bool:
    if _compared(ecosystem, version, version) is None:
        return False
    for sign, bound in _BOUND.findall(span):
        order = _compared(ecosystem, version, bound)
        if order is None or not {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[sign]:
            return False
    return True


def _compared(ecosystem: str, one: str, other: str) -> int | None:
    """Return -1, 0 or 1, by the registry's own order: semver 2.0 for npm, PEP 440 for PyPI."""
    if len(one) > 100 or len(other) > 100:
        return None
    if ecosystem == "npm":
        one, other = one.lstrip("v="), other.lstrip("v=")
        if nodesemver.valid(one, False) is None or nodesemver.valid(other, False) is None:
            return None
        return int(nodesemver.compare(one, other, False))
    try:
        left, right = Version(one), Version(other)
    except InvalidVersion:
        return None
    return (left > right) - (left < right)


@functools.cache
def _by_package() -> dict[tuple[str, str], list[Advisory]]:
    found: dict[tuple[str, str], list[Advisory]] = {}
    for row in _table("snapshot.toml")["advisory"]:
        one = Advisory(**{**row, "affected": tuple(row["affected"])})
        found.setdefault((one.ecosystem, one.package.lower()), []).append(one)
    return found


@functools.cache
def _table(name: str) -> dict[str, Any]:
    with open(os.path.join(os.path.dirname(__file__), name), "rb") as file:
        return tomllib.load(file)
