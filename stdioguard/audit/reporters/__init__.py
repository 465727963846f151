"""How findings are shown: one file a format. A reporter is a function of a `Shown` that returns a text; it decides nothing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stdioguard.audit.reporters.interface import Shown

FORMATS = ("text", "json", "sarif", "markdown", "html")
"""The names that `--format` takes."""


def report(name: str, shown: Shown) -> str:
    """Return the findings in one of `FORMATS`. Only its own module is loaded."""
    module = importlib.import_module(f"{__name__}.{'json_' if name == 'json' else name}")
    return str(module.report(shown))
