"""Figures of chats, from the moves of their members."""

from datetime import timedelta

import pytest

from groups.actions.chats import apply_group_chat, dismiss_chat
from groups.actions.growth import Board, board_of, group_figures, growth_of
from groups.models import GroupChat
from scrm.channels.base import GroupChatRecord, MemberRecord
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_corp

DAY = timedelta(days=1)


def read(corp: Corp, chat_id: str, *members: str, days_later: int = 0) -> None:
    at = NOW + days_later * DAY
    rows = tuple(MemberRecord(each, is_staff=False, joined_at=at) for each in members)
    record = GroupChatRecord(chat_id, chat_id, "", NOW, "", f"v{days_later}", rows)
    apply_group_chat(record, corp=corp, now=at)


@pytest.fixture
def town(corp: Corp) -> Corp:
    """Two chats: one grows, the other is dismissed; and one of another corp."""
    Corp.objects.filter(pk=corp.pk).update(created_at=NOW - 10 * DAY)
    read(corp, "wr1", "a", "b")
    read(corp, "wr2", "a", "c", "d")
    read(make_corp(), "wr1", "z")
    read(corp, "wr1", "b", "e", "f", days_later=2)
    dismiss_chat("wr2", corp=corp, dismissed_at=NOW + 2 * DAY, now=NOW + 2 * DAY)
    return corp


def test_growth_adds_up_to_the_members_of_today(town: Corp) -> None:
    chat = GroupChat.objects.select_related("corp").get(corp=town, chat_id="wr1")

    growth = growth_of(chat, days=4, now=NOW + 3 * DAY)

    assert [(day.members, day.joined, day.left) for day in growth.days] == [
        (2, 2, 0), (2, 0, 0), (3, 2, 1), (3, 0, 0),
    ]  # fmt: skip
    assert growth.total == 3


def test_the_board_counts_existing_chats_and_everybody_who_left(town: Corp) -> None:
    chats = GroupChat.objects.for_corp(town)
    today = NOW + 2 * DAY - timedelta(hours=12)

    assert board_of(chats, today=today, week=NOW - 5 * DAY) == Board(
        chats=1, members=3, joined_today=2, left_today=4, joined_week=7, left_week=4
    )


def test_figures_of_a_corp_and_of_a_span(town: Corp) -> None:
    assert group_figures(town) == {"chats": 1, "members": 3, "joined": 7, "left": 4}
    span = group_figures(town, since=NOW + DAY, until=NOW + 3 * DAY)
    assert span == {"chats": 1, "members": 3, "joined": 2, "left": 4}
