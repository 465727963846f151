"""`stdioguard token` as a user meets it: a token alone on stdout, what is in it, whether it is good, and its end."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stdioguard.identity import clients, register, revocations, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

STDIOGUARD = [sys.executable, "-P", "-m", "stdioguard"]
ISSUER = "https://login.example"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    register.add("alice", scopes=["files:*", "git:read"], servers=["fs", "git"])
    return tmp_path / "home"


def token(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*STDIOGUARD, "token", *arguments]
    return subprocess.run(command, **{"capture_output": True, "text": True, "input": "", "timeout": 60} | options)


def done(*arguments: str, **options: Any) -> str:
    """What a command prints that must succeed, without a word on stderr."""
    finished = token(*arguments, **options)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def refused(code: int, *arguments: str, **options: Any) -> str:
    """The one line of a command that must fail."""
    finished = token(*arguments, **options)
    assert finished.returncode == code, finished.stderr
    assert finished.stdout == ""
    assert finished.stderr.startswith("stdioguard: ")
    assert finished.stderr.endswith("\n")
    assert finished.stderr[:-1].isprintable()
    return finished.stderr


def inspected(credential: str, *arguments: str) -> dict[str, Any]:
    """What `inspect` says of a credential, with an exit code that says the same."""
    finished = token("inspect", "-", "--format", "json", *arguments, input=f"{credential}\n")
    said: dict[str, Any] = json.loads(finished.stdout)
    assert finished.stderr == ""
    assert finished.returncode == (0 if said["valid"] else 77)
    assert said["valid"] == (said["reason"] is None)
    return said


def issued(*, server: str = "fs", ttl: int = 3600, ago: float = 0.0, name: str = "alice", scopes: list[str] | None = None) -> str:
    return tokens.issue(clients.read(name), server, scopes or [], ttl, time.time() - ago)


def secret(name: str) -> str:
    return Path(register.default_token_file(name)).read_text().strip()


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_issue_prints_the_token_alone() -> None:
    out = done("issue", "--client", "alice", "--server", "fs", "--scope", "files:read,git:read", "--ttl", "30m")
    assert out.count("\n") == 1
    verified = tokens.Verifier("fs", {}).verify(out.strip(), time.time())
    assert (verified.subject, verified.client_id) == ("alice", clients.read("alice").id)
    assert verified.scopes == {"files:read", "git:read"}
    assert verified.expires == pytest.approx(time.time() + 1800, abs=60)


def test_a_token_lives_an_hour_with_all_scopes_unless_something_else_is_said() -> None:
    verified = tokens.Verifier("git", {}).verify(done("issue", "--client", "alice", "--server", "git").strip(), time.time())
    assert verified.expires == pytest.approx(time.time() + 3600, abs=60)
    assert verified.scopes is None


def test_issue_answers_in_json(tmp_path: Path) -> None:
    arguments = ["issue", "--client", "alice", "--server", "fs", "--scope", "files:read", "--format", "json"]
    document = json.loads(done(*arguments))
    verified = tokens.Verifier("fs", {}).verify(document["token"], time.time())
    assert document["jti"] == verified.jti
    assert seconds(document["expires"]) == verified.expires
    assert (document["client"], document["server"], document["scopes"]) == ("alice", "fs", ["files:read"])
    document = json.loads(done(*arguments, "--output", "t", cwd=tmp_path))
    assert document["token_file"] == str(tmp_path / "t")
    assert "token" not in document


def test_an_output_file_is_private_and_takes_the_place_of_an_older_one_of_the_client(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for _ in range(2):
        said = done("issue", "--client", "alice", "--server", "fs", "--output", str(path), preexec_fn=lambda: os.umask(0))
        assert str(path) in said
        assert path.read_text().strip() not in said
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert inspected(path.read_text().strip())["valid"]
    register.add("bob", scopes=["x"], servers=["fs"], token_file=str(tmp_path / "bob"))
    done("issue", "--client", "bob", "--server", "fs", "--output", str(tmp_path / "bob"))
    assert inspected((tmp_path / "bob").read_text().strip())["claims"]["sub"] == "bob"
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == ["bob", "home", "t"]


def test_an_output_file_that_is_anything_else_stays(tmp_path: Path) -> None:
    register.add("bob", scopes=["x"], token_file=str(tmp_path / "secret of bob"))
    (tmp_path / "token of bob").write_text(issued(name="bob"))
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "real").write_text(issued())
    (tmp_path / "link").symlink_to(tmp_path / "real")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert len(before) == 5
    for path in [*before, tmp_path, tmp_path / "no" / "folder"]:
        if path.name != "real":
            refused(78, "issue", "--client", "alice", "--server", "fs", "--output", str(path))
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    assert (tmp_path / "link").is_symlink()


MISTAKES = [
    (64, "Missing option", ["issue"]),
    (64, "Missing option '--server'", ["issue", "--client", "alice"]),
    (64, "no client name", ["issue", "--client", "\u0430lice", "--server", "fs"]),
    (64, "no client name", ["issue", "--client", "../alice", "--server", "fs"]),
    (64, "no time span", ["issue", "--client", "alice", "--server", "fs", "--ttl", "soon"]),
    (64, "not between 1s", ["issue", "--client", "alice", "--server", "fs", "--ttl", "0s"]),
    (64, "no scope", ["issue", "--client", "alice", "--server", "fs", "--scope", "*"]),
    (64, "one server", ["issue", "--client", "alice", "--server", "*"]),
    (64, "a file's path", ["issue", "--client", "alice", "--server", "fs", "--output", "-"]),
    (78, "no client nobody", ["issue", "--client", "nobody", "--server", "fs"]),
    (78, "there is one alice", ["issue", "--client", "Alice", "--server", "fs"]),
    (78, "registered for fs, git", ["issue", "--client", "alice", "--server", "other"]),
    (78, "no name of a server", ["issue", "--client", "alice", "--server", ""]),
    (78, "does not have db:read", ["issue", "--client", "alice", "--server", "fs", "--scope", "files:read,db:read"]),
    (78, "does not have git:*", ["issue", "--client", "alice", "--server", "fs", "--scope", "git:*"]),
    (78, "90d", ["issue", "--client", "alice", "--server", "fs", "--ttl", "91d"]),
    (64, "Missing argument", ["inspect"]),
    (64, "Missing argument", ["revoke"]),
    (78, "no file that can be read", ["inspect", "nowhere"]),
    (78, "no file that can be read", ["inspect", "@nowhere"]),
    (78, "no file that can be read", ["inspect", "@"]),
    (78, "no file that can be read", ["inspect", "/"]),
    (78, "no token in stdin", ["inspect", "-"]),
    (78, "no such profile", ["inspect", "-", "--profile", "nowhere"]),
    (78, "no jti of this machine's", ["revoke", "not-a-jti"]),
    (78, "no token in stdin", ["revoke", "-"]),
    (64, "not empty", ["revoke", "", "--issuer", "https://x"]),
    (64, "not empty", ["revoke", "0" * 32, "--issuer", ""]),
    (64, "No such command", ["bogus"]),
]


@pytest.mark.parametrize(("code", "said", "arguments"), MISTAKES, ids=lambda value: ascii(value) if type(value) is list else "")
def test_a_mistake_is_one_line_and_a_distinct_code(home: Path, code: int, said: str, arguments: list[str]) -> None:
    assert said in refused(code, *arguments)
    assert not (home / "state").exists()


def test_a_revoked_client_gets_no_token() -> None:
    done("issue", "--client", "alice", "--server", "fs")
    register.revoke("alice")
    assert "is revoked" in refused(78, "issue", "--client", "alice", "--server", "fs")


def test_a_token_does_not_outlive_its_client() -> None:
    register.change("alice", expires=600)
    assert "expires" in refused(78, "issue", "--client", "alice", "--server", "fs")
    done("issue", "--client", "alice", "--server", "fs", "--ttl", "5m")


def test_a_signing_key_that_is_open_to_others_is_not_used(home: Path) -> None:
    done("issue", "--client", "alice", "--server", "fs")
    [key] = (home / "config" / "keys").glob("*.pem")
    key.chmod(0o640)
    assert "chmod 600" in refused(78, "issue", "--client", "alice", "--server", "fs")


@pytest.mark.parametrize("way", ["stdin", "at file", "file", "word"])
def test_a_token_is_inspected_wherever_it_is(tmp_path: Path, way: str) -> None:
    credential = issued()
    (tmp_path / "t").write_text(f"{credential}\n")
    argument = {"stdin": "-", "at file": f"@{tmp_path / 't'}", "file": str(tmp_path / "t"), "word": credential}[way]
    out = done("inspect", argument, input=f"{credential}\n")
    assert "valid        true" in out
    assert '"sub": "alice"' in out
    assert credential.rpartition(".")[2] not in out


def test_inspect_shows_header_claims_and_times_in_utc() -> None:
    said = inspected(issued(ttl=60))
    assert said["header"]["alg"] == "EdDSA"
    assert said["claims"]["aud"] == said["server"] == "fs"
    assert seconds(said["expires"]) == said["claims"]["exp"]
    assert said["expires"].endswith("Z")
    assert seconds(said["not_before"]) == seconds(said["issued"]) == said["claims"]["iat"]


def tampered() -> str:
    head, body, signature = issued().split(".")
    return f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def revoked() -> str:
    credential = issued()
    revocations.revoke(tokens.ISSUER, tokens.inspect(credential)["claims"]["jti"], None)
    return credential


def of_a_client_since(act: Callable[[], object]) -> str:
    credential = issued()
    act()
    return credential


def added_anew() -> None:
    register.revoke("alice")
    register.add("alice", scopes=["files:*"])


BAD: dict[str, tuple[Callable[[], str], str]] = {
    "expired": (lambda: issued(ttl=60, ago=61), "expired"),
    "not yet valid": (lambda: issued(ago=-30), "not valid yet"),
    "tampered with": (tampered, "signature"),
    "without a signature": (lambda: issued().rpartition(".")[0] + ".", "three parts"),
    "revoked": (revoked, "revoked"),
    "client revoked": (lambda: of_a_client_since(lambda: register.revoke("alice")), "is revoked"),
    "client added anew": (lambda: of_a_client_since(added_anew), "not registered any more"),
    "client moved": (
        lambda: of_a_client_since(lambda: register.change("alice", servers=["git"])),
        "not registered for the server",
    ),
    "of another issuer": (lambda: foreign(Ed25519PrivateKey.generate()), "no issuer that is known"),
    "no token": (lambda: "eyJ.x", "three parts"),
    "a word": (lambda: "password", "three parts"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_token_that_is_not_good_now_says_why(case: str) -> None:
    make, why = BAD[case]
    assert inspected(issued())["valid"]
    said = inspected(make())
    assert not said["valid"]
    assert why in said["reason"]


def test_a_token_is_good_for_its_server_only() -> None:
    assert inspected(issued(), "--server", "fs")["valid"]
    assert "another server" in inspected(issued(), "--server", "git")["reason"]


def foreign(key: Ed25519PrivateKey, **claims: Any) -> str:
    content = {"iss": ISSUER, "aud": "fs", "sub": "carol", "exp": int(time.time()) + 600, "scope": "files:read"} | claims
    return jwt.encode(content, key, "EdDSA", headers={"kid": "k"})


@pytest.fixture
def issuer(tmp_path: Path) -> tuple[Ed25519PrivateKey, str]:
    """A key, and a profile that accepts its issuer's tokens."""
    key = Ed25519PrivateKey.generate()
    entry = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key())) | {"kid": "k"}
    (tmp_path / "jwks").write_text(json.dumps({"keys": [entry]}))
    (tmp_path / "jwks").chmod(0o600)
    profile = tmp_path / "p.toml"
    profile.write_text(
        f'schema = 1\nname = "fs"\ndescription = "d"\n[identity.issuers."{ISSUER}"]\njwks_file = "{tmp_path / "jwks"}"\n'
    )
    return key, str(profile)


