"""Why a launch does not happen, and the exit code that says so."""

from __future__ import annotations

USAGE = 64
"""`EX_USAGE` of sysexits(3)."""
IO_ERROR = 74
"""`EX_IOERR`: what a command has to say cannot be written."""
REFUSED = 77
"""`EX_NOPERM`: identity, permissions, sandbox or record."""
CONFIGURATION = 78
"""`EX_CONFIG`: the profile or the command cannot be used."""


class LaunchError(Exception):
    """A launch that is refused; `str()` is one line that says what, why and what to do."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
