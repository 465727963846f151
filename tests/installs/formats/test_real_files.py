"""Real public configuration files: every one is read, edited as `wrap` would, and put back to the byte.

They are not part of the project. STDIOGUARD_DATA names the folder that holds `configs-dev`; `../shared/data` beside the repository is
looked at too.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from stdioguard.installs.formats import REMOVE, Change, parse

ROOT = Path(os.environ.get("STDIOGUARD_DATA") or Path(__file__).resolve().parents[3].parent / "shared" / "data") / "configs-dev"
FILES = sorted(path for path in ROOT.glob("*/*") if path.is_file())
pytestmark = pytest.mark.skipif(not FILES, reason="the real configurations are not on this machine (STDIOGUARD_DATA)")
FORMS = {".json": "json", ".jsonc": "jsonc", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
ARGS = ["run", "--profile", "default", "--", "npx", "-y", 'a "quoted" word', "${input:key}"]


def entries(value, path=()):
    """The paths of everything that starts a program."""
    if isinstance(value, dict):
        if isinstance(value.get("command"), str | list):
            yield path, value
        for key, item in value.items():
            yield from entries(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from entries(item, (*path, index))


def wrapped(document):
    """Return the changes that rewrite every entry, and those that undo them."""
    changes, undo = [], []
    for path, entry in entries(document.value):
        fields = {"command": "/usr/bin/stdioguard", "args": ARGS}
        if isinstance(entry["command"], list):
            fields = {"command": ["/usr/bin/stdioguard", *ARGS]}
        for name, new in fields.items():
            at = (*path, name)
            changes.append(Change(at, new))
            undo.append(Change(at, raw=document.raw(at)) if name in entry else Change(at, REMOVE))
    return changes, undo[::-1]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_real_file_is_edited_only_where_it_should_be_and_put_back(file):
    data = file.read_bytes()
    document = parse(data, FORMS[file.suffix])
    assert document.data() == data
    assert document.duplicates == []
    changes, undo = wrapped(document)
    edited = document.edited(changes)
    for path, _ in entries(edited.value):
        command = edited.raw((*path, "command"))
        assert command is not None
        assert "/usr/bin/stdioguard" in command
    lines = set()
    for change in changes:
        span = document.span(change.path) or document.span((*change.path[:-1], "command"))
        assert span is not None
        last = document.place(max(span.end - 1, span.start))[0]
        if document.span(change.path) is None:  # a comma after the last member, and then the new line
            parent = document.node(change.path[:-1])
            assert parent is not None
            lines.add(document.place(parent.order[-1].end - 1)[0])
        lines.update(range(document.place(span.start)[0], last + 1))
    for tag, begin, end, _, _ in difflib.SequenceMatcher(
        None, document.text.splitlines(), edited.text.splitlines(), autojunk=False
    ).get_opcodes():
        if tag != "equal":
            assert all(line + 1 in lines for line in range(begin, end)), document.text.splitlines()[begin:end]
    assert edited.edited(undo).data() == data


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_real_file_with_other_line_ends_and_a_byte_order_mark_is_put_back_too(file):
    data = b"\xef\xbb\xbf" + file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    document = parse(data, FORMS[file.suffix])
    changes, undo = wrapped(document)
    edited = document.edited(changes)
    assert edited.data().count(b"\n") == edited.data().count(b"\r\n")
    assert edited.edited(undo).data() == data


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.suffix.startswith(".json")], ids=lambda file: f"{file.parent.name}/{file.name}"
)
def test_a_real_file_means_the_same_as_json5_and_as_yaml(file):
    data = file.read_bytes()
    value = parse(data, "json").value
    assert parse(data, "json5").value == value
    if b"//" not in data.replace(b"://", b"") and b"\t" not in data and parse(data, "json").plain:
        document = parse(data, "yaml")  # which JSON nearly is
        assert document.value == value
        changes, undo = wrapped(document)
        assert document.edited(changes).edited(undo).data() == data
