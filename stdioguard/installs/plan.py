"""What is chosen, and what is to be done to one file: the words that `wrap` and `unwrap` share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stdioguard.installs import masking

if TYPE_CHECKING:
    from stdioguard.installs import find
    from stdioguard.installs.formats.document import Document
    from stdioguard.installs.journal import Journal
    from stdioguard.installs.moves import Kept

ATTEMPTS = 3
"""How often a plan is made anew where another program writes to the file meanwhile."""

WRAPPED, RENEWED, ALREADY, LEFT, FAILED = "wrapped", "brought up to date", "already wrapped", "left alone", "failed"


@dataclass
class Options:
    """What a person has chosen. `program` is what wrapped entries start."""

    program: str
    profile: str | None = None
    """The profile for every entry, or `None` to choose by package."""
    keep_secrets: bool = False
    """Whether literal secrets stay where they are."""
    register: bool = True
    """Whether clients are registered, so that only they get in."""
    trusted: bool = False
    """Whether a person has looked at these entries: secrets may go to what an entry starts now, though it was another when they moved."""


@dataclass
class Row:
    """What was done to one entry, or would be."""

    client: str
    file: str
    level: str
    name: str
    outcome: str
    server: str = ""
    profile: str = ""
    secrets: list[str] = field(default_factory=list)
    """Names of the secrets that were moved."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of it, each in a few words."""


@dataclass
class Plan:
    """What is to be done to one file, in full."""

    listing: find.Listing
    rows: list[Row]
    after: Document | None = None
    """The file as it will be; `None` where nothing changes."""
    journal: Journal | None = None
    secrets: list[Kept] = field(default_factory=list)
    rebound: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What secrets that have moved already are bound to from now on, by name."""
    granted: dict[str, dict[str, str]] = field(default_factory=dict)
    """Profiles by server by the name under which a client is registered."""

    def masked(self) -> tuple[str, str]:
        """Return the texts before and after, with no secret in either, for people to compare."""
        before = self.listing.document
        if before is None:
            return "", ""
        hidden = masking.texts(self.listing.found, [before, self.after or before])
        return hidden[0], hidden[1]
