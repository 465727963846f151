"""The table of cases against the profile that is generated for its grants, by an evaluator in place of a Mac."""

from __future__ import annotations

import pytest

from stdioguard.sandbox.macos import sbpl
from tests.sandbox import cases
from tests.sandbox.cases import Act
from tests.sandbox.macos import plans
from tests.sandbox.macos.asks import asks
from tests.sandbox.macos.disk import Disk
from tests.sandbox.macos.evaluator import Profile

AT = plans.places()
DISK = Disk(plans.world(AT))
PROFILE = Profile(sbpl.profile(plans.plan(), DISK.kernel))
CASES = [case for case in cases.CASES if "macos" in case.where]


def allowed(act: Act, profile: Profile = PROFILE, disk: Disk = DISK) -> bool:
    return all([profile.allows(ask) for ask in asks(act, disk)])


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_attack_is_refused_and_the_honest_act_is_not(case: cases.Case) -> None:
    assert not allowed(case.attack.at(AT)), "the attack goes through"
    assert allowed(case.honest.at(AT)), "the honest act is refused"
