"""What tests of conformance share."""

from collections.abc import Iterator

import pytest

from tests.conformance.stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()
