"""What an entry says of itself."""

from __future__ import annotations

import pytest

from stdioguard.installs.entries import Entry, Fields


@pytest.mark.parametrize(
    ("kind", "fixed", "editable"),
    [("stdio", "", True), ("stdio", "an update undoes it", False), ("remote", "", False), ("broken", "", False)],
)
def test_only_what_a_client_starts_from_a_file_that_may_be_edited_is_editable(kind, fixed, editable) -> None:
    entry = Entry(
        "Cursor", "/x", "user", "one", ("mcpServers", "one"), kind, Fields(("mcpServers", "one", "command")), fixed=fixed
    )
    assert entry.editable is editable
