"""Profiles: what is accepted, what is refused and in which words, and how rules decide."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from stdioguard.policy import globs, load
from stdioguard.policy.check import compile_profile
from stdioguard.policy.errors import ProfileError
from stdioguard.policy.model import Profile, json_schema
from tests.playbook import policy

HEAD = 'schema = 1\nname = "x"\ndescription = "d"\n'

BROKEN = [
    ("schema = 1\nname = \n", "p.toml:2: not TOML: "),
    ('name = "x"\ndescription = "d"\n', 'p.toml: "schema" is missing'),
    ('schema = 2\nname = "x"\ndescription = "d"\n', "p.toml:1: schema: "),
    (HEAD + "[tool]\n", 'p.toml:4: tool: unknown key; did you mean "tools"?'),
    (HEAD + "[tools]\ndefalt = 'deny'\n", 'p.toml:5: tools.defalt: unknown key; did you mean "default"?'),
    (HEAD + "[tools]\ndefault = 'ask'\n", "p.toml:5: tools.default: "),
    (HEAD + "[tools]\ndefault = ['deny']\n", "p.toml:5: tools.default: expected allow or confirm or deny"),
    (HEAD + "[tools.rules]\n'' = { action = 'allow' }\n", 'tools.rules."": bad pattern: a pattern may not be empty'),
    (HEAD + "[tools.rules]\n'read_[ab' = { action = 'allow' }\n", 'p.toml:5: tools.rules."read_[ab": bad pattern: '),
    (HEAD + "[tools.rules]\n'a**' = { action = 'allow' }\n", "bad pattern: "),
    (HEAD + "[tools.rules]\n'a b' = { action = 'allow' }\n", "bad pattern: "),
    (HEAD + "[tools.rules]\nread = 'allow'\n", "p.toml:5: tools.rules.read: expected a table"),
    (
        HEAD + "[tools.rules]\nread = { acton = 'allow' }\n",
        'p.toml:5: tools.rules.read.acton: unknown key; did you mean "action"?',
    ),
    (HEAD + "[tools.rules]\nread = { }\n", 'p.toml:5: tools.rules.read: "action" is missing'),
    (HEAD + "[tools.rules]\nread = { action = 'allow', risk = 'none' }\n", "p.toml:5: tools.rules.read.risk: "),
    (HEAD + "[tools.rules]\nread = { action = 'allow', scopes = ['a b'] }\n", "tools.rules.read.scopes"),
    (
        HEAD + "[tools.rules]\nread = { action = 'allow', arguments = { path = { } } }\n",
        "tools.rules.read.arguments.path: says nothing",
    ),
    (
        HEAD + "[tools.rules]\nread = { action = 'allow', arguments = { path = { inside = [] } } }\n",
        "tools.rules.read.arguments.path.inside",
    ),
    (
        HEAD + "[tools.rules]\n'read_*' = { action = 'allow' }\n'*_file' = { action = 'deny' }\n",
        'p.toml:6: tools.rules."*_file": ties with "read_*"',
    ),
    (HEAD + "[tools.rules]\n'a?' = { action = 'allow' }\n'a*' = { action = 'allow' }\n", 'ties with "a?"'),
    (HEAD + "[sandbox]\nread = '/x'\n", "p.toml:5: sandbox.read: Expected array"),
    (HEAD + "[sandbox]\nread = ['x']\n", 'p.toml:5: sandbox.read: "x": a path starts with /'),
    (HEAD + "[sandbox]\nread = ['~/x']\n", "${HOME}"),
    (HEAD + "[sandbox]\nread = ['${HOM}/x']\n", "did you mean ${HOME}?"),
    (HEAD + "[sandbox]\nread = ['$HOME/x']\n", "variables are written ${NAME}"),
    (HEAD + "[sandbox]\nread = ['/a/../b']\n", "without .."),
    (HEAD + "[sandbox]\nread = ['/a/*']\n", "patterns are for deny only"),
    (HEAD + "[sandbox]\nread = ['']\n", "sandbox"),
    (HEAD + "[sandbox]\nvariables = { A = '${ARG_PATHS}' }\n", "may be several paths"),
    (HEAD + "[sandbox]\nvariables = { A = '${STAT}' }\n", "did you mean ${STATE}"),
    (HEAD + "[sandbox]\nvariables = { LD_PRELOAD = 'x' }\n", "never passed"),
    (HEAD + "[sandbox]\nvariables = { A = 'x' }\nsecrets = { A = 'secret:x' }\n", "is in variables too"),
    (HEAD + '[sandbox]\nread = ["/a\\u0007"]\n', "no control or invisible characters"),
    (HEAD + "[sandbox]\nnetwork = ['*']\n", "p.toml:5: sandbox"),
    (HEAD + "[sandbox]\nnetwork = ['example.com']\n", "p.toml:5: sandbox"),
    (HEAD + "[sandbox]\nnetwork = ['example.com:0']\n", "a port is 1 to 65535"),
    (HEAD + "[sandbox]\nnetwork = ['example.com:99999']\n", "a port is 1 to 65535"),
    (HEAD + "[sandbox]\nenvironment = ['LD_PRELOAD']\n", '"LD_PRELOAD" is never passed to a server'),
    (HEAD + "[sandbox]\nenvironment = ['node_options']\n", "is never passed"),
    (HEAD + "[sandbox]\nenvironment = ['A B']\n", "sandbox"),
    (HEAD + "[sandbox]\nsecrets = { A = 'plain-text' }\n", "p.toml:5: sandbox.secrets"),
    (HEAD + "[sandbox]\nsecrets = { PYTHONPATH = 'secret:x' }\n", "is never passed"),
    (HEAD + "[sandbox]\nenvironment = ['A']\nsecrets = { A = 'secret:a' }\n", "keep it in one"),
    (HEAD + "[sandbox]\nmemory = '5M'\n", "16M"),
    (HEAD + "[sandbox]\nmemory = 512\n", "p.toml:5: sandbox.memory: Expected str"),
    (HEAD + "[sandbox]\nmemory = 'lots'\n", "p.toml:5: sandbox.memory: "),
    (HEAD + "[sandbox]\nsockets = '/run/x'\n", "p.toml:5: sandbox.sockets: Expected array"),
    (HEAD + "[sandbox]\nsockets = ['run/x']\n", 'p.toml:5: sandbox.sockets: "run/x": a path starts with /'),
    (HEAD + "[sandbox]\nsockets = ['/run/*.sock']\n", 'p.toml:5: sandbox.sockets: "/run/*.sock": name files or folders'),
    (HEAD + "[sandbox]\nsockets = ['@abstract']\n", "a path starts with /"),
    (HEAD + "[sandbox]\nseccomp = ''\n", "p.toml:5: sandbox.seccomp: "),
    (HEAD + "[sandbox]\nseccomp = ['a.json']\n", "p.toml:5: sandbox.seccomp: Expected str"),
    (
        HEAD + "[sandbox]\nseccomp = '${HOME}/s.json'\n",
        "sandbox.seccomp: '${HOME}/s.json': a path, counted from this profile's folder",
    ),
    (HEAD + '[sandbox]\nseccomp = "a\\u0000b"\n', "p.toml:5: sandbox.seccomp: "),
    (HEAD + "[sandbox]\nprocesses = 0\n", "p.toml:5: sandbox.processes: "),
    (HEAD + "[sandbox]\nprocesses = true\n", "p.toml:5: sandbox.processes: "),
    (HEAD + "[capabilities]\nresource = true\n", 'p.toml:5: capabilities.resource: unknown key; did you mean "resources"?'),
    (HEAD + "[capabilities]\nresources = 'yes'\n", "p.toml:5: capabilities.resources: Expected bool"),
    (HEAD + "[capabilities]\nresources = 1\n", "p.toml:5: capabilities.resources: Expected bool"),
    (HEAD + "[server]\nnpm = 'a'\npypi = 'b'\n", "exclude each other"),
    (HEAD + "[handshake]\nclient = 'maybe'\n", "p.toml:5: handshake.client: "),
    (HEAD + "[roles]\nreader = 'files:read'\n", "p.toml:4: roles"),
    ("schema = 1\nname = '../x'\ndescription = 'd'\n", "p.toml:2: name: "),
    ("schema = 1\nname = 'x'\ndescription = ''\n", "p.toml:3: description: "),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN, ids=[text.split(HEAD)[-1].replace("\n", " ") for text, _ in BROKEN])
def test_a_mistake_is_one_line_that_says_where_and_what(text: str, expected: str) -> None:
    with pytest.raises(ProfileError) as caught:
        compile_profile(text, "p.toml")
    said = str(caught.value)
    assert expected in said
    assert "\n" not in said
    assert said.startswith("p.toml:")


def test_the_example_of_every_table_is_accepted() -> None:
    text = HEAD + (
        '[server]\nnpm = "@scope/package"\n[handshake]\nclient = "off"\nserver = false\n'
        '[sandbox]\nread = ["${ARG_PATHS}", "/usr/share/x"]\nwrite = ["${STATE}/db"]\ndeny = ["**/.env", "**/.git/hooks/**"]\n'
        'network = ["api.github.com:443", "*.githubusercontent.com:443"]\nenvironment = ["LANG", "NODE_ENV"]\n'
        'secrets = { GITHUB_TOKEN = "secret:github" }\nmemory = "512M"\nprocesses = 64\n'
        'sockets = ["${HOME}/agent.sock", "/run/x.sock"]\nseccomp = "tighter.json"\n'
        '[tools]\ndefault = "deny"\n[tools.rules]\n"read_*" = { action = "allow", scopes = ["files:read"] }\n'
        '"write_file" = { action = "confirm", scopes = ["files:write"], risk = "high", arguments = { path = { inside = ["${ARG_PATHS}"] } } }\n'
        '[roles]\nreadonly = ["files:read"]\n'
    )
    document = compile_profile(text, "p.toml")
    assert document["sandbox"]["memory"] == 512 << 20
    assert document["tools"]["rules"]["read_*"]["risk"] == "normal"
    assert document["capabilities"]["resources"] is False


@pytest.mark.parametrize(
    ("written", "meant"),
    [("s.json", "/profiles/s.json"), ("more/s.json", "/profiles/more/s.json"), ("/etc/s.json", "/etc/s.json")],
)
def test_a_system_call_profile_is_found_beside_the_profile(written: str, meant: str) -> None:
    assert compile_profile(HEAD + f"[sandbox]\nseccomp = '{written}'\n", "/profiles/p.toml")["sandbox"]["seccomp"] == meant


def test_what_is_not_written_grants_no_socket_and_names_no_file() -> None:
    sandbox = compile_profile(HEAD, "p.toml")["sandbox"]
    assert sandbox["sockets"] == []
    assert sandbox["seccomp"] is None


def test_granted_sockets_get_their_variables_at_launch() -> None:
    made = policy(HEAD + "[sandbox]\nsockets = ['${HOME}/a.sock']\n", HOME=["/home/ana"])
    assert made.sandbox["sockets"] == ["/home/ana/a.sock"]


@pytest.mark.parametrize("path", sorted(Path(load.shipped_directory()).glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_profiles_are_right_and_named_after_their_files(path: Path) -> None:
    assert compile_profile(path.read_text(), str(path))["name"] == path.stem


def test_the_profiles_that_are_promised_are_shipped() -> None:
    names = {path.stem for path in Path(load.shipped_directory()).glob("*.toml")}
    assert names >= {"default", "filesystem", "memory", "everything", "sequential-thinking", "git", "time", "fetch"}


# --- deciding -------------------------------------------------------------------------------------------------------------------

RULES = HEAD + (
    '[tools]\ndefault = "confirm"\n[tools.rules]\n"*" = { action = "deny" }\n"read_*" = { action = "allow" }\n'
    '"read_secret*" = { action = "deny" }\n"read_secret_ok" = { action = "confirm" }\n"d?" = { action = "allow" }\n'
)


@pytest.mark.parametrize(
    ("tool", "action"),
    [("read_x", "allow"), ("read_", "allow"), ("read", "deny"), ("read_secret", "deny"), ("read_secret_ok", "confirm"),
     ("read_secret_okay", "deny"), ("d1", "allow"), ("d", "deny"), ("d12", "deny"), ("Read_x", "deny"), ("anything", "deny")],
)  # fmt: skip
def test_the_most_specific_rule_decides(tool: str, action: str) -> None:
    assert policy(RULES).rule_for(tool).action == action


def test_the_default_decides_where_no_rule_matches() -> None:
    assert policy(HEAD).rule_for("x").action == "deny", "no [tools] at all grants nothing"
    assert policy(HEAD + "[tools]\n").rule_for("x").action == "deny"
    assert policy(HEAD + "[tools]\ndefault = 'allow'\n").rule_for("x").action == "allow"


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [("a*", "*a", True), ("a*", "b*", False), ("*", "*", True), ("a?c", "ab*", True), ("a?", "a", False), ("*x*", "y", False),
     ("a*b", "ab", True), ("a?b", "ab", False), ("read_*", "*_file", True), ("?", "", False), ("*a*b*", "b?a", False), ("*ab", "a*b", True)],
)  # fmt: skip
def test_patterns_that_can_match_one_name_are_found(one: str, other: str, both: bool) -> None:
    assert globs.can_both_match(one, other) is both
    assert globs.can_both_match(other, one) is both


# --- finding and loading --------------------------------------------------------------------------------------------------------


def test_a_users_profile_hides_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    assert load.load("default").rule_for("x").action == "confirm"
    (tmp_path / "config" / "profiles").mkdir(parents=True)
    (tmp_path / "config" / "profiles" / "default.toml").write_text(HEAD)
    assert load.load("default").rule_for("x").action == "deny"


@pytest.mark.parametrize("reference", ["defualt", "../default", "no-such", "/no/such.toml", "x.toml", "", "a\nb"])
def test_a_profile_that_is_not_there_is_one_line(reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    with pytest.raises(ProfileError):
        load.load(reference)


def test_the_cache_is_used_only_while_it_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    profile = tmp_path / "p.toml"
    profile.write_text(HEAD + "[tools]\ndefault = 'allow'\n")
    assert load.load(str(profile), keep=True).rule_for("x").action == "allow"
    (entry,) = (tmp_path / "cache" / "profiles").iterdir()
    assert entry.stat().st_mode & 0o777 == 0o600
    kept = entry.read_text()

    entry.write_text(kept.replace('"default":"allow"', '"default":"confirm"'))
    assert load.load(str(profile), keep=True).rule_for("x").action == "confirm", "control: the cache is what is read"
    profile.write_text(HEAD + "[tools]\ndefault = 'deny'\n")
    assert load.load(str(profile), keep=True).rule_for("x").action == "deny", "a changed profile is compiled anew"

    for damage in ("", "junk", kept[:-5], "[]", '{"version":1}'):
        entry.write_text(damage)
        assert load.load(str(profile), keep=True).rule_for("x").action == "deny"
    entry.write_text(kept.replace('"default":"allow"', '"default":"confirm"').replace("'allow'", "'deny'"))
    entry.chmod(0o666)
    assert load.load(str(profile), keep=True).rule_for("x").action == "deny", "a file that others can write is not read"


def test_the_schema_says_what_the_decoder_says(tmp_path: Path) -> None:
    import jsonschema

    validator = jsonschema.Draft202012Validator(json_schema())
    import tomllib

    for path in Path(load.shipped_directory()).glob("*.toml"):
        validator.validate(tomllib.loads(path.read_text()))
    for broken in ({"schema": 1}, {"schema": 1, "name": "x", "description": "d", "tols": {}}):
        assert not validator.is_valid(broken)
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(broken, Profile)
