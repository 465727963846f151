"""The table's control: where nothing guards, every attack works, and so does every honest act. A case that fails by itself proves nothing."""

from __future__ import annotations

import sys

import pytest

from tests.sandbox import cases, table

HERE = "macos" if sys.platform == "darwin" else "linux"
CASES = [case for case in cases.CASES if HERE in case.where]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_without_a_sandbox_both_work(case: cases.Case) -> None:
    for act in (case.attack, case.honest):
        with table.world() as at:
            assert table.do([table.PYTHON, *table.arguments(act.at(at))], at) == "done", act
