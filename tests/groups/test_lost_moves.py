"""Entering and leaving of which no event ever told: the sum of the moves is right all the same."""

from datetime import timedelta
from typing import Any

import pytest

from customers.models import TimelineEntry
from groups.actions.chats import SETTLING, apply_group_chat
from groups.handlers import note_changed_members
from groups.models import MemberMove
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_customer
from tests.groups.test_member_news import change, facts, moves, page

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(minutes=5)

pytestmark = pytest.mark.django_db


def read(corp: Corp, *members: str, version: str) -> None:
    at = LATER + SETTLING
    apply_group_chat(page("alice", *members, version=version), corp=corp, asked_at=at, now=at)


@pytest.fixture(autouse=True)
def first_reading(corp: Corp, alice: Staff) -> None:
    apply_group_chat(page("alice", version="v1"), corp=corp, asked_at=NOW, now=NOW)


def of(who: str) -> list[tuple[str, int]]:
    return [(kind, at) for member, kind, at in moves() if member == who]


def tell(corp: Corp, **fields: Any) -> None:
    note_changed_members(change(**fields), corp, LATER)


def test_who_has_left_had_entered(corp: Corp) -> None:
    make_customer(corp, external_userid="wm1")
    tell(corp, left="wm1", versions="v2 v3", at=NOW + 60 * SECOND)

    read(corp, version="v3")
    read(corp, version="v3")

    assert of("wm1") == [("joined", 60), ("left", 60)]
    assert facts() == [("wm1", "group.joined"), ("wm1", "group.left")]
    assert not TimelineEntry.objects.filter(type="group.joined", is_fresh=True).exists()


def test_an_entering_told_late_takes_the_place_of_the_guess(corp: Corp) -> None:
    tell(corp, left="wm1", versions="v2 v3", at=NOW + 60 * SECOND)
    read(corp, version="v3")

    for _again in range(2):
        tell(corp, joined="wm1", versions="v1 v2", at=NOW + 20 * SECOND)
        read(corp, version="v3")

    assert of("wm1") == [("joined", 20), ("left", 60)]
    assert not MemberMove.objects.filter(member_id="wm1", is_inferred=True).exists()


def test_who_has_entered_twice_had_left_between(corp: Corp) -> None:
    tell(corp, joined="wm1", versions="v1 v2", at=NOW + 10 * SECOND)
    tell(corp, joined="wm1", versions="v3 v4", at=NOW + 50 * SECOND)

    read(corp, "wm1", version="v4")
    assert of("wm1") == [("joined", 10), ("left", 50), ("joined", 50)]

    tell(corp, left="wm1", versions="v2 v3", at=NOW + 30 * SECOND)
    read(corp, "wm1", version="v4")
    assert of("wm1") == [("joined", 10), ("left", 30), ("joined", 50)]
