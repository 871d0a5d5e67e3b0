"""What tests of conformance share."""

from collections.abc import Iterator

import pytest

from tests.conformance.documented import FOLDER
from tests.conformance.stage import Stage

# Without the payloads one test is left, and says in one line that nothing was compared.
collect_ignore_glob = [] if FOLDER.is_dir() else ["test_[!p]*.py", "test_parsers.py"]


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()
