"""Where the source of an editable install is, read from the lines of code and the files that installers leave in an environment.

Nothing is run: a piece of code is searched for string literals that are absolute paths (setuptools, meson-python, scikit-build-core
all write such), and a package says itself where it was installed from (direct_url.json, PEP 610).
"""

from __future__ import annotations

import json
import os
import re

_MAX_TEXT = 1 << 18
_LITERAL = r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\""


def paths(line: str, site: str) -> tuple[list[str], bool]:
    """Return the paths that a line of code in a `.pth` file of `site` leads to, and whether that is all that it can lead to."""
    found = _literals(line)
    module = line[7:].partition(";")[0].partition(",")[0].strip()
    if "editable" not in module or not module.isidentifier():
        return found, True
    try:
        with open(os.path.join(site, f"{module}.py"), "rb") as file:
            text = file.read(_MAX_TEXT).decode("utf-8", "surrogateescape")
    except OSError:
        text = ""
    sources = [
        path for row in text.splitlines() if row.startswith(("MAPPING", "NAMESPACES", "install(")) for path in _literals(row)
    ]
    return found + sources, bool(sources)


def source(folder: str) -> str:
    """Return the folder that a package, by its `.dist-info` folder, was installed from to be edited; empty if it was not."""
    try:
        with open(os.path.join(folder, "direct_url.json"), "rb") as file:
            origin = json.loads(file.read(_MAX_TEXT))
        url, details = origin["url"], origin["dir_info"]
        if not details["editable"] or not url.startswith("file:///"):
            return ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    escaped = os.fsencode(url[7:])
    return os.fsdecode(re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), escaped))


def _literals(text: str) -> list[str]:
    """Return the string literals of a piece of Python source that are absolute paths."""
    values = [match[1] if match[1] is not None else match[2] for match in re.finditer(_LITERAL, text)]
    return [re.sub(r"\\(.)", r"\1", value) for value in values if value.startswith("/")]
