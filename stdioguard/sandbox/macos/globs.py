"""Patterns for paths, as filters: what a pattern covers, and the folders on the way to it.

The folders count because a rule is about names. A rename checks that its source may be removed and its target be created, and nothing of
what is inside: `mv .git away` takes the hooks along, and `mv prepared .git` brings some. So whatever a pattern names before its last
component may not be removed, renamed, created or put in place either.
"""

from __future__ import annotations

import os
import re

from stdioguard.sandbox.macos import paths, text
from stdioguard.sandbox.macos.errors import MacSandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_WILD = re.compile(r"[*?]")
_DATA = f"({paths.DATA_VOLUME})?"


class Glob:
    """A pattern taken apart: its components without a final `**`, and whether it starts at the root."""

    __slots__ = ("anchored", "components", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        wrong = text.problem(source)
        parts = [part for part in source.split("/") if part not in ("", ".")]
        if wrong is None and not source.startswith(("/", "**/")):
            wrong = "is neither an absolute path nor starts with **/"
        if wrong is None and (".." in parts or any("**" in part and part != "**" for part in parts)):
            wrong = "holds '..', or a ** that is not a whole component"
        self.anchored = parts[:1] != ["**"]
        while parts[-1:] == ["**"]:
            parts.pop()
        while parts[:1] == ["**"]:
            parts.pop(0)
        if wrong is None and not parts:
            wrong = "covers everything"
        if wrong is not None:
            raise MacSandboxError(f"the pattern {source!a:.200} {wrong}: change it, or take it out of the profile")
        self.components = parts

    def literal(self) -> str | None:
        """Return the one path that this pattern names, or `None`."""
        return (
            None if not self.anchored or any(_WILD.search(part) for part in self.components) else "/" + "/".join(self.components)
        )

    def anchor(self) -> str:
        """Return the folder that everything lies in which the pattern can match: `/` where that can be anywhere."""
        if not self.anchored:
            return "/"
        fixed = []
        for part in self.components:
            if _WILD.search(part):
                break
            fixed.append(part)
        return "/" + "/".join(fixed)


def covered(globs: Iterable[Glob], kernel: paths.Kernel) -> list[str]:
    """Return filters for what the patterns match and all that lies below it."""
    return _filters(globs, kernel, whole=True)


def leading_to(globs: Iterable[Glob], kernel: paths.Kernel) -> list[str]:
    """Return filters for the folders that the patterns name on the way to what they match, and for nothing in them.

    Those above an anchor are for the caller: which of them matter depends on what may be written. Behind a `**` in the middle any folder
    may be on the way, and none is returned: a prepared folder can be put there.
    """
    return _filters(globs, kernel, whole=False)


def _filters(globs: Iterable[Glob], kernel: paths.Kernel, *, whole: bool) -> list[str]:
    anywhere: list[str] = []
    found: list[str] = []
    for glob in globs:
        literal = glob.literal()
        if literal is not None:
            if whole:
                for path in paths.spellings(literal, kernel):
                    found += _path(path, kernel)
            continue
        for components in [glob.components] if whole else _heads(glob):
            any_entry = not whole and _WILD.search(components[-1]) is not None
            if not glob.anchored and not any_entry:
                anywhere.append(_body(components))
                continue
            anchor = glob.anchor()
            rest = components[len([part for part in anchor.split("/") if part]) :]
            for start in _anchors(anchor, kernel) if glob.anchored else [""]:
                filters = _regexes((f"^{_DATA}{start}" if glob.anchored else "") + f"/{_body(rest)}", ended=whole)
                # A folder that only a wildcard names: the plain files beside it are not on the way to anything.
                found += (
                    [f"(require-all {one} (require-not (vnode-type REGULAR-FILE)))" for one in filters] if any_entry else filters
                )
    for group in _groups(anywhere):
        found += _regexes(f"/{group}", ended=whole)
    return list(dict.fromkeys(found))


def _heads(glob: Glob) -> list[list[str]]:
    """Return the proper beginnings of the pattern that name a folder below its anchor, up to its first inner `**`."""
    parts = glob.components
    first = len([part for part in glob.anchor().split("/") if part]) + 1
    last = parts.index("**") if "**" in parts else len(parts) - 1
    return [parts[:end] for end in range(first, last + 1) if end < len(parts)]


def _path(path: str, kernel: paths.Kernel) -> list[str]:
    """Return filters for one path and all below it, under each name and in each spelling that could create it."""
    exact = [f"({kind} {text.quoted(name)})" for name in (path, paths.on_data_volume(path)) for kind in ("literal", "subpath")]
    return exact + _regexes(f"^{_DATA}{_folded_path(path, kernel)}", ended=True)


def embedded_repositories() -> tuple[list[str], list[str]]:
    """Return filters for `patterns.EMBEDDED_REPOSITORY`: names of a file `HEAD` that git has no use for, and folders that hold one it has.

    The latter may not be moved: with a `config` beside it, such a folder is a repository wherever it is put.
    """
    git, head = f"{text.folded('.git')}/", f"/{text.folded('HEAD')}$"
    remotes = f"({text.folded('logs')}/)?{text.folded('refs')}/{text.folded('remotes')}/[^/]+"
    worktrees = f"{text.folded('worktrees')}/[^/]+(/{text.folded('logs')})?"
    modules = f"{text.folded('modules')}/"
    jj = "/".join(map(text.folded, (".jj", "repo", "store", "git")))
    usual = (
        f"{git[:-1]}{head}",
        f"{git}({text.folded('logs')}|{worktrees}|{remotes}){head}",
        f"{git}{modules}.*{head}",
        f"{jj}{head}",
    )
    beside = "".join(f" (require-not (regex {text.quoted(one)}))" for one in usual)
    holders = (f"{git}({text.folded('logs')}|{remotes})$", f"{git}{modules}", f"{jj}$")
    return (
        [f"(require-all (regex {text.quoted(head)}){beside})"],
        [f"(require-all (regex {text.quoted(one)}) (require-not (vnode-type REGULAR-FILE)))" for one in holders],
    )


def at(path: str, kernel: paths.Kernel) -> list[str]:
    """Return filters for one path itself, without what is below it."""
    exact = [f"(literal {text.quoted(name)})" for name in (path, paths.on_data_volume(path))]
    return exact + _regexes(f"^{_DATA}{_folded_path(path, kernel)}", ended=False)


def _folded_path(path: str, kernel: paths.Kernel) -> str:
    """Return a regular expression for every spelling of `path`, without its ends.

    Where that would be too long, the folders that exist are left as the kernel spells them: it does not know them by another name.
    """
    if paths.below(path, f"{paths.DATA_VOLUME}/"):
        path = paths.on_data_volume(path)  # `_DATA` before it stands for both names
    whole = "/" + "/".join(text.folded(part) for part in path.split("/")[1:])
    if text.fits(f"^{_DATA}{whole}$"):
        return whole
    existing = path
    while existing != "/" and not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    tail = path[len(existing) :].lstrip("/") if existing != "/" else path[1:]
    start = "" if existing == "/" else text.escaped(kernel(existing))
    return start + "".join(f"/{text.folded(part)}" for part in tail.split("/") if part)


def _anchors(anchor: str, kernel: paths.Kernel) -> list[str]:
    if anchor == "/":
        return [""]
    names = dict.fromkeys((paths.lexical(anchor), kernel(paths.lexical(anchor))))
    return [_folded_path(name, kernel) for name in names]


def _body(components: list[str]) -> str:
    """Return the regular expression for components, from the first letter of the first one on."""
    body = ""
    for index, part in enumerate(components):
        if part == "**":
            body += "(.*/)?"
        else:
            body += _component(part) + ("/" if index < len(components) - 1 else "")
    return body


def _component(part: str) -> str:
    if part == "*":
        return "[^/]+"
    regex = ""
    for piece in re.split(r"([*?])", part):
        # A `?` is one character, which is up to four bytes: more is refused rather than less.
        regex += {"*": "[^/]*", "?": "[^/][^/]?[^/]?[^/]?"}.get(piece) or text.folded(piece)
    return regex


def _groups(bodies: list[str]) -> list[str]:
    """Join alternatives as long as they fit a string: one expression of twenty names compiles faster than twenty."""
    groups: list[list[str]] = []
    for body in dict.fromkeys(bodies):
        if groups and text.fits(f"/({'|'.join([*groups[-1], body])})$"):
            groups[-1].append(body)
        else:
            groups.append([body])
    return [group[0] if len(group) == 1 else f"({'|'.join(group)})" for group in groups]


def _regexes(regex: str, *, ended: bool) -> list[str]:
    """Return filters for exactly `regex` and, with `ended`, for what is below: two, for a `.` may not match a newline in a name."""
    endings = ("$", "/") if ended else ("$",)
    return [f"(regex {text.quoted(regex + ending)})" for ending in endings]
