from collections.abc import Iterator

import pytest
from django.utils import translation

from scrm.tenancy.models import Corp, Staff
from tests.factories import make_corp, make_staff
from tests.risk.archive import FakeArchive, give_key


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def shop(db: None) -> Corp:
    """A corp with a chat archive and the first of its keys."""
    corp = make_corp(archive_secret="archive-secret")
    give_key(corp, 1)
    return corp


@pytest.fixture
def anna(shop: Corp) -> Staff:
    return make_staff(shop, userid="anna", name="Anna")


@pytest.fixture
def archive(shop: Corp, anna: Staff, monkeypatch: pytest.MonkeyPatch) -> FakeArchive:
    """The archive of the shop; the customer wm1 has agreed with anna."""
    fake = FakeArchive()
    fake.agreed["anna", "wm1"] = (True, None)
    monkeypatch.setattr("risk.actions.archiving.open_archive", fake.open)
    return fake
