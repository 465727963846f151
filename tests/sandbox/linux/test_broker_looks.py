"""Attributes and watches under the broker: of what may be read, of nothing else, and by no way around a name."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stdioguard.sandbox.linux import landlock
from tests.sandbox.linux import brokered
from tests.sandbox.linux.brokered import NOBODY, Setting, call, run

USER = NOBODY if os.geteuid() == 0 else None
OK = "ok"


def attribute(path: str | bytes, *, follow: bool = True) -> Any:
    """Return what a file's attribute says, or the errno."""
    value = ctypes.create_string_buffer(64)
    result, number = call("getxattr" if follow else "lgetxattr", path, "user.secret", value, 64)
    return errno.errorcode[number] if number else value.raw[:result]


def listed(path: str | bytes, *, follow: bool = True) -> Any:
    """Return the names of a file's attributes, or the errno."""
    value = ctypes.create_string_buffer(256)
    result, number = call("listxattr" if follow else "llistxattr", path, value, 256)
    return (
        errno.errorcode[number]
        if number
        else sorted(name for name in value.raw[:result].split(b"\0") if name.startswith(b"user."))
    )


def watched(path: str | bytes, mask: int = 0xFFF) -> str:
    """Return `ok` if a watch can be had, or the errno."""
    watcher, _ = call("inotify_init1", os.O_NONBLOCK)
    _, number = call("inotify_add_watch", watcher, path, mask)
    os.close(watcher)
    return errno.errorcode[number] if number else OK


def asked(path: str | bytes) -> set[Any]:
    """Return all that is said about a path."""
    return {attribute(path), listed(path) if isinstance(listed(path), str) else OK, watched(path)}


def write(path: str) -> None:
    with open(path, "w") as file:
        file.write("x")
    os.setxattr(path, "user.secret", b"secret")


def under(setting: Setting, action: Callable[[], Any]) -> tuple[Any, set[tuple[str, str]]]:
    """Run as a user under a broker; return what came of it, and the refusals that were told."""
    result = run(action, setting, user=USER)
    assert result.status == 0
    return result.value, {(line["call"], line["path"]) for line in result.told}


@contextlib.contextmanager
def project() -> Iterator[str]:
    """A folder with something of each kind, allowed and denied."""
    with brokered.folder(USER) as root:

        def plant() -> None:
            os.makedirs(f"{root}/denied/deep")
            os.mkdir(f"{root}/open")
            for name in ("f", ".env", "denied/f", "denied/deep/f", "open/f"):
                write(f"{root}/{name}")
            for target, name in ((".env", "alias"), ("denied", "way"), ("f", "open/.env"), ("nowhere", "dangling")):
                os.symlink(target, f"{root}/{name}")

        brokered.as_user(USER, plant)
        yield root


# --- denied -----------------------------------------------------------------------------------------------------------------------


def test_what_is_denied_says_nothing_of_itself() -> None:
    with project() as root:

        def act() -> list[Any]:
            os.chdir(root)
            found: list[Any] = []
            for name in (
                ".env",
                f"{root}/.env",
                "open/../.env",
                "alias",
                "denied",
                "denied/",
                "denied/f",
                "way",
                "way/f",
                "denied/deep/f",
            ):
                found.append((name, asked(name)))
            for name in (".env", "denied", "denied/deep"):
                reference = os.open(name, os.O_PATH)
                found += [(name, asked(f"/proc/self/fd/{reference}")), (name, asked(f"/proc/{os.getpid()}/fd/{reference}"))]
            found.append(("the link .env", {attribute("open/.env", follow=False), listed("open/.env", follow=False)}))
            found.append(("the link .env", {watched("open/.env", 0xFFF | 1 << 25)}))
            os.chdir("denied/deep")
            return [*found, ("cwd", asked(".")), ("above the cwd", asked("..")), ("beside the cwd", asked("../f"))]

        setting = Setting(deny=["**/.env", f"{root}/denied"], readable=[root], writable=[])
        for inet in ("any", None):
            setting.inet = inet
            found, told = under(setting, act)
            assert [(name, said) for name, said in found if said != {"EACCES"}] == []
            assert ("getxattr", f"{root}/.env") in told
            assert ("inotify_add_watch", f"{root}/denied/deep") in told


