"""From a plan to a sandbox profile: the text that `/usr/bin/sandbox-exec -p` compiles.

The order is the order of the decisions: what every process needs, what the plan grants, what is protected within that, what is denied
within that. See `base` for the two readings that each verdict has to survive.
"""

from __future__ import annotations

from stdioguard.sandbox import patterns
from stdioguard.sandbox.macos import base, globs, paths, text
from stdioguard.sandbox.macos.errors import MacSandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from stdioguard.sandbox.plan import Plan

_READ = "file-read* file-test-existence"
_WRITE = f"{_READ} file-write* file-link"

# Each operation of an allow rule by its own name, and the wildcard for those that none names.
_NO_CHANGE = "file-write* file-write-create file-write-data file-write-unlink file-link network-bind"
_NOTHING = (
    "file-read* file-read-data file-read-metadata file-test-existence file-map-executable process-exec* network-outbound network-inbound "
    + _NO_CHANGE
)
_IN_PLACE = "file-write-create file-write-unlink"

_CHUNK = 40
"""Filters in one rule: the reader takes an expression of 64 KiB at most (NixOS/nix#4119)."""


def profile(plan: Plan, kernel: paths.Kernel = paths.kernel_path) -> str:
    """Return the profile of `plan`. `kernel` gives the kernel's name of a path; another one is for tests on other systems.

    Raises `MacSandboxError` where the plan cannot be held to.
    """
    known: dict[str, str] = {}

    def named(path: str) -> str:
        if path not in known:
            known[path] = kernel(path)
        return known[path]

    private = [plan.home, plan.cache, plan.tmp]
    written = _names([*plan.write, *private], named)
    read = _names(plan.read, named)
    executed = _names([*plan.runtime, plan.program], named)
    sockets = _names(plan.sockets, named)
    links = [paths.lexical(link) for link, _target in plan.links]
    visible = [*written, *read, *executed, *sockets, *_names([plan.cwd], named), *links]
    lines = [base.OPENING, base.PROCESSES]
    lines += _system()
    lines += _rules(f"allow {_READ} file-map-executable process-exec*", _below(executed))
    lines += _rules(f"allow {_READ}", _below(read))
    lines += _rules(f"allow {_WRITE}", _below(written))
    # An operation of its own since macOS 14: SQLite locks what it reads as well.
    lines += [f"(when (defined? 'file-lock) {rule})" for rule in _rules("allow file-lock", _below([*read, *written]))]
    # Who resolves a path asks for each folder above it, and for each link on the way.
    lines += _rules("allow file-read-metadata", [f"(literal {text.quoted(path)})" for path in paths.all_above(visible)])
    lines += _rules(
        "allow file-read-metadata", [f"(literal {text.quoted(path)})" for path in [*links, *_names([plan.cwd], named)]]
    )
    lines += _network(plan, sockets, _names([plan.tmp], named))
    lines += _protected(plan, written, named)
    lines += _denied(plan, written, named)
    return "\n".join(lines) + "\n"


def _names(given: Iterable[str], kernel: paths.Kernel) -> list[str]:
    """Return the kernel's names of paths, each once, with the alias that older systems compare (see `paths.on_data_volume`)."""
    names: dict[str, None] = {}
    for path in given:
        if not path:
            raise MacSandboxError("the plan holds an empty path: this is a mistake in stdioguard")
        name = paths.lexical(kernel(paths.lexical(path)))
        if name == "/":
            raise MacSandboxError(f"{path!a} is all of the file system: grant less")
        names[name] = None
        if paths.below(name, paths.DATA_VOLUME):
            names[paths.on_data_volume(name) or "/"] = None
    if "/" in names:
        raise MacSandboxError(f"{paths.DATA_VOLUME} is all of the user's files: grant less")
    return list(names)


def _system() -> list[str]:
    return [
        *_rules(f"allow {_READ} file-map-executable", _below(base.SYSTEM_CODE)),
        *_rules(f"allow {_READ}", _below(base.SYSTEM_DATA)),
        *_rules(f"allow {_READ}", [f"(literal {text.quoted(path)})" for path in base.SYSTEM_FILES]),
        *_rules("allow file-map-executable", [f"(literal {text.quoted(base.SYSTEM_FILES[-1])})"]),
        *_rules(
            "allow file-read-metadata",
            [
                f"(literal {text.quoted(path)})"
                for path in (
                    *base.ALIASES,
                    *paths.all_above((*base.SYSTEM_CODE, *base.SYSTEM_DATA, *base.SYSTEM_FILES, f"{paths.DATA_VOLUME}/Users")),
                )
            ],
        ),
        *_rules("allow mach-lookup", [f"(global-name {text.quoted(name)})" for name in base.MACH_SERVICES]),
        *_rules("allow sysctl-read", [f"(sysctl-name {text.quoted(name)})" for name in base.SYSCTLS]),
        *_rules("allow sysctl-read", [f"(sysctl-name-prefix {text.quoted(name)})" for name in base.SYSCTL_PREFIXES]),
    ]


