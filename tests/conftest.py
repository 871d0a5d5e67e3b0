"""Fixtures that every part of the suite shares: a corp of the sandbox, and the sandbox itself."""

from datetime import datetime

import pytest

from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_staff


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def corp(db: None) -> Corp:
    """A corp without a platform behind it: nothing may be asked of its address."""
    return make_corp()


@pytest.fixture
def alice(corp: Corp) -> Staff:
    return make_staff(corp, userid="alice", name="Alice")


@pytest.fixture
def bob(corp: Corp) -> Staff:
    return make_staff(corp, userid="bob", name="Bob")
