"""What a command needs of the machine to run at all, beyond the system's own programs and libraries: its interpreter and its code.

Everything here is granted for reading and executing only, and least first: the folder that is a Python environment or a package, not
the one that it lies in. Nothing is run or imported to find out. What would give more than code is not granted but noted: the home
folder, what holds it, stdioguard's own places, secrets, a folder that many share. The working directory is
granted only where the command itself says that its code is there.
"""

from __future__ import annotations

import os
import sys

from stdioguard.policy import places
from stdioguard.sandbox import permissions
from stdioguard.sandbox.linux import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from stdioguard.sandbox.ownership import Checked, Checker

BASE = frozenset(system.DIRECTORIES if sys.platform == "linux" else ("/usr", "/bin", "/sbin", "/System"))
"""What every server may read."""

_SECRETS = (
    ".aws", ".azure", ".cargo/credentials", ".cargo/credentials.toml", ".claude/.credentials.json", ".codex/auth.json",
    ".config/BraveSoftware", ".config/chromium", ".config/gcloud", ".config/gh", ".config/google-chrome", ".config/op",
    ".config/rclone", ".docker/config.json", ".gem/credentials", ".git-credentials", ".gnupg", ".kube", ".local/share/keyrings",
    ".m2/settings.xml", ".mozilla", ".netrc", ".npmrc", ".password-store", ".pypirc", ".ssh", ".terraform.d", ".thunderbird",
    ".vault-token", "Library/Cookies", "Library/Keychains", "Library/Mail", "Library/Messages", "Library/Safari",
)  # fmt: skip
_SHARED_AT_HOME = (
    ".cache", ".config", ".local", ".local/bin", ".local/lib", ".local/share", ".local/state", "Applications", "Desktop", "Documents",
    "Downloads", "Library", "Library/Application Support", "Library/Caches", "Movies", "Music", "Pictures", "Public", "Templates",
    "Videos", "bin",
)  # fmt: skip
_SHARED = frozenset(
    {
        "/Applications", "/Library", "/System", "/Users", "/Volumes", "/boot", "/dev", "/dev/shm", "/etc", "/home", "/media", "/mnt",  # noqa: S108
        "/nix", "/opt", "/private", "/private/tmp", "/private/var", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/usr", "/var",  # noqa: S108
        "/var/lib", "/var/tmp",  # noqa: S108
    }
)  # fmt: skip
_HOMES = ("/home", "/Users")
"""Whose folders are somebody's home, whatever HOME says."""

_MANAGERS = (("asdf", "ASDF_DATA_DIR", ("installs", "plugins", "shims")), ("volta", "VOLTA_HOME", ("bin", "tools")))
_PROGRAM_FOLDERS = frozenset({"Scripts", "bin", "libexec", "sbin", "shims"})


class Entry:
    """One file or folder, canonical, that is needed, and as what."""

    __slots__ = ("path", "reason")

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason


class Runtime:
    """What is needed.

    `entries` may be read and executed, none lies in another; `links` are the symbolic links that the command goes through to get there,
    with their targets; `environment` are variables by which programs find these places with another HOME; `notes` are
    sentences on what might be missed, and why it is not granted.
    """

    __slots__ = ("entries", "environment", "links", "notes")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.links: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.notes: list[str] = []


def needed(resolved: permissions.Resolved, cwd: str, environment: Mapping[str, str]) -> Runtime:
    """Return what the command needs to run. `environment` has HOME, PATH and the variables that move package managers' folders.

    Raises `PermissionRefused` where another user could change the code, and `OSError`.
    """
    collector = Collector(resolved, cwd, environment)
    kind = resolved.kind
    collector.add_program(resolved.executable)
    if kind == "python":
        from stdioguard.sandbox import python_code  # noqa: PLC0415 - for its commands only

        python_code.collect(collector, resolved)
    elif kind in ("node", "bun", "deno", "sh"):
        from stdioguard.sandbox import node_code  # noqa: PLC0415

        node_code.collect(collector, resolved)
    else:
        if kind not in permissions.FIRST_FILE or not collector.add_installation(
            resolved.executable.realpath, f"{kind}'s own files"
        ):
            collector.add_libraries(resolved.executable)
        for script in resolved.scripts:
            collector.add_script(script.path, alone=kind in ("java", "dotnet"))
    collector.add_manager((resolved.executable.path, *(script.path for script in resolved.scripts)))
    name = permissions.called(resolved)
    if name in permissions.FETCHERS:
        from stdioguard.sandbox import fetchers  # noqa: PLC0415

        collector.note(fetchers.advice(name, permissions.handed(resolved)))
    return collector.finished()


