"""What the sessions with real servers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .calls import Stage
from .servers import Place, missing_node_servers
from .web import Web, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def node_servers() -> str | None:
    """Why the npm servers can't be started here, if they can't."""
    return missing_node_servers()


@pytest.fixture(scope="session")
def web() -> Iterator[Web]:
    """The pages that the fetching tools are given."""
    with serve() as served:
        yield served


@pytest.fixture
def stage(tmp_path: Path, web: Web, node_servers: str | None) -> Stage:
    """A place of its own for each test."""
    return Stage(Place(tmp_path), web, no_node=node_servers)