def test_what_is_not_denied_says_all() -> None:
    with project() as root:

        def act() -> list[Any]:
            os.chdir(root)
            found: list[Any] = [
                attribute(name) for name in ("f", "open/f", f"{root}/f", "open/../f", "denied/../f", "dangling", "f/x", "")
            ]
            found += [attribute("f", follow=False), listed("f"), listed("."), attribute("dangling", follow=False)]
            return [
                *found,
                watched("."),
                watched("open"),
                watched("f"),
                watched("dangling"),
                watched("dangling", 0xFFF | 1 << 25),
            ]

        setting = Setting(deny=["**/.env"], readable=[root], writable=[])
        found, told = under(setting, act)
        assert found == run(act, None, user=USER).value
        secret = b"secret"
        assert found[:11] == [*[secret] * 5, "ENOENT", "ENOTDIR", "ENOENT", secret, [b"user.secret"], []]
        assert found[11] in ("EPERM", "ENODATA", "EOPNOTSUPP")  # no link has user attributes
        assert found[12:] == [OK, OK, OK, "ENOENT", OK]
        assert told == set()


def test_in_its_own_folders_no_name_is_denied() -> None:
    with project() as root:
        setting = Setting(deny=["**/.env"], writable=[], private=[root], inet=None)
        found, _ = under(setting, lambda: [attribute(f"{root}/.env"), listed(f"{root}/.env"), watched(f"{root}/.env")])
        assert found == [b"secret", [b"user.secret"], OK]


# --- not granted, where there is no mount view ------------------------------------------------------------------------------------


@pytest.mark.skipif(landlock.ability() == 0, reason="there is no Landlock")
def test_without_a_view_landlock_says_what_else_may_be_read() -> None:
    with brokered.folder(USER) as root:

        def plant() -> None:
            for place in ("granted", "system", "elsewhere"):
                os.mkdir(f"{root}/{place}")
                os.mkdir(f"{root}/{place}/folder")
                os.mkdir(f"{root}/{place}/closed")
                write(f"{root}/{place}/file")
                write(f"{root}/{place}/unreadable")
                os.chmod(f"{root}/{place}/unreadable", 0o200)
                os.chmod(f"{root}/{place}/closed", 0o300)
                os.mkfifo(f"{root}/{place}/fifo")
                os.symlink("file", f"{root}/{place}/link")
                with socket.socket(socket.AF_UNIX) as made:
                    made.bind(f"{root}/{place}/socket")
            write(f"{root}/one-file")

        brokered.as_user(USER, plant)
        kinds = ("file", "unreadable", "folder", "closed", "fifo", "socket", "link")

        def act() -> dict[str, Any]:
            found: dict[str, Any] = {}
            for place in ("granted", "system", "elsewhere"):
                for kind in kinds:
                    path = f"{root}/{place}/{kind}"
                    # Attributes of nobody's namespace: what comes after the verdict is the same for all kinds.
                    _, number = call("lgetxattr", path, "nonsense", None, 0)
                    found[f"{place} {kind}"] = [
                        errno.errorcode[number],
                        listed(path, follow=False),
                        watched(path, 0xFFF | 1 << 25),
                    ]
            nameless = os.memfd_create("x")
            pipe, _ = os.pipe()
            for path in (
                f"{root}/one-file",
                "/dev/null",
                "/proc/self/status",
                "/proc/self",
                f"/proc/self/fd/{pipe}",
                root,
                "/",
                "/dev",
            ):
                found[path.replace(str(pipe), "PIPE")] = listed(path)
            found["memfd"] = listed(f"/proc/self/fd/{nameless}")
            return found

        setting = Setting(
            writable=[],
            readable=[f"{root}/granted"],
            inet=None,
            domain=[f"{root}/{name}" for name in ("granted", "system", "one-file")],
        )
        found, told = under(setting, act)
        bare = run(act, None, user=USER).value
        for kind in kinds:
            assert found[f"granted {kind}"] == bare[f"granted {kind}"]
            assert found[f"system {kind}"] == bare[f"system {kind}"]
            assert found[f"elsewhere {kind}"] == ["EACCES"] * 3
            assert ("llistxattr", f"{root}/elsewhere/{kind}") in told
        for path in (f"{root}/one-file", "/dev/null", "/proc/self/status", "/proc/self", "/proc/self/fd/PIPE", "memfd"):
            assert found[path] == bare[path], path
        assert [found[path] for path in (root, "/", "/dev")] == ["EACCES"] * 3


