"""What an attempt is, and the list of all of them.

An attempt is a function that the attacker runs inside the sandbox, and a *stake*: what the host loses if it works. The harness puts the
stake in place, has the function run, and looks at the stake again. Outside the sandbox the same function must do the damage (the control),
inside it must end in exactly the outcome that is written beside it and the stake must be whole.

An outcome is one word: `ok` (the function returned), the name of an errno, of a signal that killed it, `timeout`, or for a launch that
was refused `exit-77` and the like. `ok` is expected where a call works on something private, and the stake is what proves it harmless.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .stakes import Stake

SANDBOXED = ("root-namespaces", "root-plain", "user-namespaces", "user-plain")
BARE = ("root-bare", "user-bare")


class Launch:
    """What one attempt's own session is granted, where that is not the usual grant. Texts may hold `{project}` and the like."""

    def __init__(
        self,
        *,
        read: Iterable[str] = (),
        write: Iterable[str] = (),
        deny: Iterable[str] = (),
        network: Iterable[str] = (),
        cwd: str = "{cwd}",
        environment: dict[str, str] | None = None,
        passed: Iterable[str] = (),
        server: str | None = None,
        seccomp: str | None = None,
    ) -> None:
        self.read, self.write, self.deny, self.network = list(read), list(write), list(deny), list(network)
        self.cwd = cwd
        self.environment = environment or {}
        """Added to the guard's own environment."""
        self.passed = list(passed)
        """Names that the profile passes to the server."""
        self.server = server
        """A script to run in place of the attacker's own."""
        self.seccomp = seccomp


class Attempt:
    """One attempt; see `attempt` for what its fields mean."""

    def __init__(self, function: Callable[..., Any], stake: Stake, expected: dict[str, str], **options: Any) -> None:
        self.name = options.pop("name", None) or function.__name__.strip("_").replace("_", "-")
        self.group = options.pop("group", None) or function.__module__.rpartition(".")[2]
        self.function = function
        self.stake = stake
        self.launch: Launch | None = options.pop("launch", None)
        self.profile: str = options.pop("profile", "closed")
        self.world: bool = options.pop("world", False)
        self.ends: bool = options.pop("ends", False)
        self.timeout: float = options.pop("timeout", 5.0)
        self.weaker: dict[str, str] = options.pop("weaker", {})
        self.uncontrolled: dict[str, tuple[str, str]] = options.pop("uncontrolled", {})
        self.bound: dict[str, Any] = options.pop("bound", {})
        assert not options, options
        self.expected = expected
        self.parameters = frozenset(inspect.signature(function).parameters) - self.bound.keys()

    def outcomes(self, configuration: str) -> tuple[str, ...]:
        """Return the outcomes that are right in a sandboxed configuration; the most exact entry decides."""
        user, _, kind = configuration.partition("-")
        for key in (configuration.replace("-", "_"), kind, user, "expected"):
            if key in self.expected:
                return tuple(self.expected[key].split("|"))
        raise KeyError(f"{self.name} says nothing of {configuration}")

    def weakness(self, configuration: str) -> str | None:
        """Return why the damage is done in a sandboxed configuration too, where that is known and documented."""
        user, _, kind = configuration.partition("-")
        return next((self.weaker[key] for key in (configuration, kind, user, "expected") if key in self.weaker), None)

    def control(self, configuration: str) -> tuple[tuple[str, ...], str | None]:
        """Return the outcomes that are right without a sandbox and, where these are failures, the reason."""
        outcomes, reason = self.uncontrolled.get(configuration.partition("-")[0], ("ok", None))
        return tuple(outcomes.split("|")), reason


ATTEMPTS: dict[str, Attempt] = {}


def add(function: Callable[..., Any], stake: Stake, **keywords: Any) -> Attempt:
    """Add an attempt to the list; the arguments are those of `attempt`."""
    expected = {key: keywords.pop(key) for key in list(keywords) if _is_expectation(key)}
    made = Attempt(function, stake, expected, **keywords)
    assert made.name not in ATTEMPTS, f"two attempts are called {made.name}"
    ATTEMPTS[made.name] = made
    return made


def attempt(stake: Stake, **keywords: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function an attempt; its name is the attempt's.

    `expected` is the outcome inside, alternatives parted by `|`; `namespaces`, `plain`, `root`, `user`, and `root_plain` and its like say
    where it differs. `uncontrolled` is `{"user": (outcome, reason)}` for a user who could not do it without a sandbox either.
    `weaker` says, for the same keys, why the damage is done all the same: what docs/platforms.md names as not enforced.
    `profile` is `closed`, or `proxied` for a session that has some hosts; `launch` asks for a session of its own; `ends` has
    the session ended before the stake is looked at; `world` says that it needs a host in namespaces of its own.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        add(function, stake, **keywords)
        return function

    return register


def _is_expectation(key: str) -> bool:
    return key in ("expected", "namespaces", "plain", "root", "user") or key.replace("_", "-") in SANDBOXED


def load() -> dict[str, Attempt]:
    """Import every file of attempts and return the list."""
    from . import attempts  # noqa: F401

    return ATTEMPTS
