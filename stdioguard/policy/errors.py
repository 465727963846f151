"""What is wrong with a profile, in one line."""

from __future__ import annotations


class ProfileError(Exception):
    """A profile that cannot be used: `str()` is one line with file, line where known, key, reason and the way out."""

    def __init__(self, file: str, problem: str, *, line: int | None = None) -> None:
        super().__init__(f"{file}:{line}: {problem}" if line else f"{file}: {problem}")
        self.file = file
        self.line = line
        self.problem = problem
