"""What the tests of commands share."""

from tests.installs.conftest import scene

__all__ = ["scene"]
