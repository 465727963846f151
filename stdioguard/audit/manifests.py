"""Manifests of extensions (MCPB, formerly DXT): which file is one, and where what it names lies."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stdioguard.audit.interface import ConfigView


def of(config: ConfigView) -> dict[str, Any] | None:
    """Return the manifest in a file, or `None` where the file is something else."""
    value = config.value
    if (
        isinstance(value, dict)
        and isinstance(value.get("server"), dict)
        and ("manifest_version" in value or "dxt_version" in value)
    ):
        return value
    return None


def is_bundle(config: ConfigView) -> bool:
    """Tell whether the manifest is inside of an archive that is not installed."""
    return config.file.lower().endswith((".mcpb", ".dxt"))


def folder(config: ConfigView) -> str:
    """Return the folder of an installed extension; empty for an archive."""
    return "" if is_bundle(config) else os.path.dirname(config.file)
