"""Addresses of others in messages: hosts only. What else stands in them may be a secret."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit


def host_of(address: str) -> str:
    """Return the host in an address, without the user, the port and the rest; `an address` where there is none."""
    match = re.search(r"[A-Za-z][A-Za-z0-9+.\-]{0,30}://\S+", address)
    try:
        host = urlsplit(match.group()).hostname if match is not None else None
    except ValueError:
        host = None
    return host or "an address"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")
