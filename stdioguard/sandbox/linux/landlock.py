"""Landlock: what a process and its descendants may do to files, TCP ports, sockets and other processes.

One configuration for each ability level of the kernel (Documentation/userspace-api/landlock.rst): 1 files; 2 moving between
directories; 3 truncation; 4 TCP; 5 ioctl of devices; 6 abstract sockets and signals.
"""

from __future__ import annotations

import os

from stdioguard.sandbox.linux import kernel

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15

_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}

READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
DEVICE = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV
WRITE = (1 << 15) - 1
"""Everything but ioctl of devices."""
CHANGES = WRITE & ~RUN | IOCTL_DEV
"""All that leaves a trace."""

BIND_TCP = 1
CONNECT_TCP = 2

SCOPE_ABSTRACT_UNIX = 1
SCOPE_SIGNAL = 2

_RULE_PATH = 1
_RULE_PORT = 2


def ability() -> int:
    """Return the kernel's Landlock ABI version, 0 where there is none or it is switched off."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, 1)
    except OSError:
        return 0


class Ruleset:
    """A ruleset in the making. All that is handled and not allowed is refused once `enforce` has been called.

    What the kernel is too old to handle is left out of `files`, `network` and `scopes`: what that means is the caller's to say.
    Raises `OSError`, from any method.
    """

    def __init__(self, abi: int, *, files: int = 0, network: int = 0, scopes: int = 0) -> None:
        self._files = files & _HANDLED[min(abi, 5)] if abi else 0
        self._network = network if abi >= 4 else 0
        scopes = scopes if abi >= 6 else 0
        self.is_empty = not (self._files or self._network or scopes)
        self._descriptor = -1
        if not self.is_empty:
            attributes = b"".join(value.to_bytes(8, "little") for value in (self._files, self._network, scopes))
            size = 8 if abi < 4 else 16 if abi < 6 else 24
            self._descriptor = kernel.call("landlock_create_ruleset", attributes[:size], size, 0)

    def allow(self, path: str, access: int) -> None:
        """Allow `access` to the file at `path`, or to all below it where it is a directory.

        A path that is not there is passed over; one that leads through a link is an error, since a plan's paths are canonical.
        """
        try:
            descriptor = kernel.open_canonical(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            self.allow_descriptor(descriptor, access, path)
        finally:
            os.close(descriptor)

    def allow_descriptor(self, descriptor: int, access: int, path: str = "") -> None:
        """Allow `access` to what an open descriptor refers to."""
        is_directory = os.fstat(descriptor).st_mode & 0o170000 == 0o040000
        access &= self._files if is_directory else self._files & _FILE
        if access:
            rule = access.to_bytes(8, "little") + descriptor.to_bytes(4, "little")
            kernel.call("landlock_add_rule", self._descriptor, _RULE_PATH, rule, 0, path=path)

    def allow_port(self, port: int, access: int) -> None:
        """Allow TCP `access` to a port, whatever the host."""
        if access & self._network:
            rule = (access & self._network).to_bytes(8, "little") + port.to_bytes(8, "little")
            kernel.call("landlock_add_rule", self._descriptor, _RULE_PORT, rule, 0)

    def enforce(self) -> None:
        """Put the calling thread under the ruleset; it needs `no_new_privs`."""
        if not self.is_empty:
            kernel.call("landlock_restrict_self", self._descriptor, 0)
            os.close(self._descriptor)
