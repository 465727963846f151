"""The page of a rule, `docs/rules/SLUG.md`: for reports that carry the help text with them."""

from __future__ import annotations

import os
import re

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")


def directory() -> str:
    """Return the folder of the pages."""
    installed = os.path.join(_PACKAGE, "audit", "pages")
    # In a source checkout they are in the documentation; the wheel carries them inside the package.
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(_PACKAGE), "docs", "rules")


def page(slug: str) -> str:
    """Return a rule's page as Markdown; empty where there is none."""
    if not _SLUG.match(slug):
        return ""
    try:
        with open(os.path.join(directory(), f"{slug}.md"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def section(slug: str, name: str) -> str:
    """Return one section of a rule's page, without its heading; empty where there is none."""
    match = re.search(rf"^##+ {re.escape(name)}\s*$(.*?)(?=^##+ |\Z)", page(slug), re.MULTILINE | re.DOTALL)
    return match[1].strip() if match else ""
