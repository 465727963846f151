"""What a dialect is: how one client writes a server's entry, and how the entry is made to start something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Change, Path


class Dialect(Protocol):
    """How one client writes entries."""

    @property
    def client(self) -> str:
        """The client's name, as in `stdioguard.sandbox.clients`."""
        ...

    def entries(self, value: Any, key: Path) -> Iterator[Entry]:
        """Yield every entry of the servers at `key` of a document's value. Never raises: what makes no sense is a broken entry.

        The caller fills in `file` and `level`.
        """
        ...

    def rewrite(self, entry: Entry, argv: Sequence[str]) -> list[Change]:
        """Return the changes that make this entry start `argv`; nothing else of it changes. Raises `ValueError` if it is not editable."""
        ...

    def literal(self, text: str) -> bool:
        """Tell whether the client takes the text as it is, or fills in a variable of its own first."""
        ...
