"""An edit changes what it names and no other byte, and undoing it gives the file back to the byte, whatever the file looks like."""

from __future__ import annotations

import copy
import functools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stdioguard.installs.formats import REMOVE, Change, FormatError, parse
from stdioguard.installs.formats.values import same
from tests.installs.formats import texts

FORMS = ["json", "json5", "toml", "yaml"]
MAKERS = {"json": texts.jsonc, "json5": functools.partial(texts.jsonc, five=True), "toml": texts.toml, "yaml": texts.yaml}
NEW = st.one_of(
    texts.STRINGS,
    st.lists(texts.STRINGS, max_size=4),
    st.integers(),
    st.booleans(),
    st.dictionaries(texts.KEYS, texts.STRINGS, max_size=2),
)
settings.register_profile("edits", max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def files(draw, form):
    value = draw(texts.objects(texts.SCALARS if form in {"toml"} else st.one_of(texts.SCALARS, st.none())))
    if form == "yaml":
        value = _without(value, "<<")
    text = draw(MAKERS[form](value))
    return value, (b"\xef\xbb\xbf" if draw(st.booleans()) else b"") + text.encode()


def _without(value, key):
    if isinstance(value, dict):
        return {k: _without(v, key) for k, v in value.items() if k != key} or {"k": 1}
    return [_without(v, key) for v in value] if isinstance(value, list) else value


def with_value(value, path, new):
    result = copy.deepcopy(value)
    at = result
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = new
    return result


@pytest.mark.parametrize("form", FORMS)
def test_a_text_means_what_was_written_and_each_place_holds_its_value(form):
    @settings(settings.get_profile("edits"))
    @given(files(form))
    def check(file):
        value, data = file
        document = parse(data, form)
        assert same(document.value, value)
        assert document.data() == data
        assert document.duplicates == []
        for path in texts.paths(value):
            raw = document.raw(path)
            if raw is None:
                assert form == "toml"  # a table of its own lines
            if isinstance(path[-1], str):
                assert document.key_span(path) is not None
        assert document.value == value

    check()


@pytest.mark.parametrize("form", FORMS)
def test_a_value_that_is_set_and_put_back_gives_the_same_bytes(form):
    @settings(settings.get_profile("edits"))
    @given(st.data())
    def check(data):
        value, original = data.draw(files(form))
        document = parse(original, form)
        path = data.draw(st.sampled_from(list(texts.paths(value))))
        new = data.draw(NEW)
        raw = document.raw(path)
        try:
            edited = document.edited([Change(path, new)])
        except FormatError:
            assert raw is None or form == "yaml" or isinstance(new, dict)
            return
        assert same(edited.value, with_value(value, path, new))
        span = document.span(path)
        assert edited.text.startswith(document.text[: span.start].rstrip(" "))
        assert edited.text.endswith(document.text[span.end :])
        assert edited.edited([Change(path, raw=raw)]).data() == original

    check()


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_is_inserted_and_removed_gives_the_same_bytes(form):
    outcomes = {"done": 0, "refused": 0}

    @settings(settings.get_profile("edits"))
    @given(st.data())
    def check(data):
        value, original = data.draw(files(form))
        document = parse(original, form)
        where = data.draw(st.sampled_from(list(texts.objects_in(value))))
        path = (*where, "brand new" if data.draw(st.booleans()) else "brandnew")
        new = data.draw(NEW)
        try:
            edited = document.edited([Change(path, new)])
        except FormatError:
            outcomes["refused"] += 1
            assert form in {"toml", "yaml"}
            return
        outcomes["done"] += 1
        assert same(edited.value, with_value(value, path, new))
        assert edited.edited([Change(path, REMOVE)]).data() == original

    check()
    assert outcomes["done"] > outcomes["refused"]


@pytest.mark.parametrize("form", FORMS)
def test_many_changes_at_once_are_undone_in_reverse(form):
    @settings(settings.get_profile("edits"))
    @given(st.data())
    def check(data):
        value, original = data.draw(files(form))
        document = parse(original, form)
        leaves = [path for path in texts.paths(value) if document.raw(path) is not None]
        chosen = data.draw(st.lists(st.sampled_from(leaves), unique=True, max_size=4)) if leaves else []
        chosen = [path for path in chosen if not any(path != other and path[: len(other)] == other for other in chosen)]
        changes = [Change(path, data.draw(texts.STRINGS)) for path in chosen]
        undo = [Change(path, raw=document.raw(path)) for path in chosen]
        try:
            edited = document.edited([*changes, Change(("brand",), "new")])
        except FormatError:
            assert form in {"toml", "yaml"}
            return
        assert edited.edited([*undo[::-1], Change(("brand",), REMOVE)]).data() == original

    check()