def _network(plan: Plan, sockets: list[str], own: list[str]) -> list[str]:
    """Return the rules for sockets: the granted ones, those that the server makes in its own `tmp`, and the proxy's port.

    Seatbelt knows two hosts, `*` and `localhost`, so hosts are the proxy's business. A rule with a path is about UNIX sockets only.
    """
    lines = _rules("allow network-outbound", [f"(literal {text.quoted(path)})" for path in sockets])
    lines += _rules("allow network-outbound network-inbound network-bind", [f"(subpath {text.quoted(path)})" for path in own])
    if plan.network:
        if not 0 < plan.proxy_port < 65536:
            raise MacSandboxError("the plan grants hosts and names no proxy to reach them by: this is a mistake in stdioguard")
        families = [f"(require-all (socket-domain {family}) (socket-type SOCK_STREAM))" for family in ("AF_INET", "AF_INET6")]
        lines += _rules("allow system-socket", families)
        lines += _rules("allow network-outbound", [f'(remote tcp "localhost:{plan.proxy_port}")'])
    return lines


def _protected(plan: Plan, written: list[str], kernel: paths.Kernel) -> list[str]:
    """Return the rules that keep what is protected as it is, also in the server's own folders.

    There too: a folder that is prepared in `tmp` is one rename away from any grant. Where nothing is granted, nothing is protected.
    """
    if not plan.write:
        return []
    roots = [comparable(root) for root in written]
    kept = [
        globs.Glob(pattern)
        for pattern in plan.protected
        if pattern != patterns.EMBEDDED_REPOSITORY and (not pattern.startswith("/") or _reachable(pattern, roots))
    ]
    lines = _rules(f"deny {_NO_CHANGE}", globs.covered(kept, kernel))
    lines += _rules(f"deny {_IN_PLACE}", globs.leading_to(kept, kernel))
    lines += _rules(f"deny {_IN_PLACE}", _on_the_way(kept, written, kernel))
    if patterns.EMBEDDED_REPOSITORY in plan.protected:
        heads, holders = globs.embedded_repositories()
        lines += _rules(f"deny {_NO_CHANGE}", heads) + _rules("deny file-write-unlink", holders)
    if plan.protected:
        # Where HFS+ compares names, `.g<U+200C>it` is `.git`. The first such character of an ASCII name follows an ASCII one, or a slash;
        # in scripts and emoji that need them they follow other characters.
        ignored = "|".join(text.IGNORED_BY_HFS)
        lines += _rules("deny file-write-create", [f"(regex {text.quoted(f'[ -~]({ignored})[^/]*$')})"])
    return lines


def _denied(plan: Plan, written: list[str], kernel: paths.Kernel) -> list[str]:
    """Return the rules for what is neither read nor changed, and for the grants themselves: none can be taken from its place."""
    kept = list(map(globs.Glob, plan.deny))
    lines = _rules(f"deny {_NOTHING}", globs.covered(kept, kernel))
    lines += _rules(f"deny {_IN_PLACE}", globs.leading_to(kept, kernel))
    lines += _rules(f"deny {_IN_PLACE}", _on_the_way(kept, written, kernel))
    return lines + _rules(f"deny {_IN_PLACE}", [one for path in written for one in globs.at(path, kernel)])


def _on_the_way(kept: list[globs.Glob], written: list[str], kernel: paths.Kernel) -> list[str]:
    """Return filters for the folders above what is kept, as far as they can be written at all."""
    roots = [comparable(root) for root in written]
    found: dict[str, None] = {}
    for glob in kept:
        literal = glob.literal()
        starts = paths.spellings(literal, kernel) if literal else [kernel(glob.anchor()), glob.anchor()]
        for start in starts:
            folders = paths.above(start) if literal or start == "/" else [start, *paths.above(start)]
            for folder in folders:
                if any(paths.below(comparable(folder), root) for root in roots):
                    found[folder] = None
    return [one for folder in sorted(found) for one in globs.at(folder, kernel)]


def _reachable(pattern: str, roots: list[str]) -> bool:
    """Tell whether anything that the pattern covers can lie where the server may write: all else is denied as it is.

    By text: the list of what is protected names what its links lead to.
    """
    start = comparable(paths.lexical(patterns.literal_part(pattern)))
    return any(paths.below(start, root) or paths.below(root, start) for root in roots)


def comparable(path: str) -> str:
    """Return what two spellings have in common that name the same file on a volume that does not see case."""
    if path.isascii():
        return path.lower()
    import unicodedata  # noqa: PLC0415 - most paths are ASCII, and this is on the way of every launch

    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())


def _below(granted: Iterable[str]) -> list[str]:
    """Return filters for paths and what is below them. Whether `subpath` matches a plain file is told both ways, so `literal` does."""
    return [f"({kind} {text.quoted(path)})" for path in granted for kind in ("literal", "subpath")]


def _rules(head: str, filters: list[str]) -> list[str]:
    """Return rules with the filters in them: none without a filter, since that would match everything."""
    return [f"({head}\n  " + "\n  ".join(filters[start : start + _CHUNK]) + ")" for start in range(0, len(filters), _CHUNK)]
