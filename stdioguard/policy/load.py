"""Find a profile by name or path, and load it: from the compiled copy in the cache where that is still true, else from the TOML.

The cache holds the profile's whole text beside the compiled form and is used only when both the text and stdioguard's version are the
same, so it can be stale in no way; it must be the user's own file, open to nobody else.
"""

from __future__ import annotations

import os
import re
from binascii import crc32

from stdioguard import __version__
from stdioguard.policy import places, private
from stdioguard.policy.errors import ProfileError
from stdioguard.policy.policy import Policy
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MAX_SIZE = 1 << 20
_MAX_CACHED = 1 << 25
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def shipped_directory() -> str:
    """Return the directory of the profiles that come with stdioguard."""
    installed = os.path.join(_PACKAGE, "profiles")
    # In a source checkout the profiles are beside the package; the wheel carries them inside it.
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(_PACKAGE), "profiles")


def directories() -> tuple[str, str]:
    """Return where profiles are looked for by name, in order: the user's own, then the shipped ones."""
    return os.path.join(places.directory("config"), "profiles"), shipped_directory()


def names() -> Iterator[tuple[str, str]]:
    """Yield `(name, path)` of every profile that can be named; a user's hides a shipped one of the same name."""
    seen: set[str] = set()
    for directory in directories():
        try:
            entries = sorted(os.listdir(directory))
        except OSError:
            continue
        for entry in entries:
            name, extension = os.path.splitext(entry)
            if extension == ".toml" and name not in seen:
                seen.add(name)
                yield name, os.path.join(directory, entry)


def find(reference: str) -> str:
    """Return the path of the profile that `reference` means: a file if it has a slash or ends in `.toml`, else a name.

    Raises `ProfileError` where there is none.
    """
    if "/" in reference or reference.endswith(".toml"):
        return os.path.abspath(reference)
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", reference):
        for directory in directories():
            path = os.path.join(directory, reference + ".toml")
            if os.path.exists(path):
                return path
    import difflib  # noqa: PLC0415 - only a mistyped name comes here

    known = [name for name, _ in names()]
    near = difflib.get_close_matches(reference, known, 1)
    hint = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}; a file is named by its path"
    raise ProfileError(reference, f"no such profile; {hint}")


def read(path: str) -> str:
    """Return the text of a profile file. Raises `ProfileError`."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise ProfileError(path, f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_SIZE:
        raise ProfileError(path, "longer than 1 MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProfileError(path, f"not UTF-8 at byte {error.start}") from None


def load(reference: str, *, keep: bool = False) -> Policy:
    """Load the profile that `reference` means; `keep` it as it is compiled, for the next time. Raises `ProfileError`."""
    path = find(reference)
    text = read(path)
    cache = os.path.join(places.directory("cache"), "profiles", f"{crc32(os.fsencode(path)):08x}.json")
    document = _cached(cache, path, text)
    if document is None:
        from stdioguard.policy.check import compile_profile  # noqa: PLC0415 - tomllib and msgspec, on a cold start only

        document = compile_profile(text, path)
        if keep:
            _keep(cache, path, text, document)
    return Policy(document)


def _cached(cache: str, path: str, text: str) -> dict[str, Any] | None:
    try:
        kept = strict_json.decode(private.read(cache, _MAX_CACHED))
    except (OSError, MalformedError):
        return None
    if not isinstance(kept, dict) or (kept.get("version"), kept.get("path"), kept.get("text")) != (__version__, path, text):
        return None
    document: dict[str, Any] = kept["document"]
    return document


def _keep(cache: str, path: str, text: str, document: dict[str, Any]) -> None:
    """Write the cache entry whole or not at all. A cache that cannot be written costs time, nothing else."""
    entry = {"version": __version__, "path": path, "text": text, "document": document}
    try:
        places.private_directory(places.directory("cache"))
        places.private_directory(os.path.dirname(cache))
        private.replace(cache, strict_json.encode(entry).encode("ascii"), lasting=False)
    except OSError:
        pass
