"""Texts of configurations without the secrets in them: for what people are shown, and for what is kept of a file.

Every secret of the file is hidden, whether or not it is one that moves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stdioguard.installs import find, plaintext

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stdioguard.installs.formats.document import Document

HIDDEN = "[secret]"


def texts(found: find.Found, documents: Iterable[Document]) -> list[str]:
    """Return the text of each of these versions of one file, with no secret of any of them."""
    versions = list(documents)
    values = {value for document in versions for value in _values(found, document)}
    spelled = sorted({text for value in values for text in spellings(value)}, key=len, reverse=True)
    hidden = []
    for document in versions:
        text = document.text
        for one in spelled:
            text = text.replace(one, HIDDEN)
        hidden.append(text)
    return hidden


def data(found: find.Found, document: Document) -> bytes:
    """Return a file as it is, but for its secrets: what is kept of it is not to hold them."""
    return (b"\xef\xbb\xbf" if document.bom else b"") + texts(found, [document])[0].encode("utf-8", "surrogatepass")


def _values(found: find.Found, document: Document) -> Iterable[str]:
    for entry in find.entries_of(found, document.value):
        for secret in plaintext.secrets_in(entry):
            yield plaintext.text_of(entry, secret)[slice(*secret.span)]


def spellings(value: str) -> set[str]:
    """Return the ways in which a format may write a value between its quotes."""
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {value, *escaped, *(text.replace("/", "\\/") for text in escaped), value.replace("'", "''")}