def test_in_a_view_what_is_there_may_be_asked() -> None:
    with project() as root:
        found, told = under(Setting(writable=[], readable=[], inet="any"), lambda: [attribute(f"{root}/f"), watched(root)])
        assert found == [b"secret", OK]
        assert told == set()


# --- memory -----------------------------------------------------------------------------------------------------------------------


def test_values_are_written_where_the_caller_wants_them_and_nowhere_else() -> None:
    with project() as root:
        path = f"{root}/f"

        def act() -> list[Any]:
            size = mmap.PAGESIZE
            area = mmap.mmap(-1, 3 * size)
            start = ctypes.addressof(ctypes.c_char.from_buffer(area))
            found: list[Any] = []

            def ask(name: str, *arguments: Any) -> None:
                area[:] = b"." * len(area)
                result, number = call(name, path, *arguments)
                found.append((result, number, [(at, byte) for at, byte in enumerate(area[: 2 * size]) if byte != ord(".")][:8]))

            ask("getxattr", "user.secret", start, 64)
            ask("getxattr", "user.secret", start, 6)
            ask("getxattr", "user.secret", start, 5)
            ask("getxattr", "user.secret", start, 0)
            ask("getxattr", "user.secret", None, 0)
            ask("getxattr", "user.secret", None, 64)
            ask("getxattr", "user.secret", 1, 64)
            ask("getxattr", "user.none", 1, 64)
            ask("getxattr", "user.secret", start + size - 3, 64)
            ask("getxattr", "user.secret", start, 1 << 63 - 1)
            ask("getxattr", "n" * 5000, start, 64)
            ask("getxattr", 1, start, 64)
            ask("getxattr", None, start, 64)
            ask("listxattr", start + size - 3, 64)
            ask("listxattr", 1, 64)
            ask("listxattr", 1, 0)
            for protection in (1, 0):  # read only, and not even that
                ctypes.CDLL(None).mprotect(ctypes.c_void_p(start + 2 * size), ctypes.c_size_t(size), protection)
                for address in (start + 2 * size, start + 2 * size - 3):
                    result, number = call("getxattr", path, "user.secret", address, 64)
                    found.append((result, number))
            return found

        held, _ = under(Setting(readable=[root]), act)
        bare = run(act, None, user=USER).value
        assert held == bare
        assert [row[:2] for row in held[:7]] == [
            (6, 0),
            (6, 0),
            (-1, errno.ERANGE),
            (6, 0),
            (6, 0),
            (-1, errno.EFAULT),
            (-1, errno.EFAULT),
        ]


def test_an_attribute_of_the_largest_size_arrives_whole() -> None:
    with brokered.folder(USER) as root:

        def plant() -> int:
            write(f"{root}/f")
            for wanted in (65536, 30000, 3500):  # what a file system can hold differs
                try:
                    os.setxattr(f"{root}/f", "user.large", b"0123456789abcdef" * (wanted // 16))
                except OSError:
                    continue
                return wanted // 16 * 16
            return 0

        size = brokered.as_user(USER, plant)
        if not size:
            pytest.skip("attributes are small here")
        found, _ = under(Setting(readable=[root]), lambda: os.getxattr(f"{root}/f", "user.large"))
        assert found == b"0123456789abcdef" * (size // 16)


# --- watches ----------------------------------------------------------------------------------------------------------------------


def test_a_watch_tells_the_caller_what_happens() -> None:
    with project() as root:

        def act() -> Any:
            watcher, _ = call("inotify_init1", os.O_NONBLOCK)
            one, two = (call("inotify_add_watch", watcher, path, 0x100)[0] for path in (f"{root}/open", f"{root}/denied/.."))
            again, _ = call("inotify_add_watch", watcher, f"{root}/open", 0x100)
            write(f"{root}/open/made")
            write(f"{root}/made-too")
            said = os.read(watcher, 4096)
            return one, two, again, b"made\0" in said, b"made-too\0" in said

        found, _ = under(Setting(deny=["**/.env"], writable=[root]), act)
        assert found == (1, 2, 1, True, True)


# --- newer calls ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["getxattrat", "listxattrat", "file_getattr"])
def test_the_newer_forms_are_not_there(name: str) -> None:
    found, told = under(Setting(), lambda: call(name, -100, "/", 0, None, 0, 0))
    assert found == (-1, errno.ENOSYS)
    assert told == set()
