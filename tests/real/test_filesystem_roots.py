"""server-filesystem takes its directories from the client's roots; the guard cuts that answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from .servers import SERVERS
from .sessions import Json, Person, SdkSession, sdk_client

if TYPE_CHECKING:
    from .calls import Stage

FILESYSTEM = SERVERS["filesystem"]


def open_with_roots(roots: list[str], stage: Stage, *, guarded: bool) -> tuple[set[str], Json, Json]:
    """What the server then says it may reach, and what it gives of a file outside and of one inside."""
    launch = stage.start(FILESYSTEM, guarded=guarded)
    person = Person(roots=roots)

    async def session() -> tuple[set[str], Json, Json]:
        with anyio.fail_after(30):
            async with sdk_client(launch, "legacy", person) as client:
                with anyio.fail_after(10):
                    while not person.roots_asked:
                        await anyio.sleep(0.01)
                await anyio.sleep(0.2)  # the server looks at each root before it takes them
                opened = SdkSession(client)
                listed = await opened.call("list_allowed_directories", {})
                outside = await opened.call("read_text_file", {"path": str(stage.place.outside / "secret.txt")})
                inside = await opened.call("read_text_file", {"path": str(stage.place.files / "docs" / "guide.md")})
                return set(listed["content"][0]["text"].splitlines()[1:]), outside, inside

    return anyio.run(session)


def reads(answer: Json) -> bool:
    return not answer.get("isError") and "error" not in answer


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside a granted one"])
def test_a_root_outside_of_the_profile_does_not_widen_the_server(*, beside: bool, stage: Stage) -> None:
    roots = [str(stage.place.outside), *([str(stage.place.files / "docs")] if beside else [])]

    directories, outside, _ = open_with_roots(roots, stage, guarded=False)
    assert directories == set(roots), "without the guard the server takes whatever it is told"
    assert "outside of every grant" in str(outside)

    directories, outside, inside = open_with_roots(roots, stage, guarded=True)
    # With no root left, the server keeps the directories of its command line.
    assert directories == ({str(stage.place.files / "docs")} if beside else {str(stage.place.files)})
    assert "outside of every grant" not in str(outside)
    assert not reads(outside)
    assert reads(inside)


def test_a_root_within_the_profile_reaches_the_server(stage: Stage) -> None:
    roots = [str(stage.place.files / "docs")]
    bare = open_with_roots(roots, stage, guarded=False)
    guarded = open_with_roots(roots, stage, guarded=True)
    assert bare[0] == guarded[0] == set(roots)
    assert reads(bare[2])
    assert bare[2] == guarded[2]
