"""Text and value of a configuration file, and edits that keep every byte they are not about.

`parse` is the way in; `document.py` holds what all formats share.
"""

from __future__ import annotations

from typing import Final

from stdioguard.installs.formats.document import REMOVE, Change, Document, FormatError, Path, Span

__all__ = ["FORMS", "MAX_SIZE", "REMOVE", "Change", "Document", "FormatError", "Path", "Span", "parse"]

MAX_SIZE: Final = 32 * 1024 * 1024
"""Bytes. Claude Code keeps its state in the file that also names its servers, and that grows to megabytes."""

FORMS: Final = {"json": MAX_SIZE, "jsonc": MAX_SIZE, "json5": 4 * 1024 * 1024, "toml": 1024 * 1024, "yaml": 512 * 1024}
"""Each form, and the bytes that its decoder gets through in a few seconds."""


def parse(data: bytes, form: str) -> Document:
    """Read a file's bytes as one of FORMS; "json" and "jsonc" are read alike.

    Raises FormatError, and nothing else, whatever the bytes are.
    """
    limit = FORMS.get(form)
    if limit is None:
        raise FormatError(f"no format is named {form!a}; there are {', '.join(FORMS)}")
    if len(data) > limit:
        raise FormatError(f"the file has {len(data)} bytes; {limit} is the most that is read as {form}")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError("the file is UTF-16, which most clients can't read; save it as UTF-8")
    bom = data.startswith(b"\xef\xbb\xbf")
    try:
        text = data[3 if bom else 0 :].decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"byte {error.start + (3 if bom else 0)} is not UTF-8; save the file as UTF-8") from error
    if "\0" in text:
        raise FormatError(f"character {text.index(chr(0))} is NUL, so this is no text file")
    return _class(form)(text, form, bom=bom)


def _class(form: str) -> type[Document]:
    """Import only what the form needs: YAML's library takes longer to load than everything else here."""
    if form == "yaml":
        from stdioguard.installs.formats.yaml_text import YamlDocument  # noqa: PLC0415

        return YamlDocument
    if form == "toml":
        from stdioguard.installs.formats.toml_text import TomlDocument  # noqa: PLC0415

        return TomlDocument
    if form == "json5":
        from stdioguard.installs.formats.json5_text import Json5Document  # noqa: PLC0415

        return Json5Document
    from stdioguard.installs.formats.json_text import JsonDocument  # noqa: PLC0415

    return JsonDocument
