"""The broker: it answers the system calls that the filter traps, for rules that neither Landlock nor mounts can state.

Those are rules about *names*: a denied file inside a granted folder, a protected name that does not exist yet. Without namespaces also
metadata calls and sockets, which no Landlock of today covers.

A trapped call is never let go on: what its arguments point to could be changed after it was looked at (seccomp_unotify(2), "the caller can
change memory"). The broker copies the arguments, finds the file by itself, compares its canonical path with the rules, does the operation
on what it has found, and hands over the result. It has the server's user, view and Landlock domain and no capability, so it can do nothing
that the server could not; and it answers one call after the other, so what one thread of the server looks at another cannot swap.

Refused is with EACCES, whatever the call; set-user-ID bits and devices with EPERM, as the kernel does without privileges. Every other
errno is the kernel's own.

    service.py    one notification: which handler, what answer, what is reported
    calls.py      notifications, the caller's memory, its descriptors
    rules.py      which paths may be what
    paths.py      from what the caller names to what it means: its directory, its /proc/self, its links
    files.py      open, create, remove, rename, link
    metadata.py   mode, owner, times, extended attributes: changes
    looks.py      extended attributes that are read, folders that are watched
    sockets.py    connect, bind, listen
    signals.py    kill and its kin
    waiting.py    calls that may block
"""

from __future__ import annotations

from stdioguard.sandbox.linux.broker.service import Broker

__all__ = ["Broker"]
