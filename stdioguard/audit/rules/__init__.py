"""The rules, one a file. To add one, write its file and its page in `docs/rules/`, and name it here: no other place knows them all."""

from __future__ import annotations

from stdioguard.audit.rules import unguarded_server, unpinned_package

RULES = tuple(module.RULE for module in (unguarded_server, unpinned_package))
"""Every rule, in the order of the documentation."""
