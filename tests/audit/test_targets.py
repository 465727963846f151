"""Whose a file is depends on what it lies in: the same name is a person's in a home and everybody's in a repository."""

from __future__ import annotations

import pytest

from stdioguard.audit import targets


@pytest.fixture
def folder(tmp_path):
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text('{"mcpServers": {}}')
    return tmp_path


@pytest.mark.parametrize(
    ("mark", "level"), [(".bashrc", "user"), (".config", "user"), (".git", "project"), ("package.json", "project")]
)
def test_a_file_of_a_home_is_a_persons_and_of_anything_else_a_projects(folder, mark, level):
    (folder / mark).mkdir()
    (place,) = targets.of([str(folder)])
    assert place.level == level


def test_bundles_in_a_folder_are_looked_at(folder):
    (folder / "notes.mcpb").write_bytes(b"PK")
    assert [place.form for place in targets.of([str(folder)])] == ["json", "mcpb"]
