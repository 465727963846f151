"""Constraints on a tool's arguments, in every revision."""

from __future__ import annotations

import pytest

from tests.playbook import REVISIONS, Playbook, call, refusal

HEAD = 'schema = 1\nname = "x"\ndescription = "d"\n'


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        ({"path": "/work/data/a"}, True),
        ({"path": "/work/data"}, True),
        ({"path": "data/a"}, True),
        ({"path": ["/work/data/a", "/work/data/b"]}, True),
        ({"path": ["/work/data/a", "/etc/passwd"]}, False),
        ({"path": "/work/data/../secret"}, False),
        ({"path": "/work/database"}, False),
        ({"path": "/work"}, False),
        ({"path": "/"}, False),
        ({"path": ""}, False),
        ({"path": "~/x"}, False),
        ({"path": "file:///work/data/a"}, False),
        ({"path": "/work/data/\0/etc"}, False),
        ({"path": 5}, False),
        ({"path": {"a": "/work/data"}}, False),
        ({"path": None}, False),
        ({}, False),
        ({"Path": "/work/data/a"}, False),
        ({"path": "/work/data/a", "mode": "fast"}, True),
        ({"path": "/work/data/a", "mode": "slow"}, False),
        ({"path": "/work/data/a", "Mode": "slow"}, False),
    ],
    ids=str,
)
def test_constraints_on_arguments_hold(arguments: dict[str, object], allowed: bool) -> None:
    profile = HEAD + (
        "[tools.rules]\nread = { action = 'allow', arguments = { path = { inside = ['${ARG_PATHS}'] }, "
        "mode = { one_of = ['fast', 1], optional = true } } }\n"
    )
    for revision in REVISIONS:
        talk = Playbook(revision, profile, ARG_PATHS=["/work/data"])
        talk >> call("read", **arguments)
        if allowed:
            assert talk.server_got()["params"]["arguments"] == arguments
        else:
            assert talk.all_to_server() == []
            assert (refusal(talk.client_got()) or {})["rule"] == 'tools.rules."read".arguments'
