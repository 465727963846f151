"""One host a configuration and test process, made when it is first needed and kept until the end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from .world import World

if TYPE_CHECKING:
    from collections.abc import Iterator


class Worlds:
    """The hosts that have been made."""

    def __init__(self) -> None:
        self._made: dict[str, World] = {}

    def __getitem__(self, configuration: str) -> World:
        """Return the host of a configuration; skips the test where this machine or this user cannot have it."""
        # Only root can be root; and where the kernel refuses namespaces the configuration without them is all there is.
        if configuration.startswith("root") and os.geteuid() != 0:
            pytest.skip("not run as root")
        if configuration not in self._made:
            self._made[configuration] = World(configuration)
        world = self._made[configuration]
        if configuration.endswith("-namespaces") and not world.setup["world"]:
            pytest.skip("namespaces are not allowed here, so there is nothing but the configuration without them")
        return world

    def close(self) -> None:
        """End all of them."""
        for world in self._made.values():
            world.close()


@pytest.fixture(scope="session")
def worlds() -> Iterator[Worlds]:
    """Every configuration's host, by name."""
    if sys.platform != "linux":
        pytest.skip("the worlds are made of Linux namespaces")
    made = Worlds()
    yield made
    made.close()
