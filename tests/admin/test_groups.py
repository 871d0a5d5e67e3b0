"""Group chats, their tags and join codes in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from groups.models import GroupChat, GroupTag, JoinCode, MemberMove, Membership
from scrm.channels.models import Operation
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import Enter, speak
from tests.admin.rows import make_operation
from tests.admin.test_scope import page
from tests.factories import (
    NOW,
    make_customer,
    make_department,
    make_group_chat,
    make_group_tag,
    make_join_code,
    make_staff,
)

CHATS = "admin:groups_groupchat_changelist"


@pytest.fixture
def chat(corp: Corp, alice: Staff) -> GroupChat:
    return make_group_chat(corp, owner=alice, name="Mothers", member_count=3, opened_at=NOW)


def join(chat: GroupChat, member_id: str, **fields: Any) -> Membership:
    now = timezone.now()
    MemberMove.objects.create(
        corp=chat.corp, chat=chat, member_id=member_id, kind="joined", at=now,
        state=fields.get("state", ""),
    )  # fmt: skip
    if fields.get("left_at"):
        MemberMove.objects.create(
            corp=chat.corp, chat=chat, member_id=member_id, kind="left", at=fields["left_at"]
        )
    values = {"type": "customer", "joined_at": now} | fields
    return Membership.objects.create(corp=chat.corp, chat=chat, member_id=member_id, **values)


def text_of(client: Client, address: str, **query: str) -> str:
    return speak(client, "en").get(address, query).content.decode()


# --- chats ------------------------------------------------------------------------------------
def test_the_list_tells_the_figures_of_the_day(lin: Client, chat: GroupChat) -> None:
    join(chat, "wm1")
    join(chat, "wm2", left_at=timezone.now())

    answer = speak(lin, "en").get(reverse(CHATS))

    board = answer.context["board"]
    assert (board.chats, board.members, board.joined_today, board.left_today) == (1, 3, 2, 1)
    (row,) = answer.context["cl"].result_list
    assert row.moves_today == (2, 1)
    assert "WeCom does not tell" in answer.content.decode()


def test_the_board_counts_only_the_chats_a_department_sees(
    corp: Corp, chat: GroupChat, enter: Enter
) -> None:
    east = make_department(corp)
    make_group_chat(corp, owner=make_staff(corp, departments=[east]), member_count=11)
    dora = enter("dora", corp=corp, departments=[east])

    board = dora.get(reverse(CHATS)).context["board"]

    assert (board.chats, board.members) == (1, 11)


def test_the_list_is_narrowed_by_tag(lin: Client, corp: Corp, chat: GroupChat) -> None:
    tag = make_group_tag(corp, "vip")
    chat.tags.add(tag)
    other = make_group_chat(corp)

    def shown(value: str | int) -> list[GroupChat]:
        return list(lin.get(reverse(CHATS), {"tag": value}).context["cl"].result_list)

    assert shown(tag.pk) == [chat]
    assert shown("none") == [other]


def test_chats_are_tagged_together_and_alone(lin: Client, corp: Corp, chat: GroupChat) -> None:
    known, old = make_group_tag(corp, "known"), make_group_tag(corp, "old")
    chat.tags.add(old)
    other = make_group_chat(corp)
    chosen = {"action": "tag_chosen", "_selected_action": [chat.pk, other.pk]}

    assert "2 chats are chosen" in speak(lin, "en").post(reverse(CHATS), chosen).content.decode()
    form = {"apply": "1", "add": [known.pk], "new": "fresh", "remove": [old.pk]}
    lin.post(reverse(CHATS), chosen | form)

    for each in (chat, other):
        assert sorted(tag.name for tag in each.tags.all()) == ["fresh", "known"]
    alone = reverse("admin:groups_groupchat_tags", args=[chat.pk])
    assert lin.get(alone).status_code == 200
    lin.post(alone, {"remove": [known.pk]})
    assert [tag.name for tag in chat.tags.all()] == ["fresh"]
    assert "Choose at least one" in speak(lin, "en").post(alone, {}).content.decode()


def test_the_page_of_a_chat_pages_and_finds_members(
    lin: Client, corp: Corp, chat: GroupChat
) -> None:
    known = make_customer(corp, external_userid="wm1", name="王芳")
    join(chat, "wm1", customer=known, join_scene=3)
    for number in range(60):
        join(chat, f"wx{number}", name=f"路人{number}")
    join(chat, "gone", left_at=timezone.now(), name="Departed")
    address = page(GroupChat, "change", chat.pk)

    first = text_of(lin, address)
    assert "1 / 2" in first
    assert "Departed" not in first
    assert len(lin.get(address, {"page": "2"}).context["members"].rows) == 11
    found = text_of(lin, address, q="王")
    assert page(type(known), "change", known.pk) in found
    assert "路人1" not in found
    assert "Departed" in text_of(lin, address, left="1")
    assert "Nobody of that name" in text_of(lin, address, q="nothing")


def test_the_page_of_a_chat_asks_as_often_for_many_members(lin: Client, chat: GroupChat) -> None:
    address = page(GroupChat, "change", chat.pk)
    join(chat, "wm0", customer=make_customer(chat.corp), inviter="alice")
    lin.get(address)
    with CaptureQueriesContext(connection) as few:
        lin.get(address)
    for number in range(1, 9):
        join(chat, f"wm{number}", customer=make_customer(chat.corp), inviter="alice")
    with CaptureQueriesContext(connection) as many:
        lin.get(address)

    assert len(many) == len(few)
    assert len(many) <= 20


def test_customers_out_of_scope_are_named_and_not_linked(
    corp: Corp, chat: GroupChat, alice: Staff, enter: Enter
) -> None:
    east = make_department(corp)
    alice.departments.add(east)
    far = make_customer(corp, staff=make_staff(corp), name="Faraway")
    near = make_customer(corp, staff=alice, name="Nearby")
    for customer in (far, near):
        join(chat, customer.external_userid, customer=customer)
    dora = enter("dora", corp=corp, departments=[east])

    text = text_of(dora, page(GroupChat, "change", chat.pk))

    assert page(type(near), "change", near.pk) in text
    assert page(type(far), "change", far.pk) not in text


def test_growth_is_drawn_and_says_since_when_it_is_counted(
    lin: Client, corp: Corp, chat: GroupChat
) -> None:
    since = timezone.now() - timedelta(days=5)
    Corp.objects.filter(pk=corp.pk).update(created_at=since)
    GroupChat.objects.filter(pk=chat.pk).update(opened_at=since - timedelta(days=100))
    join(chat, "wm1")

    answer = speak(lin, "en").get(page(GroupChat, "change", chat.pk))

    chart = answer.context["chart"]
    assert (chart.joined, chart.left, chart.highest, chart.lowest) == (1, 0, 3, 2)
    assert len(chart.line.split()) == 6
    assert "Counted since" in answer.content.decode()


# --- tags -------------------------------------------------------------------------------------
def test_a_group_tag_is_made_renamed_and_deleted(lin: Client, corp: Corp, chat: GroupChat) -> None:
    lin.post(reverse("admin:groups_grouptag_add"), {"name": "vip"})
    tag = GroupTag.objects.get()
    chat.tags.add(tag)

    taken = lin.post(reverse("admin:groups_grouptag_add"), {"name": "vip"})
    assert "name" in taken.context["adminform"].form.errors
    lin.post(page(GroupTag, "change", tag.pk), {"name": "gold"})
    tag.refresh_from_db()
    assert tag.name == "gold"

    remove = f"{page(GroupTag, 'changelist')}{tag.pk}/remove/"
    lin.post(remove, {"_form_submitted": "True"})
    assert not GroupTag.objects.exists()
    assert not chat.tags.exists()


# --- join codes -------------------------------------------------------------------------------
FORM = {"name": "Door", "is_growing": "on", "base_name": "", "base_id": "1"}


def test_a_code_is_made_in_the_form(lin: Client, chat: GroupChat) -> None:
    lin.post(reverse("admin:groups_joincode_add"), FORM | {"chats": [chat.pk]})

    code = JoinCode.objects.get()
    assert (code.name, list(code.chats.all()), code.base_name) == ("Door", [chat], "Door")
    assert Operation.objects.get().kind == "create_join_code"
    assert "WeCom is being asked" in text_of(lin, page(JoinCode, "change", code.pk))


def test_what_is_wrong_with_a_code_stands_beside_its_field(
    lin: Client, corp: Corp, chat: GroupChat
) -> None:
    dismissed = make_group_chat(corp, status="dismissed", name="Gone")

    answer = lin.post(
        reverse("admin:groups_joincode_add"), FORM | {"chats": [chat.pk, dismissed.pk]}
    )

    errors = answer.context["adminform"].form.errors
    assert "Gone" in str(errors["chats"])
    assert not JoinCode.objects.exists()


def test_the_page_of_a_code_shows_picture_chats_and_what_came_of_it(
    lin: Client, chat: GroupChat
) -> None:
    code = make_join_code(chat.corp, chats=[chat])
    join(chat, "wm1", state=code.state)
    join(chat, "wm2", state=code.state, left_at=timezone.now())
    picture = reverse("admin:groups_joincode_picture", args=[code.pk])

    answer = speak(lin, "en").get(page(JoinCode, "change", code.pk))

    figures = answer.context["figures"]
    assert (figures.joined, figures.present, figures.left) == (2, 1, 1)
    assert answer.context["bars"][-1]["count"] == 2
    assert picture in answer.content.decode()
    assert "Mothers" in answer.content.decode()
    assert lin.get(picture).content == b"\x89PNG"


def test_a_code_that_waits_says_what_for(lin: Client, chat: GroupChat) -> None:
    code = make_join_code(chat.corp, chats=[chat], status="creating", picture_type="", picture=None)
    make_operation(
        chat.corp, kind="create_join_code", serial_key=f"join-code:{code.pk}",
        error="Tick the permission in the console.",
    )  # fmt: skip

    assert "Tick the permission" in text_of(lin, page(JoinCode, "change", code.pk))
    picture = reverse("admin:groups_joincode_picture", args=[code.pk])
    assert lin.get(picture).status_code == 404


def test_a_code_is_changed_and_deleted(lin: Client, chat: GroupChat) -> None:
    code = make_join_code(chat.corp, chats=[chat])

    lin.post(page(JoinCode, "change", code.pk), FORM | {"chats": [chat.pk], "name": "Window"})
    code.refresh_from_db()
    assert code.name == "Window"
    lin.post(f"{page(JoinCode, 'changelist')}{code.pk}/remove/", {"_form_submitted": "True"})

    code.refresh_from_db()
    assert code.status == "deleted"
    assert lin.get(page(JoinCode, "change", code.pk)).status_code == 404
    kinds = Operation.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["update_join_code", "delete_join_code"]


def test_a_lead_changes_no_code_into_chats_she_does_not_see(
    corp: Corp, chat: GroupChat, enter: Enter
) -> None:
    east = make_department(corp)
    mine = make_group_chat(corp, owner=make_staff(corp, departments=[east]), name="Mine")
    shared, foreign = make_join_code(corp, chats=[mine, chat]), make_join_code(corp, chats=[chat])
    dora = enter("dora", corp=corp, departments=[east])

    answer = speak(dora, "en").get(page(JoinCode, "change", shared.pk))

    assert "1 chat of other departments" in answer.content.decode()
    assert "Mothers" not in answer.content.decode()
    form = FORM | {"chats": [mine.pk]}
    assert dora.post(page(JoinCode, "change", shared.pk), form).status_code == 403
    remove = f"{page(JoinCode, 'changelist')}{shared.pk}/remove/"
    assert dora.post(remove, {"_form_submitted": "True"}).status_code == 403
    assert dora.get(page(JoinCode, "change", foreign.pk)).status_code == 404
    assert list(dora.get(page(JoinCode, "changelist")).context["cl"].result_list) == [shared]
