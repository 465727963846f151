"""Values that no client writes: nothing raises, and what is editable is edited as asked."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stdioguard.installs import dialects, find, formats
from stdioguard.sandbox import clients

WORDS = ["command", "args", "env", "url", "type", "transport", "cmd", "envs", "uri", "name", "enabled", "disabled", "source", "settings", "path",
         "mcpServers", "servers", "mcp", "extensions", "projects", "stdio", "http", "npx", "npx -y x", "", " ", "/a b/c", "platform_overrides",
         "linux", "headers", "environment", "httpUrl", "https://x"]  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
ENTRIES = st.fixed_dictionaries({}, optional=dict.fromkeys(WORDS, VALUES))
KINDS = sorted({(config.client, config.key) for config in clients.CLIENT_CONFIGS} | {("generic", "")})


def in_place(key: str, servers: Any) -> Any:
    value = servers
    for step in reversed(key.split("|")[0].split(".")):
        value = {step: value} if step else value
    return value


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(KINDS),
    value=st.one_of(VALUES, st.dictionaries(st.text(max_size=3), st.one_of(ENTRIES, VALUES), max_size=3)),
)
def test_any_value_is_read_without_an_exception(kind: tuple[str, str], value: Any) -> None:
    client, key = kind
    for one in (value, in_place(key, value)):
        for entry in find.entries_of(find.Found(client, "/x", "user", "json", key), one):
            assert entry.kind in ("stdio", "remote", "broken")
            assert bool(entry.problem) == (entry.kind == "broken")
            assert all(isinstance(word, str) for word in entry.argv)
            assert all(isinstance(word, str) for pair in entry.env.items() for word in pair)
            assert entry.kind != "stdio" or entry.argv[0].strip()
            assert dialects.standard.at(one, entry.path) is not None or entry.kind == "broken"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from([kind for kind in KINDS if kind[0] not in ("generic", "JetBrains AI Assistant")]),
    entry=ENTRIES.filter(bool),
    argv=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6), min_size=1, max_size=4
    ),
)
def test_what_is_editable_starts_what_is_asked_for_and_keeps_the_rest(kind: tuple[str, str], entry: Any, argv: list[str]) -> None:
    client, key = kind
    argv = ["/opt/stdioguard", *argv]
    document = formats.parse(json.dumps(in_place(key, {"one": entry})).encode(), "json")
    found = find.Found(client, "/x", "user", "json", key)
    dialect = dialects.dialect(client, key)
    for before in find.entries_of(found, document.value):
        if before.editable:
            after = document.edited(dialect.rewrite(before, argv))
            (again,) = [one for one in find.entries_of(found, after.value) if one.path == before.path]
            assert again.argv == argv
            assert (again.env, again.cwd, again.disabled, again.extra, again.url) == (
                before.env,
                before.cwd,
                before.disabled,
                before.extra,
                before.url,
            )
            assert again.editable
