"""Which registries a server's packages come from, where its words or its variables name them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stdioguard.audit.shown import host_of, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView
    from stdioguard.installs.formats.document import Path

_USUAL = re.compile(
    r"(?:[a-z0-9\-]+\.)*(?:npmjs\.(?:org|com)|yarnpkg\.com|jsr\.io|pypi\.org|pythonhosted\.org|nuget\.org|deno\.land)"
)
"""The public registries, their own mirrors among them."""

_REPLACES = ("--registry", "--index-url", "--default-index", "--source")
_ADDS = ("--extra-index-url", "--find-links")
_VARIABLES = {
    "NPM_CONFIG_REGISTRY": False, "BUN_CONFIG_REGISTRY": False, "YARN_REGISTRY": False, "YARN_NPM_REGISTRY_SERVER": False,
    "PNPM_CONFIG_REGISTRY": False, "DENO_NPM_REGISTRY": False, "NPM_REGISTRY": False,
    "UV_INDEX_URL": False, "UV_DEFAULT_INDEX": False, "PIP_INDEX_URL": False,
    "UV_INDEX": False, "UV_EXTRA_INDEX_URL": False, "PIP_EXTRA_INDEX_URL": True, "UV_FIND_LINKS": True, "PIP_FIND_LINKS": True,
}  # fmt: skip
"""Variables that name a registry, and whether it is asked beside the public one. uv takes a name from the first index that has it."""


@dataclass(frozen=True, slots=True)
class Registry:
    """One registry, and where it is named."""

    scheme: str
    host: str
    is_added: bool
    """Whether it is asked beside the public one, so that either may answer."""
    path: Path

    @property
    def is_usual(self) -> bool:
        """Whether it is a public registry, reached as usual, or one on this machine."""
        return is_loopback(self.host) or (_USUAL.fullmatch(self.host) is not None and not self.is_plain)

    @property
    def is_plain(self) -> bool:
        """Whether what comes from it is not protected on its way."""
        return self.scheme == "http"


def of(view: EntryView) -> list[Registry]:
    """Return every registry that an entry names, in its words and then in its variables."""
    return [*_in_words(view), *_in_variables(view)] if view.entry.kind == "stdio" else []


def _in_words(view: EntryView) -> Iterator[Registry]:
    started = view.started
    last = started.index if started.index is not None else len(view.argv)
    words = view.argv
    mixed = any(word == "--index-strategy" and "unsafe" in words[at + 1] for at, word in enumerate(words[:-1])) or any(
        word.startswith("--index-strategy=unsafe") for word in words
    )
    for at, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option not in (*_REPLACES, *_ADDS, "--index", "-i") or (at > last and option == "-i"):
            continue
        if not started.registry and option not in _ADDS:
            continue  # an option of the server's own
        if not equals:
            value = words[at + 1] if at + 1 < len(words) else ""
        added = option in _ADDS and (mixed or "--pip-args" in " ".join(words[:at]))
        yield from _read(value.rpartition("=")[2] if option == "--index" else value, added or mixed, view.word(at))


def _in_variables(view: EntryView) -> Iterator[Registry]:
    mixed = view.entry.env.get("UV_INDEX_STRATEGY", "").startswith("unsafe")
    for name, value in view.entry.env.items():
        added = _VARIABLES.get(name.upper())
        if added is not None:
            for one in value.split():
                yield from _read(one, added or mixed, view.variable(name))


def _read(address: str, added: bool, path: Path) -> Iterator[Registry]:
    match = re.match(r"(https?)://", address, re.IGNORECASE)
    if match is not None:
        yield Registry(match.group(1).lower(), host_of(address), added, path)
