"""Which environment variables a server may never have, whatever a profile or a client says.

Each of these makes a loader, an interpreter, a shell or a build tool run code or read configuration of the sender's choice before the
server's first line runs (ld.so(8), python(1), node(1), bash(1), git(1), perlrun(1), ruby(1), openssl-env(7)).
"""

from __future__ import annotations

BASE = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
"""Passed to every server: the list that the MCP SDKs' stdio clients pass by default."""

_NAMES = frozenset(
    {
        "BASHOPTS", "BASH_ENV", "CDPATH", "CLASSPATH", "DOTNET_STARTUP_HOOKS", "EDITOR", "ENV", "GCONV_PATH", "GEM_HOME",
        "GEM_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "GODEBUG", "GOFLAGS", "HOSTALIASES", "IFS", "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS", "LESSCLOSE", "LESSOPEN", "LOCALDOMAIN", "LOCPATH", "MCP_SHARED_SECRET", "NLSPATH", "OPENSSL_CONF",
        "OPENSSL_ENGINES", "OPENSSL_MODULES", "PAGER", "PROMPT_COMMAND", "PS4", "PYTHONBREAKPOINT", "RESOLV_HOST_CONF",
        "RES_OPTIONS", "RUBYLIB", "RUBYOPT", "RUSTC_WRAPPER", "SHELLOPTS", "SSLKEYLOGFILE", "TMPPREFIX", "VISUAL", "ZDOTDIR",
        "_JAVA_OPTIONS",
    }
)  # fmt: skip
_PREFIXES = (
    "BASH_FUNC_", "BUN_", "DENO_", "DYLD_", "GIT_", "LD_", "MALLOC_", "NODE_", "NPM_CONFIG_", "PERL", "PIP_", "PYTHON",
    "STDIOGUARD_", "UV_",
)  # fmt: skip

_HARMLESS = frozenset({"NODE_ENV", "PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONUTF8",
                       "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"})  # fmt: skip
"""Names below a forbidden prefix that only choose an output format or an identity."""


def is_forbidden(name: str) -> bool:
    """Tell whether a variable of this name is kept from every server."""
    upper = name.upper()
    if upper in _HARMLESS:
        return False
    return upper in _NAMES or upper.startswith(_PREFIXES)
