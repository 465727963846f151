"""What is remembered of a wrapped file: only for its owner, for that file alone, and found again when its client moves things."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from stdioguard.installs import journal, wrapped
from stdioguard.installs.entries import Entry, Fields

if TYPE_CHECKING:
    from tests.installs.scene import Scene


def record(name: str, *path: str | int) -> journal.Entry:
    where: list[str | int] = list(path or ("mcpServers", name))
    edits = [journal.Edit([*where, "command"], journal.digest('"x"'), '"npx"')]
    return journal.Entry(where, name, "Cursor", name, "default", edits=edits)


def in_file(name: str, *path: str | int, server: str = "") -> Entry:
    argv = wrapped.Wrapped(["npx"], server=server or name).words("/bin/stdioguard")
    return Entry("Cursor", "/x", "user", name, path or ("mcpServers", name), "stdio", Fields(("command",)), argv=argv)


def test_it_is_kept_for_its_owner_and_gone_when_nothing_is_wrapped(scene: Scene) -> None:
    book = journal.of(str(scene.put("mcp.json", "{}")))
    assert book.entries == []
    book.entries.append(record("a"))
    book.write()
    [path] = scene.state("wrapped").glob("*.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = journal.of(str(scene.home / "mcp.json"))
    assert again == book
    assert list(journal.everything()) == [book]
    again.forget(again.entries[0])
    again.write()
    assert not path.exists()


def test_a_file_is_known_by_where_its_links_lead(scene: Scene) -> None:
    path = scene.put("dotfiles/mcp.json", "{}")
    link = scene.home / "mcp.json"
    link.symlink_to(path)
    book = journal.of(str(link))
    book.entries.append(record("a"))
    book.write()
    assert journal.of(str(path)).entries == book.entries


def test_the_journal_of_one_file_is_not_taken_for_anothers(scene: Scene) -> None:
    one, other = (journal.of(str(scene.put(name, "{}"))) for name in ("a.json", "b.json"))
    for book in (one, other):
        book.entries.append(record("a"))
        book.write()
    first, second = sorted(scene.state("wrapped").glob("*.json"))
    os.replace(first, second)
    [kept] = [book for book in (one, other) if journal._path(book.file) == str(second)]
    with pytest.raises(journal.JournalError, match="another file's; remove it"):
        journal.of(kept.file)
    [moved] = [book for book in (one, other) if book is not kept]
    assert journal.of(moved.file).entries == []


def test_a_link_in_its_place_is_not_followed(scene: Scene) -> None:
    book = journal.of(str(scene.put("mcp.json", "{}")))
    book.entries.append(record("a"))
    book.write()
    [path] = scene.state("wrapped").glob("*.json")
    path.rename(scene.home / "elsewhere")
    path.symlink_to(scene.home / "elsewhere")
    with pytest.raises(journal.JournalError):
        journal.of(book.file)


def test_an_entry_is_found_where_it_was(scene: Scene) -> None:
    book = journal.Journal("/x", entries=[record("a"), record("b")])
    assert [one.name for one in book.match([in_file("b"), in_file("a")]).values()] == ["b", "a"]


def test_an_entry_that_was_renamed_is_found_by_its_server(scene: Scene) -> None:
    book = journal.Journal("/x", entries=[record("a"), record("b")])
    found = book.match([in_file("other", server="a"), in_file("b")])
    assert found["mcpServers", "other"].server == "a"
    assert found["mcpServers", "other"].edits[0].path == ["mcpServers", "other", "command"]
    assert len(found) == 2


def test_items_of_a_list_that_have_moved_up_are_told_apart(scene: Scene) -> None:
    book = journal.Journal(
        "/x", entries=[record("a", "mcpServers", 0), record("b", "mcpServers", 1), record("c", "mcpServers", 2)]
    )
    found = book.match([in_file("b", "mcpServers", 0), in_file("c", "mcpServers", 1)])
    assert [(path, one.name, one.edits[0].path[1]) for path, one in found.items()] == [
        (("mcpServers", 0), "b", 0), (("mcpServers", 1), "c", 1),
    ]  # fmt: skip


def test_another_server_under_a_name_of_before_is_not_taken_for_it(scene: Scene) -> None:
    book = journal.Journal("/x", entries=[record("a")])
    assert book.match([in_file("z", server="z")]) == {}


def test_one_works_at_a_time_and_says_so_after_a_while(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LOCK_WAIT", 0.1)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with journal.alone():
            entered.set()
            leave.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    assert entered.wait(10)
    scene.put(".cursor/mcp.json", {"mcpServers": {"a": {"command": "/bin/cat"}}})
    done = scene("wrap", "cursor")
    leave.set()
    other.join()
    assert (done.code, len(done.err.splitlines())) == (78, 1)
    assert "at work" in done.err
    assert scene("wrap", "cursor").code == 0
