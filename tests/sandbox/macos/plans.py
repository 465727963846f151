"""Plans for tests: the grants of the table, at any place."""

from __future__ import annotations

from stdioguard.sandbox.plan import Plan
from tests.sandbox import cases

HOME = "/Users/ann"
PYTHON = "/opt/homebrew/bin/python3"
PROXY, PORT = "18080", "18081"


def places(base: str = HOME, **more: str) -> dict[str, str]:
    values = {"BASE": base, "PYTHON": PYTHON, "PROXY": PROXY, "PORT": PORT, **more}
    return values | {name: path.format_map(values) for name, path in cases.PLACES.items()}


def world(at: dict[str, str]) -> dict[str, str | None]:
    return {path.format_map(at): None if content is None else content.format_map(at) for path, content in cases.WORLD.items()}


def plan(at: dict[str, str] | None = None, **changes: object) -> Plan:
    """Return the plan of the table; each of `changes` replaces an attribute."""
    at = places() if at is None else at
    made = Plan()
    made.program, made.argv, made.cwd = at["PYTHON"], [at["PYTHON"]], at["PROJECT"]
    made.runtime = [at["RUNTIME"]]
    made.read, made.write, made.sockets = (
        [entry.format_map(at) for entry in given] for given in (cases.READ, cases.WRITE, cases.SOCKET)
    )
    made.deny, made.protected = ([entry.format_map(at) for entry in given] for given in (cases.DENY, cases.PROTECTED))
    made.home, made.cache, made.tmp = at["STATE"], at["CACHE"], at["TMP"]
    made.network, made.proxy_port = ["example.org:443"], int(at["PROXY"])
    for name, value in changes.items():
        setattr(made, name, value)
    return made
