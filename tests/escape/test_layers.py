"""The suite has teeth: what each layer stops is let through when that layer is off, and no launch goes on without it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from .layers import LAYERS, NO_PROBES
from .world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .layers import Layer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the layers are Linux's")


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> Layer:
    """Each layer in turn."""
    return LAYERS[request.param]


@pytest.fixture
def world(layer: Layer, request: pytest.FixtureRequest) -> Iterator[World]:
    """A host whose guards lack the layer and, where the test asks for it, the probes."""
    made = World(layer.configuration, before=layer.text + (NO_PROBES if request.param == "unprobed" else ""))
    if layer.configuration.endswith("-namespaces") and not made.setup["world"]:
        made.close()
        pytest.skip("namespaces are not allowed here")
    yield made
    made.close()


@pytest.mark.parametrize("world", ["unprobed"], indirect=True)
def test_without_a_layer_what_it_stops_is_done(layer: Layer, world: World) -> None:
    done = {name: world.ask("attempt", name=name)["happened"] for name in layer.attempts}
    assert done == dict.fromkeys(layer.attempts, True)


@pytest.mark.parametrize("world", ["probed"], indirect=True)
def test_no_launch_goes_on_without_a_layer(layer: Layer, world: World) -> None:
    outcome = world.ask("attempt", name=layer.attempts[0])["outcome"]
    assert outcome["errno"] == "exit-77", outcome
    assert f'cannot give "{layer.guarantee}"' in outcome["stderr"]
