"""Every attempt, in every configuration, and without a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from .catalogue import BARE, SANDBOXED, load
from .stakes import Absent, Kept

if TYPE_CHECKING:
    from .conftest import Worlds
    from .world import World

ATTEMPTS = load()


def tried(world: World, name: str) -> tuple[dict[str, Any], str, bool]:
    """Have an attempt made; return its whole outcome, the outcome's one word, and whether the damage was done."""
    if name not in world.attempts:
        pytest.skip("needs a host in namespaces of its own, which are not allowed here")
    answer = world.ask("attempt", name=name)
    outcome = answer["outcome"]
    return outcome, "ok" if outcome["ok"] else outcome["errno"], answer["happened"]


def written_in_private(world: World, name: str) -> bool:
    """Tell whether a write that works, and does no damage, is right: where nothing is granted below a folder that is the view's own."""
    in_view = world.configuration.endswith("-namespaces") and world.root.startswith("/var/tmp/")
    return in_view and isinstance(ATTEMPTS[name].stake, Absent | Kept)


@pytest.mark.parametrize("configuration", SANDBOXED)
@pytest.mark.parametrize("name", ATTEMPTS)
def test_inside_it_fails_as_expected_and_does_no_damage(name: str, configuration: str, worlds: Worlds) -> None:
    outcome, word, happened = tried(worlds[configuration], name)
    if ATTEMPTS[name].weakness(configuration):
        assert happened, "this is stopped now: take the weakness out, here and in docs/platforms.md"
    else:
        assert not happened, f"ESCAPE: {name} in {configuration}: {outcome}"
    if word == "ok" and written_in_private(worlds[configuration], name):
        return
    assert word in ATTEMPTS[name].outcomes(configuration), outcome


@pytest.mark.parametrize("configuration", BARE)
@pytest.mark.parametrize("name", ATTEMPTS)
def test_outside_it_works_and_does_the_damage(name: str, configuration: str, worlds: Worlds) -> None:
    outcome, word, happened = tried(worlds[configuration], name)
    outcomes, reason = ATTEMPTS[name].control(configuration)
    assert word in outcomes, outcome
    if reason is None or happened:
        assert happened, f"the control of {name} does no damage: {outcome}"


@pytest.mark.parametrize("configuration", SANDBOXED)
def test_a_session_leaves_nothing_behind(configuration: str, worlds: Worlds) -> None:
    answer = worlds[configuration].ask("leftovers")
    assert answer["added"] == []
    assert answer["gone"] == []
