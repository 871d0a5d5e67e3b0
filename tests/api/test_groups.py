"""Group chats, their tags and figures, and join codes over REST."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from groups.models import GroupChat, GroupTag, JoinCode, MemberMove, Membership
from scrm.audit.models import AuditEntry
from scrm.channels.models import Operation
from scrm.tenancy.models import Corp, Staff
from tests.api.conftest import client_of
from tests.factories import (
    NOW,
    make_corp,
    make_group_chat,
    make_group_tag,
    make_join_code,
    make_staff,
)

URL = "/api/v1/groups/"
CODES = "/api/v1/join-codes/"


@pytest.fixture
def chat(corp: Corp, alice: Staff) -> GroupChat:
    return make_group_chat(corp, owner=alice, chat_id="wr1", member_count=7, opened_at=NOW)


def paths_of(answer: Any) -> set[str]:
    return {error["path"] for error in answer.json()["errors"]}


# --- tags -------------------------------------------------------------------------------------
def test_tags_a_chat_by_names_and_ids(brand: APIClient, corp: Corp, chat: GroupChat) -> None:
    old, known = make_group_tag(corp, "old"), make_group_tag(corp, "known")
    chat.tags.add(old)

    body = {"add": ["new", known.pk, "new"], "remove": ["old"]}
    answer = brand.post(f"{URL}wr1/tags/", body)

    assert answer.status_code == 200
    assert answer.json()["tags"] == ["known", "new"]
    assert brand.get(f"{URL}wr1/").json()["tags"] == ["known", "new"]
    entry = AuditEntry.objects.get(action="group_tags.changed")
    assert entry.data == {
        "chats": 1, "chat_ids": ["wr1"], "add": ["new", "known", "new"], "remove": ["old"],
    }  # fmt: skip


def test_tagging_again_changes_and_records_nothing(brand: APIClient, chat: GroupChat) -> None:
    brand.post(f"{URL}wr1/tags/", {"add": ["vip"]})

    answer = brand.post(f"{URL}wr1/tags/", {"add": ["vip"]})

    assert answer.json()["tags"] == ["vip"]
    assert AuditEntry.objects.filter(action="group_tags.changed").count() == 1


def test_a_dry_run_tags_nothing(brand: APIClient, chat: GroupChat) -> None:
    answer = brand.post(f"{URL}wr1/tags/?dry_run=true", {"add": ["vip"]})

    assert answer.json()["tags"] == ["vip"]
    assert not GroupTag.objects.exists()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"remove": ["nothing"]}, "/remove/0"),
        ({"add": ["fine", 999]}, "/add/1"),
        ({"add": [""]}, "/add/0"),
        ({"add": [True]}, "/add/0"),
        ({"add": [1.5]}, "/add/0"),
        ({"add": "vip"}, "/add"),
        ({"add": ["x" * 65]}, "/add/0"),
    ],
)
def test_refuses_tags_that_are_none(
    brand: APIClient, chat: GroupChat, body: dict[str, Any], path: str
) -> None:
    answer = brand.post(f"{URL}wr1/tags/", body)

    assert answer.status_code == 422
    assert path in paths_of(answer)
    assert not GroupTag.objects.exists()


def test_another_corps_tag_is_none(brand: APIClient, chat: GroupChat) -> None:
    theirs = make_group_tag(make_corp(), "theirs")

    assert brand.post(f"{URL}wr1/tags/", {"add": [theirs.pk]}).status_code == 422
    assert brand.post(f"{URL}wr1/tags/", {"remove": ["theirs"]}).status_code == 422


def test_filters_by_tag(brand: APIClient, corp: Corp, chat: GroupChat) -> None:
    tag = make_group_tag(corp, "vip")
    chat.tags.add(tag)
    make_group_chat(corp)

    for value in ("vip", str(tag.pk)):
        rows = brand.get(f"{URL}?tag={value}").json()["results"]
        assert [row["chat_id"] for row in rows] == ["wr1"]
    assert brand.get(f"{URL}?tag=nothing").status_code == 422


def test_the_list_needs_as_many_queries_for_many_chats(brand: APIClient, corp: Corp) -> None:
    def make() -> None:
        make_group_chat(corp, owner=make_staff(corp)).tags.add(make_group_tag(corp))

    make()
    brand.get(URL)
    with CaptureQueriesContext(connection) as few:
        brand.get(URL)
    for _ in range(5):
        make()
    with CaptureQueriesContext(connection) as many:
        brand.get(URL)

    assert len(many) == len(few)


# --- stats ------------------------------------------------------------------------------------
def move(chat: GroupChat, member_id: str, kind: str, at: datetime) -> None:
    MemberMove.objects.create(
        corp=chat.corp, chat=chat, member_id=member_id, kind=kind, at=at, is_staff=False
    )


def test_tells_growth_by_day_in_the_corps_zone(
    corp: Corp, alice: Staff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    Corp.objects.filter(pk=corp.pk).update(created_at=NOW - timedelta(days=2))
    opened_at = NOW - timedelta(days=9)
    chat = make_group_chat(corp, chat_id="wr1", member_count=3, opened_at=opened_at)
    for number in range(3):
        move(chat, f"wm{number}", "joined", NOW - timedelta(days=9))
    # 23:00 and 01:00 in China, both on the 16th and 17th of UTC's own days.
    move(chat, "wm3", "joined", NOW - timedelta(hours=13, days=1))
    move(chat, "wm0", "left", NOW - timedelta(hours=11))

    stats = client_of(corp).get(f"{URL}wr1/stats/?days=4").json()

    assert stats == {
        "total": 3,
        "known_since": "2026-11-16",
        "today": {"joined": 0, "left": 1},
        "days": [
            {"date": "2026-11-15", "members": None, "joined": None, "left": None, "messages": None},
            {"date": "2026-11-16", "members": 4, "joined": 1, "left": 0, "messages": None},
            {"date": "2026-11-17", "members": 4, "joined": 0, "left": 0, "messages": None},
            {"date": "2026-11-18", "members": 3, "joined": 0, "left": 1, "messages": None},
        ],
    }


@pytest.mark.parametrize("days", ["0", "367", "x", "-1"])
def test_refuses_days_nobody_can_count(brand: APIClient, chat: GroupChat, days: str) -> None:
    assert brand.get(f"{URL}wr1/stats/?days={days}").status_code == 400


# --- join codes -------------------------------------------------------------------------------
def test_makes_changes_and_deletes_a_join_code(
    brand: APIClient, corp: Corp, chat: GroupChat
) -> None:
    made = brand.post(CODES, {"name": "Shop door", "chat_ids": ["wr1"]})

    assert made.status_code == 201, made.json()
    code = made.json()
    assert 0 < len(code["state"].encode()) <= 30
    assert {name: code[name] for name in ("chat_ids", "status", "is_growing", "base_name")} == {
        "chat_ids": ["wr1"], "status": "creating", "is_growing": True, "base_name": "Shop door",
    }  # fmt: skip
    assert (code["joined"], code["left"], code["present"], code["has_picture"]) == (0, 0, 0, False)
    asked = Operation.objects.get(kind="create_join_code").payload
    assert (asked["chat_ids"], asked["state"]) == (["wr1"], code["state"])

    url = f"{CODES}{code['id']}/"
    assert brand.get(f"{url}qr/").status_code == 409
    assert brand.patch(url, {"name": "Window"}).json()["name"] == "Window"
    assert [row["id"] for row in brand.get(CODES).json()["results"]] == [code["id"]]
    assert brand.delete(url).status_code == 204
    assert brand.get(url).status_code == 404


def test_serves_the_picture_it_keeps(brand: APIClient, corp: Corp) -> None:
    code = make_join_code(corp)

    answer = brand.get(f"{CODES}{code.pk}/qr/")

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert answer.content == b"\x89PNG"


def test_tells_what_came_of_a_code(brand: APIClient, corp: Corp, chat: GroupChat) -> None:
    code = make_join_code(corp, chats=[chat])
    for member_id, left_at in (("wm1", None), ("wm2", NOW), ("wm3", None)):
        state = "" if member_id == "wm3" else code.state
        MemberMove.objects.create(
            corp=corp, chat=chat, member_id=member_id, kind="joined", at=NOW, state=state
        )
        Membership.objects.create(
            corp=corp, chat=chat, type="customer", member_id=member_id, joined_at=NOW,
            left_at=left_at, state=state,
        )  # fmt: skip

    told = brand.get(f"{CODES}{code.pk}/").json()

    assert (told["joined"], told["left"], told["present"]) == (2, 1, 1)


def test_names_every_problem_of_a_code(brand: APIClient, corp: Corp) -> None:
    gone = make_staff(corp, status="left")
    leaving = make_staff(corp, leaving_since=NOW)
    chats = [
        make_group_chat(corp, status="dismissed"),
        make_group_chat(corp, owner=gone),
        make_group_chat(corp, owner=leaving),
        make_group_chat(corp, status="owner_left"),
        make_group_chat(make_corp()),
    ]
    listed = [chat.chat_id for chat in chats]

    answer = brand.post(CODES, {"name": "Code", "chat_ids": [*listed, "unknown"]})

    assert answer.status_code == 422
    problems = {error["path"]: error["code"] for error in answer.json()["errors"]}
    assert problems == {
        "/chat_ids": "too_many",
        "/chat_ids/0": "dismissed",
        "/chat_ids/1": "owner_leaving",
        "/chat_ids/2": "owner_leaving",
        "/chat_ids/3": "owner_leaving",
        "/chat_ids/4": "unknown",
        "/chat_ids/5": "unknown",
    }
    assert not JoinCode.objects.exists()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"chat_ids": ["wr1"]}, "/name"),
        ({"name": "  ", "chat_ids": ["wr1"]}, "/name"),
        ({"name": "x", "chat_ids": []}, "/chat_ids"),
        ({"name": "x", "chat_ids": ["wr1"], "base_name": "x" * 41}, "/base_name"),
        ({"name": "x", "chat_ids": ["wr1"], "base_id": -1}, "/base_id"),
    ],
)
def test_refuses_a_code_that_cannot_be(
    brand: APIClient, chat: GroupChat, body: dict[str, Any], path: str
) -> None:
    answer = brand.post(CODES, body)

    assert answer.status_code == 422
    assert path in paths_of(answer)


def test_the_list_of_codes_needs_as_many_queries_for_many(brand: APIClient, corp: Corp) -> None:
    make_join_code(corp, chats=[make_group_chat(corp)])
    brand.get(CODES)
    with CaptureQueriesContext(connection) as few:
        brand.get(CODES)
    for _ in range(5):
        make_join_code(corp, chats=[make_group_chat(corp), make_group_chat(corp)])
    with CaptureQueriesContext(connection) as many:
        brand.get(CODES)

    assert len(many) == len(few)
