"""Who speaks for the client, and what that lets it see. The core knows credentials as opaque values; `identity` knows what they are."""

from __future__ import annotations

from stdioguard.policy.scopes import covers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Protocol

    class Authenticator(Protocol):
        """What the core asks of `identity`. No answer depends on anything but the credential, the register and the clock."""

        required: bool
        """Whether a client must prove itself; else one that presents nothing is let in, without scopes."""
        is_attack: bool
        """Whether the credential that was refused last is wrong, rather than one that was good once."""
        interval: float
        """Seconds after which `review` is to be asked again."""

        def authenticate(self, credential: object) -> tuple[Caller | None, str]:
            """Return whose credential it is, or `None` and why it is nobody's: for the record, never for the client."""

        def launched(self) -> Caller | None:
            """Return the caller that the launch itself has proved, as of now."""

        def review(self, caller: Caller) -> Caller | None:
            """Return the caller with what it is granted now, or `None` where its credential is worth nothing any more.

            The same object means that nothing has changed.
            """

        def is_revoked(self, caller: Caller) -> bool:
            """Tell whether the caller's client or token was revoked, rather than run out."""


class Caller:
    """A client that has proved itself with one credential.

    `grants` are sets of scopes of which each must cover what is needed: the client's own, and those of its token. `expires` is in seconds
    since the epoch, or `None`. `credential` is for the authenticator alone.
    """

    __slots__ = ("client", "client_id", "credential", "expires", "grants", "token", "via")

    def __init__(
        self,
        client: str,
        client_id: str,
        token: str,
        grants: Iterable[frozenset[str]],
        *,
        expires: float | None = None,
        credential: Any = None,
        via: str = "message",
    ) -> None:
        self.client = client
        self.client_id = client_id
        self.token = token
        self.grants = tuple(grants)
        self.expires = expires
        self.credential = credential
        self.via = via

    def may(self, needed: Iterable[str]) -> bool:
        """Tell whether every scope that is needed is granted."""
        return all(covers(granted, scope) for scope in needed for granted in self.grants)

    def is_same(self, other: Caller) -> bool:
        """Tell whether both are the same client, with whatever credentials."""
        return self.client_id == other.client_id


NOBODY = Caller("", "", "", (frozenset(),))
"""A client that has presented nothing, where nothing is required of it."""
