"""One server as a client's config names it: the same shape for every client, and where each part of it is in the document.

No I/O, and nothing of any one client: that is in `dialects`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from stdioguard.installs.formats.document import Path

Kind = Literal["stdio", "remote", "broken"]
Level = Literal["user", "project", "managed", "extension", "given"]
Shape = Literal["command+args", "array", "line", "nested"]


@dataclass(frozen=True)
class Fields:
    """Where an entry's parts are in its document."""

    command_path: Path
    """The program; for the shape `array`, the whole list."""

    args_path: Path | None = None
    """The arguments; `None` where the entry has none, or the shape is `array`."""

    args_key: Path | None = None
    """Where arguments are inserted if there are none; `None` for the shape `array`."""

    env_path: Path | None = None
    """The variables that the client sets for the server; `None` where there are none."""

    env_key: Path | None = None
    """Where variables are inserted if there are none."""

    url_path: Path | None = None
    """The address of a remote server."""

    headers_path: Path | None = None
    """What is sent to a remote server with each request."""


@dataclass(frozen=True)
class Entry:
    """One server in one file of one client."""

    client: str
    """The client's name, as in `stdioguard.sandbox.clients`."""

    file: str
    """The file's path, as it was found or given."""

    level: Level
    """Whose file it is: the user's, a project's, an administrator's, an installed extension's; or `given` on the command line."""

    name: str
    """The server's name: its key, or what a list item calls itself."""

    path: Path
    """The way to the entry in the document."""

    kind: Kind
    """`stdio` for a program that the client starts, `remote` for an address, `broken` for what no client can start."""

    fields: Fields
    """Where the parts are."""

    argv: list[str] = field(default_factory=list)
    """The program and its arguments, the client's variables not filled in. May also hold what is known of a broken entry."""

    env: dict[str, str] = field(default_factory=dict)
    """The variables that the client sets for the server."""

    cwd: str | None = None
    """The folder that the client starts the server in, if the entry names one."""

    disabled: bool = False
    """Whether the client leaves it alone for now."""

    url: str | None = None
    """The address of a remote server."""

    headers: dict[str, str] = field(default_factory=dict)
    """What the client sends to a remote server with each request."""

    shape: Shape = "command+args"
    """How the command is written; `line` is a whole command line in one text, `nested` an object inside the entry."""

    extra: dict[str, Any] = field(default_factory=dict)
    """The entry's other members: lists of tools that need no question, time limits and so on."""

    problem: str = ""
    """What is wrong with a broken entry, in one line."""

    project: str = ""
    """The folder that the entry holds for, where a user's file has entries for single projects; else empty."""

    fixed: str = ""
    """Why the entry cannot be edited where it is, in one line; else empty."""

    @property
    def editable(self) -> bool:
        """Tell whether the entry can be made to start something else."""
        return self.kind == "stdio" and not self.fixed
