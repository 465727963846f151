"""Patterns for paths: which names are denied and which are protected, matched component by component.

A pattern is an absolute path, or `**/` and the end of one. `*` stands for any run of characters within one component, `?` for one
character, and `**` alone for any number of components, also none. What matches a directory covers all that is below it, so that
`**/.git/hooks/**` and `**/.git/hooks` are the same.

Two lists: what is *denied* is neither read nor written, what is *protected* may be read. Both see no case and no Unicode form: on a
file system that folds case (ext4 and f2fs with `+F`, vfat, shares), `.GIT/HOOKS` is `.git/hooks` (CVE-2014-9390), and elsewhere
nobody has both. The short names of vfat (`GIT~1`) are not known here.

A tree of components, walked once a path, takes a microsecond or two and is built in less than one millisecond, where a regular expression
of some hundred branches takes tens of milliseconds to compile.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

EMBEDDED_REPOSITORY = "**/HEAD"
"""A file `HEAD` makes a bare git repository of the directory it is in, if `objects` and `refs` are there too, and git obeys the `config`
of such a directory for whoever stands in it (git-config(1), safe.bareRepository). As an entry of the protected list it means a file of
exactly this name that is not below a directory of `REPOSITORIES`: a repository needs it, and its configuration is protected there.
"""
REPOSITORIES = (".git", ".jj")
"""Ends of the names of directories that hold repositories: `.git`, and `project.git` too."""

# Characters that ext4, APFS and HFS+ ignore in names (Unicode, Default_Ignorable_Code_Point).
_IGNORED = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F),
    (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip


def problem(pattern: str) -> str | None:
    """Return what is wrong with `pattern`, or `None`."""
    if "\0" in pattern or "\n" in pattern:
        return "a path pattern holds no line break and no NUL"
    components = pattern.split("/")
    if components[0] not in ("", "**") or len(components) < 2:
        return "a path pattern starts with / or with **/"
    if components[-1] == "":
        components.pop()
    for component in components[1:]:
        if component in ("", ".", ".."):
            return "a path pattern has no empty, . or .. component"
        if "**" in component and component != "**":
            return "** stands for whole components only, as in **/name"
    return None


def literal_part(pattern: str) -> str:
    """Return the directory or file below which everything is that an absolute pattern can match."""
    literal = []
    for component in pattern.split("/")[1:]:
        if "*" in component or "?" in component:
            break
        literal.append(component)
    return "/" + "/".join(literal).rstrip("/")


def folded(path: str) -> str:
    """Return `path` as a file system that sees neither case nor Unicode forms would compare it."""
    if path.isascii():
        return path.lower()
    import unicodedata  # noqa: PLC0415 - seldom needed

    path = unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())
    return "".join(char for char in path if not _is_ignored(ord(char)))


def _is_ignored(code: int) -> bool:
    return code >= 0xAD and any(first <= code <= last for first, last in _IGNORED)


class Fence:
    """What a server may not do to names. Each method takes canonical absolute paths, and returns the pattern that forbids, or `None`.

    Raises `ValueError` for a pattern that `problem` finds fault with.
    """

    __slots__ = ("_all", "_denied", "_embedded", "_protected")

    def __init__(self, deny: Iterable[str], protected: Iterable[str]) -> None:
        deny = list(deny)
        protected = list(protected)
        self._embedded = EMBEDDED_REPOSITORY in protected
        protected = [pattern for pattern in protected if pattern != EMBEDDED_REPOSITORY]
        self._denied = _Tree(deny)
        self._protected = _Tree(protected)
        self._all = (self._protected, self._denied) if deny else (self._protected,)

    def forbids_reading(self, path: str) -> str | None:
        """Tell what denies `path`."""
        return self._denied.covers(_components(path))

    def forbids_making(self, path: str) -> str | None:
        """Tell why no directory may be made at `path`, and what is there may not be changed: it is denied or protected."""
        names = _components(path)
        for tree in self._all:
            pattern = tree.covers(names)
            if pattern is not None:
                return pattern
        return None

    def forbids_writing(self, path: str) -> str | None:
        """Tell why nothing but a directory may be made or written at `path`, and nothing be taken away there.

        Denied and protected names are forbidden, and the names of the directories above them: a file `.git` can point git to any
        directory (gitrepository-layout(5)), and where a link `~/.config` leads to, protected names mean nothing.
        """
        names = _components(path)
        for tree in self._all:
            pattern = tree.covers_or_leads_to(names)
            if pattern is not None:
                return pattern
        if self._embedded and path.endswith("/HEAD") and not _is_in_repository(path):
            return EMBEDDED_REPOSITORY
        return None

    def forbids_linking(self, path: str) -> str | None:
        """Tell why no symbolic link may be at `path`: as `forbids_writing`, and where a directory may hold something protected."""
        return self.forbids_writing(path) or self._protected.may_hold(_components(path))

    def forbids_moving(self, path: str, to: str) -> str | None:
        """Tell why a directory may not be moved from `path` to `to`.

        Neither may be a name that is denied, protected or above one that is, and what is in the directory must be covered by the same
        patterns afterwards: with `/data/**/key` denied, `/data/x` may become `/data/y`, but not `/elsewhere/x`.
        """
        pattern = self.forbids_writing(path) or self.forbids_writing(to)
        if pattern is not None:
            return pattern
        one, other = _components(path), _components(to)
        for tree in self._all:
            pattern = tree.tells_apart(one, other)
            if pattern is not None:
                return pattern
        return None


def _components(path: str) -> list[str]:
    return folded(path).split("/")[1:] if path != "/" else []


def _is_in_repository(path: str) -> bool:
    return any(component.endswith(REPOSITORIES) for component in path.split("/")[:-1])


class _Node:
    """What has been matched so far. `rule` is the pattern that ends here; `repeats` says that `**` got here, and goes on."""

    __slots__ = ("anywhere", "ends", "names", "origin", "repeats", "rule", "starts", "wild")

    def __init__(self, origin: str, *, repeats: bool = False) -> None:
        self.names: dict[str, _Node] = {}
        self.wild: list[tuple[_Wild, _Node]] = []
        self.starts: tuple[str, ...] = ()
        self.ends: tuple[str, ...] = ()
        self.anywhere: _Node | None = None
        self.rule: str | None = None
        self.origin = origin
        self.repeats = repeats

    def add_wild(self, component: str, after: _Node) -> None:
        """Add what follows a component with wildcards. One look at all starts and ends rules out almost every name."""
        wild = _Wild(component)
        self.wild.append((wild, after))
        if wild.start:
            self.starts += (wild.start,)
        else:
            self.ends += (wild.end,)


class _Tree:
    """The patterns of one list."""

    __slots__ = ("_root", "_start")

    def __init__(self, patterns: Iterable[str]) -> None:
        self._root = _Node("/")
        for pattern in patterns:
            wrong = problem(pattern)
            if wrong is not None:
                raise ValueError(f"{pattern!r}: {wrong}")
            self._add(pattern)
        root = self._root
        self._start = [root] if root.anywhere is None else [root, root.anywhere]

    def _add(self, pattern: str) -> None:
        components = folded(pattern).split("/")
        if components[0] == "":
            del components[0]
        while components and components[-1] in ("", "**"):
            components.pop()
        node = self._root
        for component in components:
            if component == "**":
                if not node.repeats:
                    node.anywhere = node.anywhere or _Node(pattern, repeats=True)
                    node = node.anywhere
            elif "*" in component or "?" in component:
                following = _Node(pattern)
                node.add_wild(component, following)
                node = following
            else:
                node = node.names.setdefault(component, _Node(pattern))
        node.rule = node.rule or pattern

    def covers(self, names: list[str]) -> str | None:
        return self._walk(names)[0]

    def covers_or_leads_to(self, names: list[str]) -> str | None:
        rule, reached = self._walk(names)
        if rule is None:
            for node in reached:
                if not node.repeats:
                    return node.origin
        return rule

    def may_hold(self, names: list[str]) -> str | None:
        rule, reached = self._walk(names)
        if rule is None:
            base = self._root.anywhere
            for node in reached:
                if node is not base:
                    return node.origin
        return rule

    def tells_apart(self, names: list[str], others: list[str]) -> str | None:
        """Return a pattern that means something else below the one path than below the other. Neither is covered."""
        one, two = self._walk(names)[1], self._walk(others)[1]
        for these, those in ((one, two), (two, one)):
            for node in these:
                if node not in those:
                    return node.origin
        return None

    def _walk(self, names: list[str]) -> tuple[str | None, list[_Node]]:
        """Return the pattern that covers a path, or `None` and what has been matched of others."""
        reached = self._start
        if self._root.rule is not None:
            return self._root.rule, []
        for name in names:
            following = []
            for node in reached:
                if node.repeats:
                    following.append(node)
                matched = node.names.get(name)
                found = [] if matched is None else [matched]
                if node.wild and (name.startswith(node.starts) or name.endswith(node.ends)):
                    found += [after for wild, after in node.wild if wild.fits(name)]
                for after in found:
                    if after.rule is not None:
                        return after.rule, []
                    following.append(after)
                    if after.anywhere is not None and after.anywhere not in following:
                        following.append(after.anywhere)
            if not following:
                return None, following
            reached = following
        return None, reached


class _Wild:
    """One component with wildcards. What is before the first and after the last one tells most; few need a regular expression."""

    __slots__ = ("_least", "_text", "_whole", "end", "start")

    def __init__(self, component: str) -> None:
        parts = component.replace("?", "*").split("*")
        self.start = parts[0]
        self.end = parts[-1]
        self._least = max(1, len(self.start) + len(self.end))
        self._text = component
        self._whole: re.Pattern[str] | bool = len(parts) > 2 or "?" in component

    def fits(self, name: str) -> bool:
        if not self._whole:
            return len(name) >= self._least and name.startswith(self.start) and name.endswith(self.end)
        if self._whole is True:
            import re  # noqa: PLC0415 - only where a pattern needs it

            parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in self._text)
            self._whole = re.compile("".join(parts), re.DOTALL)
        return self._whole.fullmatch(name) is not None
