"""The proxy with the system's resolver and addresses that are public, in a network made for it: nothing leaves this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.network.running import REPOSITORY

# Two networks joined by a wire; names from /etc/hosts, or from a name server that knows none.
SCRIPT = """
set -e
ip link set lo up
unshare -n sh -c 'ip link set lo up; exec sleep 60' &
neighbour=$!
while ! [ "$(readlink /proc/$neighbour/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
ip link add wire type veth peer name wire netns $neighbour
ip addr add 93.184.215.1/24 dev wire
ip addr add 10.9.8.1/24 dev wire
ip -6 addr add 2606:2800::1/64 dev wire nodad
ip link set wire up
nsenter -t $neighbour -n sh -c 'ip addr add 93.184.215.14/24 dev wire; ip addr add 10.9.8.7/24 dev wire
  ip -6 addr add 2606:2800::14/64 dev wire nodad; ip link set wire up'
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" /etc/resolv.conf
result=0
"$2" -m tests.sandbox.network.inside $neighbour || result=$?
kill $neighbour
exit $result
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if sys.platform != "linux" or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        pytest.skip("needs Linux with unshare, nsenter and ip")
    own = ["unshare", "-nm"] if os.getuid() == 0 else ["unshare", "-rnm"]
    if subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("the kernel makes no namespaces for this user")
    folder: Path = tmp_path_factory.mktemp("etc")
    (folder / "hosts").write_text(
        "127.0.0.1 localhost\n93.184.215.14 web.example\n10.9.8.7 private.example\n93.184.215.1 own.example\n"
    )
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\nsearch corp.example\noptions timeout:1 attempts:1\n")
    done = subprocess.run(
        [*own, "sh", "-c", SCRIPT, "sh", str(folder), sys.executable], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_without_the_proxy_every_place_answers(found: dict[str, Any]) -> None:
    assert {value for key, value in found.items() if key.startswith("direct")} == {"200"}


@pytest.mark.parametrize("place", ["web.example", "93.184.215.14", "[2606:2800::14]"])
def test_a_public_place_is_reached_where_all_public_places_are_granted(found: dict[str, Any], place: str) -> None:
    assert found[f"*:80: {place}"] == "200"


@pytest.mark.parametrize("place", ["private.example", "10.9.8.7", "own.example", "93.184.215.1"])
def test_neither_a_private_place_nor_this_machine_is_public(found: dict[str, Any], place: str) -> None:
    assert found[f"*:80: {place}"] == "403"


def test_a_granted_name_grants_no_other_way_to_its_address(found: dict[str, Any]) -> None:
    assert found["web.example:80: web.example"] == "200"
    assert found["web.example:80: 93.184.215.14"] == "403"


def test_with_nothing_granted_nothing_is_reached(found: dict[str, Any]) -> None:
    assert {value for key, value in found.items() if key.startswith("nothing: ")} == {"403"}


def test_a_name_that_is_not_granted_is_not_asked_for_and_one_that_is_is_asked_for_as_it_stands(found: dict[str, Any]) -> None:
    for key, value in found.items():
        if key.startswith(("asked for nothing", "asked for web.example")):
            assert value == [], key
    assert found["asked for *:80: gone.example"] == ["gone.example"]  # and not gone.example.corp.example
    assert found["*:80: gone.example"] == "502"
