"""Why a sandbox cannot be had on macOS, in one line."""

from __future__ import annotations


class MacSandboxError(Exception):
    """A plan that this system's sandbox cannot hold to, or a system without it: `str()` is one line with what, where and the way out."""
