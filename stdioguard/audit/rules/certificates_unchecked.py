"""Without checking certificates everybody on the way to a service can read and change what a server sends it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_OFF = re.compile(r"0|false|no|off", re.IGNORECASE)
_ON = re.compile(r"1|true|yes|on", re.IGNORECASE)
_VARIABLES = {
    "NODE_TLS_REJECT_UNAUTHORIZED": _OFF, "PYTHONHTTPSVERIFY": _OFF, "GIT_SSL_NO_VERIFY": _ON, "NPM_CONFIG_STRICT_SSL": _OFF,
    "YARN_STRICT_SSL": _OFF, "SSL_VERIFY": _OFF, "VERIFY_SSL": _OFF,
    "UV_INSECURE_HOST": re.compile(r".+"), "PIP_TRUSTED_HOST": re.compile(r".+"),
    "CURL_INSECURE": _ON,
}  # fmt: skip
_NAMED = re.compile(r"(?:.*_)?(?:(?:SSL|TLS)_VERIFY|VERIFY_(?:SSL|TLS))")
_FLAGS = ("--allow-insecure-host", "--trusted-host", "--insecure", "--no-verify-ssl", "--strict-ssl=false", "--tls-verify=false")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a variable or an option that turns the check off."""
    if view.entry.kind != "stdio":
        return
    for name, value in view.entry.env.items():
        pattern = _VARIABLES.get(name.upper()) or (_OFF if _NAMED.fullmatch(name.upper()) else None)
        if pattern is not None and pattern.fullmatch(value.strip()):
            yield view.finding(RULE, f"{name} turns the check of certificates off", view.variable(name))
    for at, word in enumerate(view.argv):
        if word in _FLAGS or word.startswith(("--allow-insecure-host=", "--trusted-host=")):
            yield view.finding(RULE, f"{word.partition('=')[0]} turns the check of certificates off", view.word(at))


RULE = Rule(
    slug="certificates-unchecked",
    title="A server does not check certificates",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Add the service's own authority to the server's certificates instead.",
    cwe=295,
    owasp="MCP01",
    check=check,
)
