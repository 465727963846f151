"""The evaluator must be able to say no: profiles with known faults, and faults in the language."""

from __future__ import annotations

import pytest

from tests.sandbox.macos.evaluator import Ask, Profile, ProfileError, Reading, above, dialect_problem

HEAD = "(version 1)\n(deny default)\n"
LAST, OPERATION = (Reading(order, "seen", "characters") for order in ("last", "operation"))


def verdicts(rules: str, operation: str, path: str) -> tuple[bool, bool]:
    profile = Profile(HEAD + rules + "\n")
    return profile.verdict(Ask(operation, path), LAST), profile.verdict(Ask(operation, path), OPERATION)


def test_what_no_rule_names_is_denied() -> None:
    assert verdicts('(allow file-read* (literal "/a"))', "file-read-data", "/b") == (False, False)
    assert verdicts('(allow file-read* (literal "/a"))', "file-write-data", "/a") == (False, False)
    assert verdicts('(allow file-read* (literal "/a"))', "file-read-data", "/a") == (True, True)


def test_a_deny_before_the_allow_is_lost() -> None:
    rules = '(deny file-write* (subpath "/a/b"))\n(allow file-write* (subpath "/a"))'
    assert verdicts(rules, "file-write-data", "/a/b/c") == (True, True)


def test_a_later_deny_of_a_wildcard_is_lost_on_a_named_operation_in_one_reading() -> None:
    rules = '(allow file-write-create (subpath "/a"))\n(deny file-write* (subpath "/a/b"))'
    assert verdicts(rules, "file-write-create", "/a/b/c") == (False, True)
    with pytest.raises(AssertionError, match="depends on the reading"):
        Profile(HEAD + rules + "\n").allows(Ask("file-write-create", "/a/b/c"))


def test_a_later_allow_of_a_wildcard_is_lost_on_a_named_deny_in_one_reading() -> None:
    rules = '(deny file-write-unlink (literal "/a/b"))\n(allow file-write* (subpath "/a"))'
    assert verdicts(rules, "file-write-unlink", "/a/b") == (True, False)


def test_a_rule_without_a_filter_beats_none_with_one_in_one_reading() -> None:
    rules = '(allow file-link (subpath "/a"))\n(deny file-link)'
    assert verdicts(rules, "file-link", "/a/b") == (False, True)


def test_a_subpath_ends_at_a_slash() -> None:
    assert verdicts('(allow file-read* (subpath "/a"))', "file-read-data", "/ab") == (False, False)
    assert verdicts('(allow file-read* (subpath "/a"))', "file-read-data", "/a") == (True, True)


def test_case_and_units_are_readings() -> None:
    profile = Profile(HEAD + '(allow file-read* (subpath "/A"))\n')
    assert {
        reading.case
        for reading in (LAST, Reading("last", "folded", "bytes"))
        if profile.verdict(Ask("file-read-data", "/a/b"), reading)
    } == {"folded"}
    profile = Profile(HEAD + '(allow file-read* (regex "^/.$"))\n')
    assert profile.verdict(Ask("file-read-data", "/\u00e9"), Reading("last", "seen", "characters"))
    assert not profile.verdict(Ask("file-read-data", "/\u00e9"), Reading("last", "seen", "bytes"))


def test_a_dot_and_the_end_are_taken_at_their_narrowest() -> None:
    assert verdicts('(allow file-read* (regex "^/a.b$"))', "file-read-data", "/a\nb") == (False, False)
    assert verdicts('(allow file-read* (regex "^/a$"))', "file-read-data", "/a\n") == (False, False)


def test_filters_are_alternatives_and_can_be_combined() -> None:
    rules = '(allow file-read* (literal "/a") (require-all (subpath "/b") (require-not (regex "[.]pem$"))))'
    assert verdicts(rules, "file-read-data", "/a") == (True, True)
    assert verdicts(rules, "file-read-data", "/b/c") == (True, True)
    assert verdicts(rules, "file-read-data", "/b/c.pem") == (False, False)


def test_operations_have_the_wildcards_above_them() -> None:
    assert above("file-write-create") == ["file-write-create", "file-write*", "file*"]
    assert above("file-link") == ["file-link", "file*"]
    assert above("process-exec*") == ["process-exec*", "process*"]
    assert above("process-exec-interpreter") == ["process-exec-interpreter", "process-exec*", "process*"]
    assert above("mach-lookup") == ["mach-lookup", "mach*"]


@pytest.mark.parametrize(
    "rules",
    [
        '(allow file-read* (literal "/a)',
        '(allow file-read* (literal "/a")))',
        '(allow file-read* (literal "/a"',
        '(allow file-read* (literal "/a\\n"))',
        '(allow file-read* (literal "/a\n"))',
        '(allow file-read* (literal "a"))',
        '(allow file-read* (literal "/a/"))',
        '(allow file-read* (regex #"/a"))',
        '(allow file-read* (regex "(?i)a"))',
        '(allow file-read* (regex "(?:a)"))',
        '(allow file-read* (regex "a^b"))',
        '(allow file-read* (regex "a{2}"))',
        '(allow file-read* (regex "\\\\d"))',
        '(allow file-read* (regex "(a"))',
        '(allow file-read* (regex "a|b"))',
        '(allow file-read* (regex "[a-\u00e9]"))',
        '(allow file-raed* (literal "/a"))',
        '(allow file-read* (path-literal "/a"))',
        '(allow network-outbound (remote ip "127.0.0.1:80"))',
        '(allow network-outbound (remote tcp "*:80"))',
        "(allow default)",
        "(allow file-read*)",
        "(allow mach-lookup)",
        "(allow)",
        "()",
        'allow file-read* "/a"',
        '(allow file-read* (literal "/{}"))'.format("a" * 1025),
        "(allow file-read* {})".format(" ".join(f'(literal "/{n:0200}")' for n in range(400))),
    ],
)  # fmt: skip
def test_what_is_not_in_the_subset_is_an_error(rules: str) -> None:
    with pytest.raises(ProfileError):
        Profile(HEAD + rules + "\n")


@pytest.mark.parametrize(
    "profile",
    ["", "(version 1)\n", "(deny default)\n(version 1)\n", "(version 1)\n(allow default)\n", "(version 2)\n(deny default)\n"],
)
def test_a_profile_denies_first(profile: str) -> None:
    with pytest.raises(ProfileError):
        Profile(profile)


@pytest.mark.parametrize(
    "regex", ["^/a$", "/(a|b)$", "[^/]*[.]pem", "[Gg]", "\\[a\\]", "(.*/)?", "[^/][^/]?", "\u65e5", "[ -~](\u200c|\u200d)"]
)
def test_the_dialect_is_what_shipping_profiles_use(regex: str) -> None:
    assert dialect_problem(regex) is None
