"""Paths as the kernel writes them, which is how Seatbelt compares them.

A rule about another spelling does not fail, it never matches. Symbolic links are resolved before, `/tmp` is `/private/tmp`, and what lies
on the data volume has the name of its firmlink: `/Users/ann`, not `/System/Volumes/Data/Users/ann`. Only what does not exist yet is
compared as it was spelled.
"""

from __future__ import annotations

import fcntl
import os

from stdioguard.sandbox.macos.errors import MacSandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Kernel = Callable[[str], str]

DATA_VOLUME = "/System/Volumes/Data"

# /usr/share/firmlinks of macOS 15.
FIRMLINKS = (
    "/AppleInternal", "/Applications", "/Library", "/System/Library/Assets", "/System/Library/AssetsV2", "/System/Library/Caches",
    "/System/Library/CoreServices/CoreTypes.bundle/Contents/Library", "/System/Library/PreinstalledAssets",
    "/System/Library/PreinstalledAssetsV2", "/System/Library/Speech", "/Users", "/Volumes", "/cores", "/opt", "/private", "/usr/local",
    "/usr/libexec/cups", "/usr/share/snmp",
)  # fmt: skip
_PRIVATE = (["tmp"], ["var"], ["etc"])
"""First components of the symbolic links into /private that every Mac has."""

_MAXPATHLEN = 1024


def lexical(path: str) -> str:
    """Return `path` without what the kernel leaves out: empty and `.` components, and the aliases that every Mac has.

    Raises `MacSandboxError` for a path that is relative or climbs: where it leads is not for text to decide.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not path.startswith("/") or ".." in parts:
        raise MacSandboxError(f"the path {path!a:.200} is relative or holds '..': write it out in full")
    plain = "/" + "/".join(parts)
    if plain.startswith(DATA_VOLUME) and below(plain, DATA_VOLUME):
        rest = plain[len(DATA_VOLUME) :]
        if any(below(rest, link) for link in FIRMLINKS):
            plain = rest
    if parts[:1] in _PRIVATE:
        plain = f"/private{plain}"
    return plain


def kernel_path(path: str) -> str:
    """Return the path that the kernel has for `path`; what does not exist keeps its spelling below what does (fcntl(2), F_GETPATH)."""
    resolved = os.path.realpath(path)
    existing = resolved
    while not os.path.lexists(existing) and existing != "/":
        existing = os.path.dirname(existing)
    command = getattr(fcntl, "F_GETPATH", None)
    if command is None:
        return lexical(resolved)
    try:
        # O_EVTONLY asks for nothing but the vnode: no read permission is needed.
        descriptor = os.open(existing, getattr(os, "O_EVTONLY", 0) | os.O_CLOEXEC)
        try:
            answer: bytes = fcntl.fcntl(descriptor, command, bytes(_MAXPATHLEN))
        finally:
            os.close(descriptor)
    except OSError:
        return lexical(resolved)
    found = os.fsdecode(answer.split(b"\0", 1)[0])
    return lexical(os.path.join(found, resolved[len(existing) :].lstrip("/")))


def spellings(path: str, kernel: Kernel) -> list[str]:
    """Return under which names a rule about `path` has to look for it: as written, with its folder resolved, and resolved itself.

    The last two differ where `path` is itself a symbolic link: the link may not be replaced, nor what it leads to be changed.
    """
    written = lexical(path)
    parent, name = os.path.split(written)
    names = [written]
    if name:
        names += [os.path.join(kernel(parent), name), kernel(written)]
    return list(dict.fromkeys(names))


def on_data_volume(path: str) -> str:
    """Return the other name that a path has, with the data volume's mount point or without it.

    Below the mount point, but under no firmlink, macOS 11 and 12 compare a path without the mount point (crbug.com/1266490).
    """
    return path[len(DATA_VOLUME) :] if below(path, f"{DATA_VOLUME}/") else DATA_VOLUME + ("" if path == "/" else path)


def below(path: str, folder: str) -> bool:
    """Tell whether `path` is `folder` or lies below it, by their text."""
    folder = folder.rstrip("/")
    return path == folder or path.startswith(f"{folder}/")


def above(path: str) -> list[str]:
    """Return the folders above `path`, the nearest first, without the root."""
    found = []
    while (path := os.path.dirname(path)) != "/":
        found.append(path)
    return found


def all_above(paths: Iterable[str]) -> list[str]:
    """Return the folders above any of `paths`, each once, in the order of their names."""
    return sorted({folder for path in paths for folder in above(path)})
