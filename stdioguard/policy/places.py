"""Where stdioguard keeps its files.

The directories are those of `platformdirs`. Importing it costs more than half of the start-up budget of `run`, so its rule for Linux and
macOS, where `run` works, is written out here, and a test holds the two together; elsewhere the library is asked. `STDIOGUARD_HOME` moves
everything below one folder.
"""

from __future__ import annotations

import os
import sys

_APP = "stdioguard"
_LOGGED_IN = "/run/user"
_XDG = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "state": ("XDG_STATE_HOME", ".local/state"),
    "cache": ("XDG_CACHE_HOME", ".cache"),
}
_MACOS = {
    "config": "Library/Application Support",
    "state": "Library/Application Support",
    "cache": "Library/Caches",
}


class NoHomeError(OSError):
    """There is nowhere to keep anything: this user has neither HOME nor an entry in the user database. In one line for people."""


def directory(kind: str) -> str:
    """Return the absolute path of the `config`, `state`, `cache` or `runtime` directory; it need not exist.

    Where the system gives the user no runtime directory, a folder of the state directory takes its place: `/tmp/runtime-UID`, which
    `platformdirs` would take, can be made by anybody first.
    """
    home = os.environ.get("STDIOGUARD_HOME")
    if home:
        return os.path.join(os.path.abspath(home), kind)
    if kind == "runtime":
        given = _runtime() if sys.platform == "linux" else None
        return os.path.join(given, _APP) if given is not None else os.path.join(directory("state"), "runtime")
    if sys.platform == "darwin":
        return os.path.join(_home(), _MACOS[kind], _APP)
    if sys.platform != "linux":
        import platformdirs  # noqa: PLC0415 - see above

        path: str = getattr(platformdirs, f"user_{kind}_dir")(_APP, appauthor=False)
        return path
    variable, default = _XDG[kind]
    base = os.environ.get(variable, "").strip()
    if not base.startswith("/"):  # relative ones are invalid (XDG Base Directory Specification)
        base = os.path.join(_home(), default)
    return os.path.join(base, _APP)


def _runtime() -> str | None:
    """Return the folder that the system has given this user for as long as they are logged in, or `None`.

    Many clients start a server with HOME and a few more variables alone, so the guard has to find without XDG_RUNTIME_DIR what the
    user's terminal finds with it. What `su` and `sudo` leave in it may be another user's.
    """
    for path in (os.environ.get("XDG_RUNTIME_DIR", ""), f"{_LOGGED_IN}/{os.geteuid()}"):
        try:
            status = os.stat(path) if path.startswith("/") else None
        except OSError:
            continue
        if status is not None and status.st_uid == os.geteuid() and status.st_mode & 0o170022 == 0o040000:
            return path
    return None


def _home() -> str:
    home = os.path.expanduser("~")
    if not home.startswith("/"):
        import pwd  # noqa: PLC0415 - for a HOME that is empty or relative

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            raise NoHomeError("there is no home directory: set HOME, or STDIOGUARD_HOME, to a folder of yours") from None
    return home


def private_directory(path: str) -> str:
    """Make `path` (and its parents) with mode 0700 and return it.

    Raises `PermissionError` where the directory exists and is another user's or open to others: nothing is kept there, and
    nothing found there is trusted.
    """
    parent = os.path.dirname(path)
    if not os.path.exists(parent):
        private_directory(parent)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(path)
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to user {status.st_uid}; remove it or set STDIOGUARD_HOME to a directory of yours")
    if status.st_mode & 0o170000 != 0o040000:
        raise PermissionError(f"{path} is not a directory; remove it")
    if status.st_mode & 0o077:
        raise PermissionError(f"{path} is open to other users; run: chmod 700 {path}")
    return path
