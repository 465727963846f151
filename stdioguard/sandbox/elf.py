"""What a program's own file says of where its libraries are: the loader, and the folders of its run path (elf(5), ld.so(8)).

Only the dynamic section is read, and only what is asked for; a file that makes no sense has no libraries.
"""

from __future__ import annotations

import os

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_STRINGS, _RPATH, _RUNPATH = 5, 15, 29
_MAX_TABLE = 1 << 16


def places(descriptor: int, folder: str) -> tuple[str, list[str]]:
    """Return the loader that a 64-bit little-endian ELF file asks for, and the folders of its run path.

    `folder` is where the file is, which `$ORIGIN` stands for. Empty where the file names none, is no such file, or cannot be read.
    """
    try:
        head = os.pread(descriptor, 64, 0)
        if head[:6] != b"\x7fELF\x02\x01":
            return "", []
        size, count = _number(head, 54, 2), _number(head, 56, 2)
        table = os.pread(descriptor, min(size * count, _MAX_TABLE), _number(head, 32, 8))
        parts = [table[start : start + size] for start in range(0, len(table), size)] if size >= 56 else []
        loader = next((_text(_read(descriptor, part), 0) for part in parts if _number(part, 0, 4) == _INTERPRETER), "")
        dynamic = next((_read(descriptor, part) for part in parts if _number(part, 0, 4) == _DYNAMIC), b"")
        entries = [(_number(dynamic, start, 8), _number(dynamic, start + 8, 8)) for start in range(0, len(dynamic) - 15, 16)]
        strings = dict(entries).get(_STRINGS, 0)
        found = []
        for offset in (value for tag, value in entries if tag in (_RPATH, _RUNPATH)):
            for part in parts:
                address = _number(part, 16, 8)
                if _number(part, 0, 4) == _LOAD and address <= strings < address + _number(part, 32, 8):
                    text = _text(os.pread(descriptor, 4096, _number(part, 8, 8) + strings - address + offset), 0)
                    found += [_expanded(entry, folder) for entry in text.split(":")]
    except (OSError, ValueError, OverflowError):
        return "", []
    return loader, [path for path in dict.fromkeys(found) if path.startswith("/")]


def _number(data: bytes, start: int, length: int) -> int:
    return int.from_bytes(data[start : start + length], "little")


def _read(descriptor: int, part: bytes) -> bytes:
    """Return what a program header describes."""
    return os.pread(descriptor, min(_number(part, 32, 8), _MAX_TABLE), _number(part, 8, 8))


def _text(data: bytes, start: int) -> str:
    return os.fsdecode(data[start:].partition(b"\0")[0])


def _expanded(entry: str, folder: str) -> str:
    for name in ("$ORIGIN", "${ORIGIN}"):
        entry = entry.replace(name, folder)
    return os.path.normpath(entry) if entry.startswith("/") and "$" not in entry else ""
