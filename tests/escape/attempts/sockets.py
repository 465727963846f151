"""Local sockets of the host's: D-Bus, a container engine, an agent that holds keys. By path, by abstract name, of each type."""

from __future__ import annotations

import array
import ctypes
import mmap
import os
import shutil
import socket
import sys
import tempfile

from ..catalogue import add, attempt
from ..inside import for_a_moment, meanwhile
from ..kernel import MACHINE, libc, raw
from ..stakes import Listener

TYPES = {"stream": socket.SOCK_STREAM, "seqpacket": socket.SOCK_SEQPACKET, "dgram": socket.SOCK_DGRAM}


def _talk(path: str, kind: str) -> str:
    """Connect and say something; a path that begins with @ is an abstract name."""
    client = socket.socket(socket.AF_UNIX, TYPES[kind])
    client.connect("\0" + path[1:] if path.startswith("@") else path)
    client.send(b"hello")
    return "sent"


PLACES = {
    "the-session-bus": ("{run}/user/bus-{short}", {"namespaces": "ENOENT", "plain": "EACCES"}),
    "a-container-engine": ("{run}/{short}.sock", {"namespaces": "ENOENT", "plain": "EACCES"}),
    "a-key-agent": ("{elsewhere}/{short}/agent.sock", {"namespaces": "ENOENT", "plain": "EACCES"}),
    "a-socket-in-a-folder-granted-for-reading": ("{library}/{short}.sock", {"expected": "EACCES"}),
    "a-socket-in-a-folder-granted-for-writing": ("{project}/{short}.sock", {"expected": "EACCES"}),
    "an-abstract-socket": ("@", {"namespaces": "ECONNREFUSED", "plain": "EPERM|EACCES"}),
}
for _where, (_path, _expected) in PLACES.items():
    for _kind in TYPES:
        if _kind == "dgram":  # no such socket can be made: it takes an address with every message
            _expected = {"expected": "EPERM"}
        add(
            _talk, Listener(kind=_kind, path=_path), name=f"connect-to-{_where}-by-{_kind}", group="sockets", bound={"kind": _kind},
            **_expected,
        )  # fmt: skip

LIBRARY = "{library}/{short}.sock"


def _datagram(path: str) -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


@attempt(Listener(kind="dgram", path=LIBRARY), expected="EPERM")
def send_to_a_socket_without_connecting(path: str) -> int:
    return _datagram(path).sendto(b"hello", path)


@attempt(Listener(kind="dgram", path=LIBRARY), expected="EPERM")
def send_a_message_to_a_socket_without_connecting(path: str) -> int:
    """sendmsg(2) takes an address as well."""
    return _datagram(path).sendmsg([b"hello"], [], 0, path)


@attempt(Listener(kind="dgram", path=LIBRARY), expected="EPERM")
def send_many_messages_to_a_socket(path: str) -> int:
    """sendmmsg(2) takes many, each with its address."""
    name = (1).to_bytes(2, "little") + os.fsencode(path) + b"\0"
    text = b"hello"
    names, texts = ctypes.create_string_buffer(name), ctypes.create_string_buffer(text)
    vector = (ctypes.c_uint64 * 2)(ctypes.addressof(texts), len(text))
    message = (ctypes.c_uint64 * 8)(ctypes.addressof(names), len(name), ctypes.addressof(vector), 1, 0, 0, 0, 0)
    client = _datagram(path)
    if libc.sendmmsg(client.fileno(), message, 1, 0) != 1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return 1


@attempt(Listener(kind="dgram", path="@"), expected="EPERM")
def send_to_an_abstract_socket_without_connecting(path: str) -> int:
    return _datagram(path).sendto(b"hello", "\0" + path[1:])


@attempt(Listener(path=LIBRARY), expected="EACCES")
def connect_through_a_symlink(path: str, project: str) -> str:
    os.symlink(path, f"{project}/link-to-a-socket")
    return _talk(f"{project}/link-to-a-socket", "stream")


@attempt(Listener(path=LIBRARY), expected="EACCES")
def connect_through_proc_self_root(path: str) -> str:
    return _talk(f"/proc/self/root{path}", "stream")


@attempt(Listener(path=LIBRARY), expected="EACCES")
def connect_through_a_path_descriptor(path: str) -> str:
    return _talk(f"/proc/self/fd/{os.open(path, os.O_PATH)}", "stream")


@attempt(Listener(path=LIBRARY), expected="EACCES")
def connect_from_the_sockets_folder(path: str) -> str:
    os.chdir(os.path.dirname(path))
    return _talk(os.path.basename(path), "stream")


@attempt(Listener(path=LIBRARY), expected="EACCES|EXDEV")
def connect_through_a_hard_link_to_a_socket(path: str, project: str) -> str:
    os.link(path, f"{project}/linked-socket")
    return _talk(f"{project}/linked-socket", "stream")


@attempt(Listener(path="{project}/{short}/here.sock"), expected="EACCES|EPERM")
def connect_to_a_socket_that_was_moved(path: str, project: str) -> str:
    os.rename(path, f"{path}-moved")
    return _talk(f"{path}-moved", "stream")


@attempt(Listener(path=LIBRARY), expected="EACCES")
def connect_with_an_address_without_a_final_nul(path: str) -> int:
    """unix(7): the path may end with the address's length instead."""
    client = socket.socket(socket.AF_UNIX)
    name = (1).to_bytes(2, "little") + os.fsencode(path)
    raw({"x86_64": 42, "aarch64": 203}[MACHINE], client.fileno(), name, len(name))
    return client.send(b"hello")


@attempt(Listener(path="{elsewhere}/{short}.sock"), namespaces="ENOENT", plain="EACCES")
def connect_from_another_program(path: str) -> bytes:
    code = f"import socket, sys; s = socket.socket(socket.AF_UNIX); sys.exit(s.connect_ex({path!r}))"
    pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", code], os.environ)
    found = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if found:
        raise OSError(found, os.strerror(found))
    return b"connected"


@attempt(Listener(path=LIBRARY), expected="ok")
def connect_while_the_address_changes_in_memory(path: str) -> str:
    """Another process changes the address while the call is looked at: from a socket of ours to the host's."""
    ours = f"{tempfile.mkdtemp()}/ours"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(ours)
    listener.listen(4096)
    # Of the same length, whichever path is longer: a name ends at its first NUL.
    one, two = ((1).to_bytes(2, "little") + os.fsencode(name).ljust(108, b"\0") for name in (ours, path))
    memory = mmap.mmap(-1, 4096)
    memory.write(one)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))

    def flip(_: int) -> None:
        ctypes.memmove(address, two, len(two))
        ctypes.memmove(address, one, len(one))

    reached = 0
    with meanwhile(flip):
        for _ in for_a_moment():
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)  # the backlogs fill up
            reached += libc.connect(client.fileno(), ctypes.c_void_p(address), len(one)) == 0
            client.close()
    shutil.rmtree(os.path.dirname(ours))
    return f"reached {reached} times"


@attempt(Listener(path=LIBRARY), expected="EACCES")
def connect_with_a_socket_that_was_bound_first(path: str) -> str:
    """A socket with a name of its own can be sent to by the host's answer."""
    client = socket.socket(socket.AF_UNIX)
    with tempfile.TemporaryDirectory() as folder:
        client.bind(f"{folder}/bound-first")
        client.connect(path)
        client.sendmsg([b"hello"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1]))])
    return "sent"


del _where, _path, _expected, _kind
