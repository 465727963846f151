"""The words with which a path is refused: one line that says what is wrong, where, and which command mends it."""

from __future__ import annotations

import os

from stdioguard.sandbox.owners import user_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from stdioguard.sandbox.ownership import Problem

_SETUID, _SETGID, _STICKY, _DIRECTORY = 0o4000, 0o2000, 0o1000, 0o040000


def sentence(user: int, what: str, path: str, problems: Sequence[Problem]) -> str:
    """Return the line that refuses `path`, for a person who is `user`; the first problem is told, the commands mend all."""
    where, kind, status, detail = problems[0]
    if kind == "kind":
        return f"{what} {quoted(path)} is not a {detail}; name one"
    if kind == "replaced":
        return f"{what} {quoted(path)} was replaced while it was checked; start again"
    place = "it" if where == path else quoted(where)
    why, advice = reason(user, kind, status, detail)
    commands: dict[str, list[str]] = {}
    for entry, sort, found, _ in problems:
        words, owner = command(entry, sort, found)
        if user not in (0, owner):
            words = f"sudo {words}"
        names = commands.setdefault(words, [])
        if quoted(entry) not in names:
            names.append(quoted(entry))
    mend = " && ".join(f"{words} {' '.join(names)}" for words, names in commands.items())
    return f"{what} {quoted(path)} is not safe to use: {place} {why}; {advice}run: {mend}"


def reason(user: int, kind: str, status: os.stat_result, detail: str) -> tuple[str, str]:
    """Return what is wrong, and what to consider before the command is run."""
    mode = f"mode {status.st_mode & 0o7777:04o}"
    if kind == "owner":
        whose = "to root" if user == 0 else "to you or root"
        return f"belongs to {user_name(status.st_uid)}, not {whose}", "if you trust what it holds, "
    if kind == "open":
        return f"can be read by other users ({mode})", ""
    if kind == "setuid":
        bits = " and ".join(name for bit, name in ((_SETUID, "setuid"), (_SETGID, "setgid")) if status.st_mode & bit)
        return (
            f"is {bits} ({mode}), and a server gains no rights",
            "name another program, or, if nothing else needs these rights, ",
        )
    if kind == "mounted":
        return f"is a file system that {detail} has mounted (FUSE)", "use a copy elsewhere, or "
    if is_shared(status):
        return f"is shared with {detail} ({mode})", "use a folder of your own; to see whose it is, "
    return f"can be changed by {detail} ({mode})", ""


def command(path: str, kind: str, status: os.stat_result) -> tuple[str, int]:
    """Return the command that takes the path as its last argument, and the user, beside root, who may run it."""
    mode, owner = status.st_mode, status.st_uid
    if kind == "owner":
        # -h: a link that is put in its place in the meantime is itself given away, not what it leads to.
        return f"chown -h {_owner_for(path)}", 0
    if kind == "open":
        return f"chmod {'700' if mode & 0o170000 == _DIRECTORY else '600'}", owner
    if kind == "setuid":
        return "chmod ug-s", owner
    if kind == "mounted":
        return "umount", 0
    if is_shared(status):
        return "ls -ld", os.geteuid()
    return f"chmod {'go' if mode & 0o022 == 0o022 else 'o' if mode & 0o002 else 'g'}-w", owner


def is_shared(status: os.stat_result) -> bool:
    """Tell whether it is a folder like /tmp, which is for everybody, and shall stay so."""
    return bool(status.st_mode & _STICKY) and status.st_mode & 0o170000 == _DIRECTORY


def _owner_for(path: str) -> str:
    """Return who should own a path: the user below their own home, root elsewhere."""
    home = os.path.realpath(os.path.expanduser("~"))
    return str(os.geteuid()) if home != "/" and path.startswith(home + "/") else "root"


def quoted(path: str) -> str:
    """Return a path for a shell command, on one line: what is not printable, and runs of spaces, as escapes of bash(1)."""
    if path.isprintable() and "  " not in path:
        plain = path.isascii() and path.translate(str.maketrans("", "", "/._-+@:,=%")).isalnum()
        return path if plain else "'" + path.replace("'", "'\\''") + "'"
    data = os.fsencode(path)
    return "$'" + "".join(chr(c) if 0x20 < c < 0x7F and c not in b"'\\" else f"\\x{c:02x}" for c in data) + "'"
