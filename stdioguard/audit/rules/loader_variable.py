"""Variables that make a loader, an interpreter or git run other code before the server's first line."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_ANYTHING = {
    "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH", "DYLD_FRAMEWORK_PATH", "BASH_ENV",
    "PYTHONSTARTUP", "PYTHONHOME", "PYTHONBREAKPOINT", "PERL5OPT", "PERL5LIB", "PERL5DB", "RUBYLIB", "GIT_SSH_COMMAND", "GIT_SSH",
    "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR", "GIT_PAGER", "PROMPT_COMMAND",
    "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH", "COR_PROFILER_PATH", "GCONV_PATH", "OPENSSL_CONF", "OPENSSL_ENGINES", "RUSTC_WRAPPER",
}  # fmt: skip
_OPTIONS = {
    "NODE_OPTIONS": re.compile(r"(?:^|\s)(?:-r|--require|--import|--loader|--experimental-loader)[\s=]"),
    "BUN_OPTIONS": re.compile(r"(?:^|\s)(?:-r|--preload|--require|--import)[\s=]"),
    "RUBYOPT": re.compile(r"(?:^|\s)-r"),
    "JAVA_TOOL_OPTIONS": re.compile(r"-(?:javaagent|agentpath|agentlib):"),
    "_JAVA_OPTIONS": re.compile(r"-(?:javaagent|agentpath|agentlib):"),
    "JDK_JAVA_OPTIONS": re.compile(r"-(?:javaagent|agentpath|agentlib):"),
}
_SEARCHED = ("PYTHONPATH", "NODE_PATH", "GEM_PATH", "CLASSPATH")
"""Where modules are looked for: usual in configs, and harmful only where the folder is not always the same."""


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each such variable. The message never has its value."""
    if view.entry.kind != "stdio":
        return
    for name, value in view.entry.env.items():
        upper = name.upper()
        if not value.strip():
            continue
        if upper in _ANYTHING or (upper in _OPTIONS and _OPTIONS[upper].search(value[:4096])):
            yield view.finding(RULE, f"{name} makes other code run inside the server", view.variable(name))
        elif upper in _SEARCHED and _is_relative(value) and not view.entry.cwd and view.config.listing.found.level == "user":
            message = f"{name} is relative: modules come from whatever folder the client happens to be in"
            yield view.finding(RULE, message, view.variable(name), severity=Level.LOW)
        elif upper == "PATH" and _is_relative(value):
            message = f"{name} has a relative folder: programs come from whatever folder the client happens to be in"
            yield view.finding(RULE, message, view.variable(name))


def _is_relative(value: str) -> bool:
    separator = ";" if re.match(r"[A-Za-z]:[\\/]", value) else ":"
    parts = re.sub(r"\$\{[^}]*\}", "/", value).split(separator)
    return any(not part or not (os.path.isabs(part) or re.match(r"[A-Za-z]:[\\/]|[$%~{]", part)) for part in parts)


RULE = Rule(
    slug="loader-variable",
    title="A variable makes other code run inside a server",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Remove the variable; give the server its options as arguments.",
    cwe=426,
    owasp="MCP05",
    check=check,
)
