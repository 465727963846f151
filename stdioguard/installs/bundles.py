"""Bundles of extensions (`.mcpb`, formerly `.dxt`): a zip archive with a manifest. It is looked into, and nothing of it is unpacked."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stdioguard.installs.files import FileProblem

ENDINGS = (".mcpb", ".dxt")
MAX_SIZE = 1 << 30
MAX_MANIFEST = 4 << 20
MAX_DIRECTORY = 16 << 20
"""Bytes of the table of contents: all of it is read before a single name is known."""
_TAIL = 22 + 65535 + 65536
"""The end record, its comment, and a signature behind it."""
_SIGNATURE = b"MCPB_SIG_V1"


@dataclass(frozen=True)
class Bundle:
    """What is known of a bundle."""

    manifest: bytes
    members: tuple[str, ...]
    """The names in it, as they are written."""
    links: tuple[str, ...] = ()
    """Those of them that are symbolic links."""
    is_signed: bool = False
    """Whether it ends with a signature; whether that holds is for the client to check."""


def is_bundle(path: str) -> bool:
    """Tell whether a path is one of a bundle, by its name."""
    return path.lower().endswith(ENDINGS)


def read(path: str) -> Bundle:
    """Read a bundle's manifest and its table of contents. Raises `FileProblem`."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
        )
    except (OSError, ValueError) as error:
        raise _problem(
            path, f"cannot be read ({getattr(error, 'strerror', None) or error})", "name a bundle that you may read"
        ) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _problem(path, "is no regular file", "name a bundle")
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > MAX_SIZE:
            raise _problem(path, f"has more than {MAX_SIZE} bytes", "a bundle is smaller; look at what is in it")
        file.seek(max(0, status.st_size - _TAIL))
        tail = file.read(_TAIL)
        end = tail.rfind(b"PK\x05\x06")
        # A record for archives of more than 4 GB would give other sizes than those that are looked at here.
        is_long = tail[max(0, end - 20) : end].startswith(b"PK\x06\x07")
        if end < 0 or is_long or int.from_bytes(tail[end + 12 : end + 16], "little") > MAX_DIRECTORY:
            raise _problem(path, "is no bundle: it has no table of contents, or one that is too long", "pack it again")
        try:
            with zipfile.ZipFile(file) as archive:
                return _bundle(path, archive, is_signed=_SIGNATURE in tail[end:])
        # What zipfile raises for a damaged, encrypted or unknown archive, by its documentation and by fuzzing it.
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise _problem(path, f"is a damaged bundle ({error})", "pack it again") from None


def _problem(path: str, why: str, fix: str) -> FileProblem:
    from stdioguard.installs.files import FileProblem  # noqa: PLC0415 - parsers, which finding files does not need

    return FileProblem(path, why, fix)


def _bundle(path: str, archive: zipfile.ZipFile, *, is_signed: bool) -> Bundle:
    infos = archive.infolist()
    manifests = [info for info in infos if info.filename == "manifest.json"]
    if not manifests:
        raise _problem(path, "has no manifest.json", "pack it again")
    if len(manifests) > 1:
        raise _problem(path, "has two manifest.json, and which one counts depends on the reader", "do not install it")
    with archive.open(manifests[0]) as file:
        data = file.read(MAX_MANIFEST + 1)
    if len(data) > MAX_MANIFEST:
        raise _problem(path, f"has a manifest of more than {MAX_MANIFEST} bytes", "do not install it")
    links = tuple(info.filename for info in infos if stat.S_ISLNK(info.external_attr >> 16))
    return Bundle(data, tuple(info.filename for info in infos), links, is_signed)
