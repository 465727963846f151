"""The part of a Linux system that every program may read: libraries, the loader's and the C library's settings, a few devices.

What is not listed is not there. No file here says anything about the user or the machine's network.
"""

from __future__ import annotations

import os

DIRECTORIES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store")
"""Programs and libraries. Those that are links into another one are links in the server's view too."""

SETTINGS = (
    "/etc/alternatives",  # Debian's links between programs of one purpose
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/chromium",
    "/etc/chromium.d",  # read by the wrapper that Debian puts before it
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/gitconfig",
    "/etc/host.conf",
    "/etc/inputrc",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/protocols",
    "/etc/python3",
    "/etc/services",
    "/etc/shells",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/terminfo",
    "/etc/timezone",
)
"""Settings of the C library, of TLS and of runtimes: public, and the same for every program."""

USERS = ("/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/passwd")
"""Read as they are where there is no mount view; in one they are written anew, with this user and this host alone."""

DEVICES = ("/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero")

SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - the view's own
"""Folders in memory that each view has for itself."""

DEVICE_LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/ptmx", "pts/ptmx"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
)


_present: list[tuple[list[str], list[tuple[str, str]]]] = []


def present() -> tuple[list[str], list[tuple[str, str]]]:
    """Return what of the system is on this machine: the paths to grant, and links into them as `(path, target)`."""
    if not _present:
        _present.append(_look())
    return _present[0]


def _look() -> tuple[list[str], list[tuple[str, str]]]:
    paths: list[str] = []
    links: list[tuple[str, str]] = []
    for path in (*DIRECTORIES, *SETTINGS):
        if not os.path.lexists(path):
            continue
        if os.path.realpath(path) == path:
            paths.append(path)
        elif os.path.islink(path):
            links.append((path, os.readlink(path)))
    return paths, links
