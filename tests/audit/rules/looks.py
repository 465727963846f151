"""One server, or one file, looked at by one rule."""

import json

from stdioguard.audit import engine, targets
from stdioguard.audit.machine import Machine
from stdioguard.audit.rules import RULES


def rule(slug):
    return next(rule for rule in RULES if rule.slug == slug)


def server(command, *args, **more):
    """An entry: a command line, and its other members."""
    return {"command": command, "args": list(args), **more}


def line(text, **more):
    """An entry of a command line without words that have spaces in them."""
    return server(*text.split(), **more)


def found(tmp_path, entry, slug, path="mcp.json", *, here=False):
    """What a rule finds in a file with this one server; a path that a client reads makes it that client's, in a home of its own."""
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"mcpServers": {"notes": entry}}))
    if path.startswith(".cursor/"):
        (tmp_path / ".bashrc").touch()  # in a home that file is a person's, in a project it comes with the repository
    place = str(file) if path == "mcp.json" else str(tmp_path)
    report = engine.audit(targets.of([place]), Machine(is_here=here), rules=[rule(slug)])
    assert report.problems == []
    assert sum(len(config.entries) for config in report.configs) == 1
    return report.findings
