"""How findings are shown: one file a format. A reporter is a function of a `Shown` that returns a text; it decides nothing."""

from __future__ import annotations

from stdioguard.audit.reporters import json_, text

REPORTERS = {"text": text.report, "json": json_.report}
"""By the name that `--format` takes."""
