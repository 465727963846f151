"""What is known of a machine's other users: who is in a group or an access list, who has mounted a file system, whether root is known.

Asked only where a mode, an owner or a device leaves the question open.
"""

from __future__ import annotations

import os
import sys

_ACCESS_LIST = "system.posix_acl_access"
# linux/posix_acl.h
_USER, _OWNING_GROUP, _GROUP = 0x02, 0x04, 0x08
_WRITE = 2


class Groups:
    """Which groups have members that could use a right to write, beside the users that are trusted."""

    __slots__ = ("_known", "_users")

    def __init__(self, users: frozenset[int]) -> None:
        self._users = users
        self._known: dict[int, str] = {0: ""}  # root's own, also where it is called wheel
        if sys.platform == "darwin":
            # Homebrew's folders are the group admin's. Who is in it may become root (sudoers(5) there), and needs no folder for that.
            self._known[80] = ""

    def writers(self, path: str, group: int) -> str:
        """Return who may write to a file of `group` that its group, or an access list, may write to; empty if nobody else."""
        try:
            entries = os.getxattr(path, _ACCESS_LIST, follow_symlinks=False) if sys.platform == "linux" else b""
        except OSError:
            entries = b""
        return self.listed(entries, group) if entries else self.others(group)

    def listed(self, entries: bytes, group: int) -> str:
        """Return whom a POSIX access list lets write. Its form is that of linux/posix_acl_xattr.h: tag, permissions, id."""
        for start in range(4, len(entries) - 7, 8):
            tag, permissions = entries[start], entries[start + 2]
            name = int.from_bytes(entries[start + 4 : start + 8], "little")
            if permissions & _WRITE:
                if tag == _USER and name not in self._users:
                    return f"{user_name(name)} by its access list"
                if tag in (_OWNING_GROUP, _GROUP) and (others := self.others(group if tag == _OWNING_GROUP else name)):
                    return others
        return ""

    def others(self, group: int) -> str:
        """Return a group's members that are not trusted, in words; empty if there are none.

        A group is harmless if no other account is in it: the private group that Debian, Ubuntu and Fedora give each user (and with
        it a umask of 002), or `staff` on Debian, to which `/usr/local` belonged and in which nobody is.
        """
        if group not in self._known:
            self._known[group] = self._look_up(group)
        return self._known[group]

    def _look_up(self, group: int) -> str:
        accounts = _table("/etc/passwd")
        trusted = {row[0] for row in accounts if len(row) > 3 and row[2].isdecimal() and int(row[2]) in self._users}
        for row in _table("/etc/group"):
            if len(row) > 3 and row[2] == str(group) and sys.platform != "darwin":
                members = {name for name in row[3].split(",") if name}
                members.update(account[0] for account in accounts if len(account) > 3 and account[3] == row[2])
                if members - trusted:
                    members -= self._names()
                names = sorted(members - trusted)
                return f"group {row[0]} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""
        return self._ask(group)

    def _names(self) -> set[str]:
        """Return the names of the trusted users, those from a network among them."""
        import pwd  # noqa: PLC0415 - for groups with members

        names = set()
        for user in self._users:
            try:
                names.add(pwd.getpwuid(user).pw_name)
            except KeyError:
                continue
        return names

    def _ask(self, group: int) -> str:
        """Judge a group that is in no file (LDAP, systemd-homed, macOS), whose members cannot be counted.

        It is harmless as a user's private group: the same name, no further members. One without a name, in a container, has no
        members to be known, and is the user's if the user's processes have it.
        """
        import grp  # noqa: PLC0415 - with the accounts of a network, which few machines have
        import pwd  # noqa: PLC0415

        try:
            entry = grp.getgrgid(group)
        except KeyError:
            return "" if group == os.getegid() else f"group {group}"
        for user in self._users:
            try:
                account = pwd.getpwuid(user)
            except KeyError:
                continue
            if (account.pw_gid, account.pw_name) == (group, entry.gr_name) and not set(entry.gr_mem) - {account.pw_name}:
                return ""
        return f"group {entry.gr_name}"


def user_name(user: int) -> str:
    """Return a user's name and number."""
    import pwd  # noqa: PLC0415 - for refusals only

    try:
        return f"{pwd.getpwuid(user).pw_name} (user {user})"
    except KeyError:
        return f"user {user}"


def is_root_unknown() -> bool:
    """Tell whether user 0 has no meaning in this user namespace (user_namespaces(7))."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return all(int(line.split()[0]) > 0 for line in file)
    except OSError:
        return False


def mounts() -> str:
    """Return the mounts of this process's namespace, as proc(5) describes `mountinfo`."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def fuse_user(minor: int, text: str) -> int | None:
    """Return which user serves the file system of device `0:minor`, from the text of `mounts`; `None` if it is not FUSE."""
    for line in text.splitlines():
        if f" 0:{minor} " in line:
            kind, _, options = line.partition(" - ")[2].partition(" ")
            for option in options.rpartition(" ")[2].split(","):
                if kind.startswith("fuse") and option.startswith("user_id="):
                    return int(option[8:])
    return None


def _table(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return [line.rstrip("\n").split(":") for line in file]
    except OSError:
        return []
