"""The command line of a wrapped entry: `stdioguard run OPTIONS -- COMMAND ARG...`, made and read back.

Everything that undoing needs is in it: what follows the first `--` is the entry's own command, unchanged.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPTIONS = {"--server": "server", "--profile": "profile", "--client": "client", "--token-file": "token_file"}


@dataclass
class Wrapped:
    """What a wrapped command line says."""

    command: list[str]
    """The server's own command, not empty."""
    server: str = ""
    profile: str = "default"
    client: str = ""
    """The name under which the client is registered; empty where it is not."""
    token_file: str = ""
    environment: list[str] = field(default_factory=list)
    """Names of the variables that the entry sets for its server."""
    others: list[str] = field(default_factory=list)
    """Options that somebody else has added, as they are."""

    def words(self, program: str) -> list[str]:
        """Return the command line that starts it through `program`."""
        words = [program, "run", "--server", self.server, "--profile", self.profile]
        if self.client:
            words += ["--client", self.client, "--token-file", self.token_file]
        for name in self.environment:
            words += ["--environment", name]
        return [*words, *self.others, "--", *self.command]


def read(argv: Sequence[str]) -> Wrapped | None:
    """Return what a command line says, or `None` where it does not start stdioguard."""
    words = list(argv)
    if len(words) > 3 and os.path.basename(words[0]).startswith("python") and "stdioguard" in words[:4]:
        words = words[words.index("stdioguard") :]  # python -I -m stdioguard run ...
    program = words[0].replace("\\", "/").rsplit("/", 1)[-1].lower() if words else ""
    if program not in ("stdioguard", "stdioguard.exe", "stdioguard.cmd") or words[1:2] != ["run"] or "--" not in words:
        return None
    at = words.index("--")
    if at + 1 == len(words):
        return None
    wrapped = Wrapped(words[at + 1 :])
    options = iter(words[2:at])
    for word in options:
        name, equals, value = word.partition("=")
        if name not in _OPTIONS and name != "--environment":
            wrapped.others.append(word)
            continue
        value = value if equals else next(options, "")
        if name == "--environment":
            wrapped.environment.append(value)
        else:
            setattr(wrapped, _OPTIONS[name], value)
    return wrapped
