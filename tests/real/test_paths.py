"""Paths in arguments: what honest use needs goes through, what the command line does not name does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
import pytest

from .servers import SERVERS
from .sessions import MODES, Json, Person, open_session

if TYPE_CHECKING:
    from .calls import Stage
    from .servers import Place


@dataclass(frozen=True)
class Case:
    """One call on a server started with these arguments in this directory."""

    server: str
    tool: str
    arguments: Json
    started_with: list[str]
    started_in: str
    alone: bool
    """Whether the server answers it without the guard."""
    guarded: bool


NOTES = "{files}/notes.txt"
CASES = {
    "the repository that was named": Case(
        "git", "git_status", {"repo_path": "{files}"}, ["--repository", "{files}"], "home", True, True
    ),
    "named as --repository=": Case(
        "git", "git_status", {"repo_path": "{files}"}, ["--repository={files}"], "home", True, True
    ),
    "a repository named by a relative path": Case(
        "git", "git_status", {"repo_path": "."}, ["--repository", "."], "files", True, True
    ),
    "a repository while none was named": Case(
        "git", "git_status", {"repo_path": "{files}"}, [], "home", True, False
    ),
    "a file by its whole path": Case(
        "filesystem", "read_text_file", {"path": NOTES}, ["{files}"], "home", True, True
    ),
    "a file through a link to the directory": Case(
        "filesystem", "read_text_file", {"path": "{home}/link/notes.txt"}, ["{home}/link"], "home", True, True
    ),
    "a file by a relative path, started there": Case(
        "filesystem", "read_text_file", {"path": "notes.txt"}, ["."], "files", True, True
    ),
    # The server tries each of its directories; the guard knows only the working directory.
    "a file by a relative path, started elsewhere": Case(
        "filesystem", "read_text_file", {"path": "notes.txt"}, ["{files}"], "home", True, False
    ),
    "a file outside": Case(
        "filesystem", "read_text_file", {"path": "{outside}/secret.txt"}, ["{files}"], "home", False, False
    ),
    "a file outside, by climbing": Case(
        "filesystem", "read_text_file", {"path": "{files}/../outside/secret.txt"}, ["{files}"], "home", False, False
    ),
    "a link inside to a file outside": Case(
        "filesystem", "read_text_file", {"path": "{files}/way-out"}, ["{files}"], "home", False, False
    ),
    "one of several files outside": Case(
        "filesystem", "read_multiple_files", {"paths": [NOTES, "{outside}/secret.txt"]}, ["{files}"], "home", True, False
    ),
}  # fmt: skip


def fill(text: str, place: Place) -> str:
    return text.format(files=place.files, home=place.home, outside=place.outside)


def answer(case: Case, stage: Stage, *, guarded: bool) -> Json:
    place = stage.place
    server = replace(SERVERS[case.server], arguments=lambda place: [fill(word, place) for word in case.started_with])
    launch = stage.start(server, guarded=guarded)
    (place.home / "link").symlink_to(place.files)
    (place.files / "way-out").symlink_to(place.outside / "secret.txt")
    launch = replace(launch, directory=place.root / case.started_in)
    arguments = {
        name: [fill(item, place) for item in value] if isinstance(value, list) else fill(value, place)
        for name, value in case.arguments.items()
    }

    async def session() -> Json:
        with anyio.fail_after(30):
            async with open_session(launch, MODES["raw-2025-06-18"], Person()) as opened:
                return await opened.call(case.tool, arguments)

    return anyio.run(session)


@pytest.mark.parametrize("name", CASES)
def test_a_path_is_judged_where_it_leads(name: str, stage: Stage) -> None:
    case = CASES[name]
    alone = answer(case, stage, guarded=False)
    assert bool(alone.get("isError")) is not case.alone, alone
    guarded = answer(case, stage, guarded=True)
    if case.guarded:
        assert guarded == alone
    else:
        assert guarded["isError"] is True, guarded
        assert "arguments" in guarded["_meta"]["io.stdioguard/refusal"]["rule"], guarded
        assert "outside of every grant" not in str(guarded)
