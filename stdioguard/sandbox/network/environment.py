"""The variables by which programs find the proxy."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_OWN_LOOPBACK = "localhost,127.0.0.1,::1"


def proxy_environment(url: str, rules: Sequence[str]) -> dict[str, str]:
    """Return the variables that send curl, git, pip, requests, httpx, npm and Node through the proxy at `url`.

    `url` is `http://127.0.0.1:PORT`, or `http://stdioguard:SECRET@127.0.0.1:PORT`; `rules` are those of the profile, canonical.

    All of them name the proxy as HTTP. `socks5h` in ALL_PROXY would be the one way that serves any protocol, but where the SOCKS
    package is not installed requests fails with it and httpx does not even make a client, whatever HTTPS_PROXY says.

    A server may talk to itself, a browser's debugging port for one, so its own loopback goes past the proxy; unless a rule grants
    an address of the host's loopback, which only the proxy can reach.
    """
    no_proxy = "" if any(rule.startswith(("127.", "[::1]")) for rule in rules) else _OWN_LOOPBACK
    variables = {}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        variables[name] = variables[name.lower()] = (
            url  # curl reads http_proxy in lower case only, since CGI makes the other (httpoxy)
        )
    variables["NO_PROXY"] = variables["no_proxy"] = no_proxy
    # Node's own fetch, http and https look at the above only with this (22.21 and 24 on); older ones know no proxy.
    variables["NODE_USE_ENV_PROXY"] = "1"
    # An .npmrc of a project comes before HTTPS_PROXY, these come before an .npmrc.
    variables["npm_config_proxy"] = variables["npm_config_https_proxy"] = url
    variables["npm_config_noproxy"] = no_proxy
    return variables
