"""Each layer of the sandbox, switched off: Python text that is run in the guard before it starts.

With a layer off its probe refuses the launch. With the probes off too, the attempts that are named here do their damage: it is this layer
that stops them, and neither a second one nor an accident of the suite.
"""

from __future__ import annotations

from typing import NamedTuple

NO_PROBES = "from stdioguard.sandbox.linux import probes; probes.run = lambda plan, abi, *, isolated: {}\n"


class Layer(NamedTuple):
    """A layer: what takes it away, the guarantee that the launch then misses, and which attempts get through, and where."""

    text: str
    guarantee: str
    configuration: str
    attempts: tuple[str, ...]


_NO_RULES = """
from stdioguard.sandbox.linux.broker.rules import Rules
for name in ("opening", "making", "writing", "linking", "moving", "changing", "looking", "unix", "abstract", "internet"):
    setattr(Rules, name, lambda *_, **__: None)
"""
_NO_VIEW = """
from stdioguard.sandbox.linux import kernel, view
def enter(plan, parts):
    kernel.mount("", "/", "", 0x44000)
    kernel.mount("proc", "/proc", "proc", 0)
view.enter = enter
"""
_NO_NETWORK_NAMESPACE = """
from stdioguard.sandbox.linux import namespaces
namespaces._ALL &= ~namespaces.kernel.CLONE_NEWNET
namespaces._loopback_up = lambda: None
"""

LAYERS = {
    "Landlock": Layer(
        "from stdioguard.sandbox.linux import landlock; landlock.Ruleset.enforce = lambda self: None\n",
        "files", "user-plain",
        ("read-the-users-ssh-id_ed25519", "list-the-home-folder", "make-a-file-where-nothing-is-granted", "delete-a-file-that-nothing-grants"),
    ),
    "seccomp": Layer(
        "from stdioguard.sandbox.linux import filters; filters.programs = lambda *_, **__: []\n",
        "protected", "user-plain",
        (
            "send-a-datagram-to-a-port-of-the-host", "make-an-envrc-with-dots", "read-a-denied-file", "change-the-mode-of-what-nothing-grants",
            "connect-to-the-session-bus-by-stream", "read-a-key-of-the-users-keyring",
        ),
    ),
    "rules": Layer(
        _NO_RULES, "protected", "user-namespaces",
        ("make-an-envrc-with-dots", "make-a-hook-with-dots", "read-a-denied-file", "read-an-attribute-of-a-denied-file"),
    ),
    "view": Layer(_NO_VIEW, "files", "user-namespaces", ("read-a-secret-in-the-hosts-tmp", "plant-a-file-in-the-hosts-tmp")),
    "network namespace": Layer(
        _NO_NETWORK_NAMESPACE, "network", "user-namespaces",
        ("connect-to-a-port-of-the-host", "send-a-datagram-to-a-port-of-the-host", "connect-to-a-public-address"),
    ),
}  # fmt: skip
