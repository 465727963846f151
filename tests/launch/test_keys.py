"""Tokens of another issuer in a session: its keys are fetched before it, and anew while it runs, by a process that the guard needs for it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stdioguard.identity.issuers import KeySet
from tests.identity.forge import b64, eddsa, jwk, private, settings
from tests.identity.test_issuers import Site, serving
from tests.launch.guarded import INITIALIZE, READY, Guarded

ISSUER = "https://login.example/"


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    yield found
    found.close()


def profile(url: str) -> str:
    return (
        'schema = 1\nname = "probe"\ndescription = "d"\n[tools]\ndefault = "deny"\n[tools.rules]\n'
        'echo = { action = "allow", scopes = ["a:read"] }\nstatus = { action = "allow", scopes = ["a:admin"] }\n'
        f'[identity.issuers."{ISSUER}"]\njwks_url = "{url}"\n'
    )


def token(kind: str, **claims: Any) -> str:
    """Return a token of the issuer, signed with its key `kind`."""
    now = int(time.time())
    body = {"iss": ISSUER, "aud": "probe", "sub": "ana", "exp": now + 60, "jti": os.urandom(8).hex(), "scope": "a:read", **claims}
    signed = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "EdDSA", "kid": kind}, body))
    return f"{signed}.{b64(eddsa(private(kind))(signed.encode()))}"


def opened(guarded: Guarded, credential: str) -> dict[str, Any]:
    message = json.loads(json.dumps(INITIALIZE))
    message["params"]["_meta"] = {"io.stdioguard/token": credential}
    guarded.write(message)
    answer = guarded.read()
    assert answer is not None
    if "result" in answer:
        guarded.write(READY)
    return answer


def test_keys_are_fetched_before_the_first_message_and_scopes_come_from_the_token(tmp_path: Path, site: Site) -> None:
    with Guarded(tmp_path, profile=profile(site.url)) as guarded:
        assert opened(guarded, token("ed", aud="another"))["error"]["code"] == -31001
        assert "result" in opened(guarded, token("ed"))
        assert "result" in guarded.call("echo", a=1)
        assert guarded.call("status")["error"]["message"] == "Unknown tool: status"
        guarded.finish()
        entries = guarded.records()
    assert site.asked == ["/jwks"]
    (introduced,) = [entry for entry in entries if entry.get("event") == "identity"]
    assert introduced["client"] == f"ana of {ISSUER}"


def test_a_key_that_is_new_is_fetched_while_the_session_runs(
    tmp_path: Path,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    site.answer = serving(jwk("ed"))
    KeySet(ISSUER, settings(jwks_url=site.url)).fetch(time.time() - 100)  # fresh for an hour, and old enough to ask again
    site.answer = serving(jwk("ed"), jwk("ed-new"))
    with Guarded(tmp_path, profile=profile(site.url)) as guarded:
        assert "error" in opened(guarded, token("ed-new"))
        deadline = time.monotonic() + 10
        while "error" in (answer := opened(guarded, token("ed-new"))):
            assert time.monotonic() < deadline, answer
            time.sleep(0.5)
        assert "result" in guarded.call("echo", a=1)
    assert site.asked == ["/jwks", "/jwks"]


def test_where_keys_cannot_be_fetched_nobody_gets_in_and_stderr_says_why(tmp_path: Path, site: Site) -> None:
    site.close()
    with Guarded(tmp_path, profile=profile(site.url)) as guarded:
        assert opened(guarded, token("ed"))["error"]["code"] == -31001
        code, errors = guarded.finish()
    assert code == 77
    assert f"keys of {ISSUER} cannot be fetched" in errors


def test_the_process_that_fetches_ends_with_the_guard(tmp_path: Path, site: Site) -> None:
    with Guarded(tmp_path, profile=profile(site.url)) as guarded:
        opened(guarded, token("ed"))
        below = Path(f"/proc/{guarded.process.pid}/task/{guarded.process.pid}/children")
        before = [int(pid) for pid in below.read_text().split()]
        assert len(before) == 2  # init, and the process that fetches
        guarded.process.kill()
        guarded.process.wait()
        deadline = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in before) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() for pid in before)