def test_a_token_of_another_issuer_is_judged_by_a_profile(issuer: tuple[Ed25519PrivateKey, str]) -> None:
    key, profile = issuer
    assert inspected(foreign(key), "--profile", profile)["valid"]
    assert not inspected(foreign(key))["valid"]
    assert "signature" in inspected(foreign(Ed25519PrivateKey.generate()), "--profile", profile)["reason"]
    assert "expired" in inspected(foreign(key, exp=int(time.time()) - 1), "--profile", profile)["reason"]


def test_nothing_in_a_token_reaches_the_terminal_as_it_is() -> None:
    credential = foreign(
        Ed25519PrivateKey.generate(), iss="https://\x1b]52;c;eA==\x07\x9b2J\u202e", exp=10**30, nbf=-(10**20), aud=[1]
    )
    for format_ in ("text", "json"):
        finished = token("inspect", credential, "--format", format_)
        assert finished.returncode == 77
        assert finished.stderr == ""
        assert finished.stdout.isascii()
        assert finished.stdout.replace("\n", "").isprintable()


def test_an_own_name_for_another_issuer_is_one_line(tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text('schema = 1\nname = "fs"\ndescription = "d"\n[identity.issuers."StdioGuard"]\njwks_file = "/x"\n')
    refused(78, "inspect", "-", "--profile", str(profile), input=issued())


def test_a_secret_is_inspected_too(tmp_path: Path) -> None:
    said = inspected(secret("alice"))
    assert (said["client"], said["valid"], said["server"]) == ("alice", True, "fs")
    assert said["secret_id"] == clients.read("alice").secrets[0]["id"]
    out = done("inspect", register.default_token_file("alice"))
    assert secret("alice").rpartition(":")[2] not in out
    assert "not registered for the server" in inspected(secret("alice"), "--server", "other")["reason"]
    old = secret("alice")
    register.rotate("alice", grace=3600)
    assert seconds(inspected(old)["expires"]) == pytest.approx(time.time() + 3600, abs=60)
    assert inspected(secret("alice"))["expires"] is None
    register.rotate("alice", grace=0)
    assert "not the secret" in inspected(old)["reason"]
    new = secret("alice")
    register.revoke("alice")
    assert not inspected(new)["valid"]
    for wrong in ("sgc:nobody:x", "sgc:../../x:y", "sgc::", "sgc:", "sgc:alice\x07:x"):
        assert not inspected(wrong)["valid"]


def test_what_is_bound_to_a_program_is_good_below_it(home: Path) -> None:
    """The client's program starts the guard, not this command: that it did not says nothing."""
    other = os.path.realpath("/bin/sh")
    register.add("bound", scopes=["x"], program=other)
    for credential in (secret("bound"), issued(name="bound")):
        said = inspected(credential)
        assert (said["valid"], said["only_below"]) == (True, other)
    path = home / "config" / "clients" / "bound.json"
    path.write_text(path.read_text().replace(other, "/no/such/program"))
    assert "cannot be found" in inspected(secret("bound"))["reason"]
    register.revoke("bound")
    assert not inspected(credential)["valid"]


@pytest.mark.parametrize("way", ["jti", "stdin", "file", "at file"])
def test_a_token_is_revoked_by_its_jti_or_itself_and_no_other_is(tmp_path: Path, way: str) -> None:
    credential, other = issued(), issued()
    jti = tokens.inspect(credential)["claims"]["jti"]
    (tmp_path / "t").write_text(f"{credential}\n")
    argument = {"jti": jti, "stdin": "-", "file": str(tmp_path / "t"), "at file": f"@{tmp_path / 't'}"}[way]
    for _ in range(2):
        assert done("revoke", argument, input=f"{credential}\n") == f"token {jti} of stdioguard revoked\n"
    assert "revoked" in inspected(credential)["reason"]
    assert inspected(other)["valid"]
    assert inspected(secret("alice"))["valid"]


def kept(home: Path) -> list[str]:
    return [path.read_text() for path in (home / "state" / "identity" / "revoked").iterdir()]


def test_a_revocation_is_forgotten_only_at_an_end_that_is_proved(home: Path) -> None:
    credential = issued(ttl=600)
    claims = tokens.inspect(credential)["claims"]
    document = json.loads(done("revoke", "-", "--format", "json", input=credential))
    assert (document["issuer"], document["jti"], seconds(document["expires"])) == ("stdioguard", claims["jti"], claims["exp"])
    done("revoke", "-", input=credential)
    assert [float(text) for text in kept(home)] == [claims["exp"]]
    forged = jwt.encode(claims | {"exp": 1}, Ed25519PrivateKey.generate(), "EdDSA")
    document = json.loads(done("revoke", "-", "--format", "json", input=forged))
    assert (document["jti"], document["expires"]) == (claims["jti"], None)
    assert kept(home) == ["never"]
    assert not inspected(credential)["valid"]


def test_tokens_of_another_issuer_are_revoked(issuer: tuple[Ed25519PrivateKey, str]) -> None:
    key, profile = issuer
    other, nameless = foreign(key, jti="eyes"), foreign(key)
    accepted = ("--profile", profile)
    assert "not of https://x" in refused(64, "revoke", "-", "--issuer", "https://x", input=nameless)
    assert inspected(other, *accepted)["valid"]
    done("revoke", "eyes", "--issuer", "https://x")
    assert inspected(other, *accepted)["valid"]
    done("revoke", "eyes", "--issuer", ISSUER)
    assert "revoked" in inspected(other, *accepted)["reason"]
    assert inspected(nameless, *accepted)["valid"]
    done("revoke", "-", input=nameless)
    assert "revoked" in inspected(nameless, *accepted)["reason"]
    assert inspected(foreign(key, sub="dave"), *accepted)["valid"]


def test_what_is_no_token_is_not_revoked(home: Path) -> None:
    assert "client's secret" in refused(78, "revoke", register.default_token_file("alice"))
    assert "no token" in refused(78, "revoke", "-", input="password")
    for claims in ({"iss": ""}, {"jti": ""}, {"iss": "stdioguard"}):
        assert "no issuer or no jti" in refused(78, "revoke", "-", input=foreign(Ed25519PrivateKey.generate(), **claims))
    assert not (home / "state").exists()


def test_a_revocation_that_cannot_be_kept_is_one_line(home: Path) -> None:
    (home / "state").write_text("")
    assert "is not revoked" in refused(78, "revoke", "0" * 32)
