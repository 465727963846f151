"""What `run` may import before the session is open: start-up time is a promise, and each module costs some of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.launch.guarded import INITIALIZE, PROBE

ALLOWED_LIBRARIES = {"ctypes", "json", "re"}
"""What the launch may add to what a bare interpreter loads, beside small single-file modules of the standard library."""

NEVER = {
    "mcp", "mcp_types", "pydantic", "pydantic_core", "anyio", "asyncio", "rich", "click", "msgspec", "psutil", "platformdirs",
    "cryptography", "tomllib", "typing", "dataclasses", "inspect", "pathlib", "subprocess", "logging", "socket", "ssl", "threading",
    "argparse", "shutil", "tempfile", "datetime", "hashlib", "http", "urllib", "email", "importlib.metadata", "contextlib",
}  # fmt: skip

SCRIPT = """
import sys
before = set(sys.modules)
from stdioguard.cli.run import main
code = main(sys.argv[1:])
import os
os.write(2, ("\\nMODULES " + " ".join(sorted(set(sys.modules) - before)) + "\\n").encode())
sys.exit(code)
"""


def modules_of_a_session(tmp_path: Path) -> set[str]:
    profile = tmp_path / "p.toml"
    profile.write_text('schema = 1\nname = "x"\ndescription = "d"\n[tools]\ndefault = "allow"\n')
    environment = {**os.environ, "STDIOGUARD_HOME": str(tmp_path)}
    command = [sys.executable, "-I", "-c", SCRIPT, "--profile", str(profile), "--", sys.executable, PROBE]
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "echo", "arguments": {"path": "x", "n": 1.5}}}
    lines = "".join(json.dumps(m) + "\n" for m in (INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}, call))
    for _ in range(2):  # the first run fills the profile's cache
        done = subprocess.run(command, input=lines, capture_output=True, text=True, env=environment, timeout=60)
        assert len(done.stdout.splitlines()) == 2
    (listing,) = [line for line in done.stderr.splitlines() if line.startswith("MODULES ")]
    return set(listing.split()[1:])


def test_a_warm_session_imports_its_own_modules_and_next_to_nothing_else(tmp_path: Path) -> None:
    loaded = modules_of_a_session(tmp_path)
    assert not loaded & NEVER
    packages = {name.partition(".")[0] for name in loaded if "." in name and not name.startswith("_")}
    assert packages - {"stdioguard"} <= ALLOWED_LIBRARIES
    third_party = {
        name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("stdioguard")
    }
    assert not third_party
    assert len(loaded) < 138, sorted(loaded)
