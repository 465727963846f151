"""The table of attacks on consent, played in real sessions of both eras."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.launch.consent_attacks import (  # noqa: F401 - each enters its rows
    arguments,
    clients,
    files,
    floods,
    prompts,
    reach,
    remembered,
    replays,
    signatures,
)
from tests.launch.consent_attacks.stage import TABLE, Attack, Stage

PLAYS = [
    pytest.param(
        row,
        era,
        id=f"{row.name} ({era})",
        # Each row is played in one era, the next row in the other; in both by `make test-slow`. The gates' own tests play every case in both.
        marks=[pytest.mark.slow] if len(row.eras) > 1 and (at + number) % 2 else [],
    )
    for number, row in enumerate(TABLE)
    for at, era in enumerate(row.eras)
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(("row", "era"), PLAYS)
def test_it_is_refused_and_its_honest_twin_works(row: Attack, era: str, home: Path) -> None:
    with Stage(home, era) as stage:
        row.play(stage)
    assert stage.attacks, f"nothing was attacked: {row.must}"
    assert stage.twins, f"nothing honest was tried: {row.twin}"


def test_the_table_has_at_least_sixty_rows_and_no_two_of_one_name() -> None:
    names = Counter(row.name for row in TABLE)
    assert len(names) >= 60
    assert [name for name, count in names.items() if count > 1] == []