class Collector:
    """Gather what is needed, each piece judged before it is taken."""

    __slots__ = ("_anchors", "_closed", "_runtime", "_shared", "_taken", "checker", "cwd", "environment", "home")

    def __init__(self, resolved: permissions.Resolved, cwd: str, environment: Mapping[str, str]) -> None:
        self.checker: Checker = resolved.checker
        self.cwd = cwd
        self.environment = environment
        self._runtime = Runtime()
        self._taken: dict[str, str] = {}
        self.home = environment.get("HOME") or os.path.expanduser("~")
        named = {self.home, os.path.expanduser("~")}
        homes = sorted(path for path in named | {self.real(home) for home in named} if path.startswith("/") and path != "/")
        own = [places.directory(kind) for kind in ("config", "state", "cache")]
        own += [self.real(path) for path in own]
        self._closed = frozenset((*own, *[f"{home}/{name}" for home in homes for name in _SECRETS]))
        self._anchors = "\n".join(("", *homes, *self._closed, ""))  # searched as one text: each path of each launch is looked for
        self._shared = _SHARED | {f"{home}/{name}" for home in homes for name in _SHARED_AT_HOME}

    def unfit(self, path: str) -> str:
        """Return why a canonical path is not granted as a whole; empty if it can be."""
        if path == "/" or path in self._shared or os.path.dirname(path) in _HOMES:
            return "it holds much more"
        if f"\n{path}\n" in self._anchors:
            return "it is your home folder, or holds secrets"
        if f"\n{path}/" in self._anchors:
            return f"it holds {path}/{self._anchors.partition(f'{chr(10)}{path}/')[2].partition(chr(10))[0]}"
        return "it lies in a folder of secrets, or of stdioguard's" if _is_in(path, self._closed) else ""

    def add(self, path: str, reason: str, *, quiet: bool = False) -> bool:
        """Take the file or folder at an absolute path; `False` if it is not there or not fit, which is noted unless `quiet`.

        Raises `PermissionRefused` where another user could change it.
        """
        try:
            real, links, status = self.checker.seen(path)
        except OSError:
            return False
        why = self.unfit(real) or ("it is shared with every user" if status.st_mode & 0o041000 == 0o041000 else "")
        if why:
            if not quiet:
                self.note(f"{real} is not granted ({reason}): {why}; grant what the server needs of it in the profile")
            return False
        self._runtime.links |= links
        if not _is_in(real, BASE):
            self.checker.located(path, reason)
            self._taken.setdefault(real, reason)
        return True

    def add_program(self, program: Checked) -> None:
        """Take an executed file."""
        self._runtime.links |= program.links
        if not _is_in(program.realpath, BASE):
            self._taken.setdefault(program.realpath, "the program that is executed")

    def add_libraries(self, program: Checked) -> None:
        """Take the libraries that an executed file says it needs, if it is not installed in a folder that is taken whole."""
        if _is_in(program.realpath, BASE):
            return
        from stdioguard.sandbox import elf  # noqa: PLC0415 - the system's own programs need no look

        loader, folders = elf.places(program.fd, os.path.dirname(program.realpath))
        if loader and not _is_in(loader, BASE):
            self.add(loader, "the loader that the program names")
        for folder in folders:
            self.add(folder, "libraries that the program names", quiet=True)

    def add_installation(self, program: str, reason: str) -> bool:
        """Take the folder that an interpreter is installed in, if it is a folder of its own: `bin` and `lib` side by side."""
        folder, prefix = os.path.split(os.path.dirname(program))
        if prefix != "bin" or _is_in(folder, BASE) or not os.path.isdir(os.path.join(folder, "lib")):
            return False
        return self.add(folder, reason, quiet=True)

    def add_script(self, path: str, *, alone: bool = False) -> None:
        """Take a file of code and, unless it is to be alone, the folder that it lies in, where its modules are."""
        try:
            real, links, status = self.checker.seen(path)
        except OSError:
            return
        self.add_links(links)
        folder = os.path.dirname(real)
        if status.st_mode & 0o170000 == 0o040000:
            self.add(real, "the folder that is run")
        elif (
            alone or self.has(real) or os.path.basename(folder) in _PROGRAM_FOLDERS or not self.add(folder, "the script's folder")
        ):
            self.add(real, "the script")

    def add_manager(self, paths: Iterable[str]) -> None:
        """Take the folders of a version manager whose stand-in for a program is one of `paths`."""
        for name, variable, parts in _MANAGERS:
            root = self.environment.get(variable) or os.path.join(self.home, f".{name}")
            if any(path.startswith(root + "/") for path in paths):
                for part in parts:
                    self.add(os.path.join(root, part), f"the programs that {name} manages", quiet=True)
                self.set_variable(variable, root)

    def add_links(self, links: dict[str, str]) -> None:
        """Take symbolic links that lead to what is taken."""
        self._runtime.links |= links

    def has(self, path: str) -> bool:
        """Tell whether a canonical path is within what has been taken, or every server's."""
        return _is_in(path, BASE) or _is_in(path, self._taken)

    def real(self, path: str) -> str:
        """Return the canonical form of an absolute path."""
        try:
            return self.checker.seen(path)[0]
        except OSError:
            return os.path.realpath(path)

    def note(self, text: str) -> None:
        """Say what may be missed."""
        if text not in self._runtime.notes:
            self._runtime.notes.append(text)

    def set_variable(self, name: str, value: str) -> None:
        """Tell a program where its folder is, with a HOME of its own."""
        self._runtime.environment[name] = value

    def finished(self) -> Runtime:
        """Return what was taken, without what lies in something else that was."""
        for path, reason in self._taken.items():
            if not _is_in(os.path.dirname(path), self._taken):
                self._runtime.entries.append(Entry(path, reason))
        kept = {entry.path for entry in self._runtime.entries}
        links = self._runtime.links.items()
        self._runtime.links = {path: target for path, target in links if not _is_in(path, BASE) and not _is_in(path, kept)}
        return self._runtime


def _is_in(path: str, folders: Container[str]) -> bool:
    """Tell whether a canonical path is one of `folders`, or lies in one."""
    while path:
        if path in folders:
            return True
        path = path[: path.rfind("/")]
    return False
