"""How much the fuzz tests do: a bounded, repeatable run by default, a long and random one with `STDIOGUARD_FUZZ=long`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

LONG = os.environ.get("STDIOGUARD_FUZZ") == "long"


def budget(examples: int, *, steps: int = 50) -> settings:
    """Return settings for `examples` examples (twenty times as many, of twice the length, in a long run)."""
    return settings(
        max_examples=examples * 20 if LONG else examples,
        stateful_step_count=steps * 2 if LONG else steps,
        derandomize=not LONG,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        # One finding at a time: shrinking many at once takes minutes.
        report_multiple_bugs=False,
        phases=[phase for phase in Phase if phase is not Phase.explain],
    )
