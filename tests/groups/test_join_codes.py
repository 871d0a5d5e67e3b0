"""Join codes: asked of the platform, their pictures, what came of them, chats that fall away."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customers.actions.leaving import mark_leaving
from groups.actions.chats import apply_group_chat, dismiss_chat
from groups.actions.growth import CodeFigures, days_of_code, figures_of_codes, group_figures
from groups.actions.join_codes import (
    JoinCodeDraft,
    JoinCodeGone,
    create_join_code,
    delete_join_code,
    update_join_code,
)
from groups.models import GroupChat, JoinCode
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels.actions.inbox import handle_due_events
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.actions.refreshes import run_due_refreshes
from scrm.channels.base import GroupChatRecord
from scrm.channels.models import Operation
from scrm.common.errors import InvalidInput
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_group_chat, make_join_code, make_staff
from tests.groups.conftest import Deliver

SECOND = timedelta(seconds=1)


def make(corp: Corp, chats: Sequence[GroupChat], **fields: Any) -> JoinCode:
    draft = JoinCodeDraft(**({"name": "Code", "chat_ids": [c.chat_id for c in chats]} | fields))
    return create_join_code(draft, corp=corp, actor=SYSTEM, now=NOW)


def change(code: JoinCode, **changes: Any) -> JoinCode:
    return update_join_code(code, changes=changes, actor=SYSTEM, now=NOW)


def asked(kind: str) -> list[dict[str, Any]]:
    return list(
        Operation.objects.filter(kind=kind).order_by("pk").values_list("payload", flat=True)
    )


# --- with the platform ------------------------------------------------------------------------
def test_a_code_is_made_with_its_picture(synced_brand: Corp, sandbox: SandboxServer) -> None:
    chats = list(GroupChat.objects.order_by("pk")[:2])
    code = make(synced_brand, chats, base_name="New mothers", base_id=7)

    run_due_operations(now=NOW)
    assert run_due_refreshes(now=NOW + 5 * SECOND) == {"read": 1}

    code.refresh_from_db()
    assert (code.status, code.problem, code.picture_type) == ("active", "", "image/png")
    assert bytes(code.picture or b"").startswith(b"\x89PNG")
    way = sandbox.world.join_ways[code.config_id]
    assert (way.chat_ids, way.state, way.auto_create_room) == (
        [chat.chat_id for chat in chats], code.state, True,
    )  # fmt: skip
    assert (way.room_base_name, way.room_base_id) == ("New mothers", 7)


def test_what_came_of_a_code(synced_brand: Corp, sandbox: SandboxServer, deliver: Deliver) -> None:
    code = make(synced_brand, [GroupChat.objects.order_by("pk")[0]])
    run_due_operations(now=NOW)
    code.refresh_from_db()

    came = [sandbox.people.scan_join_code(code.config_id) for _ in range(3)]
    sandbox.people.chat_leave(came[0]["chat_id"], [came[0]["external_userid"]])
    deliver(synced_brand)
    at = datetime.fromtimestamp(sandbox.clock.now(), tz=UTC)
    handle_due_events(now=at)
    sandbox.clock.advance(3)
    run_due_refreshes(now=at + 3 * SECOND)

    # Who left before the chat was read, left without telling by which code she had come.
    assert figures_of_codes([code]) == {code.pk: CodeFigures(joined=2, present=2)}
    sandbox.people.chat_leave(came[1]["chat_id"], [came[1]["external_userid"]])
    deliver(synced_brand)
    handle_due_events(now=at + 4 * SECOND)
    figures = figures_of_codes([code])[code.pk]
    assert (figures.joined, figures.present, figures.left) == (2, 1, 1)
    assert days_of_code(code, days=2, now=at)[-1][1] == 2
    truth, ours = sandbox.groups(), group_figures(synced_brand)
    assert ours == {
        "chats": truth["chats"],
        "members": truth["members"],
        "joined": truth["ever_joined"],
        "left": truth["ever_left"],
    }


def test_changing_and_deleting_reach_the_platform(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    first, second, *_ = GroupChat.objects.order_by("pk")
    code = make(synced_brand, [first])
    run_due_operations(now=NOW)
    code.refresh_from_db()

    change(code, chat_ids=[second.chat_id], is_growing=False, name="Door")
    run_due_operations(now=NOW)
    way = sandbox.world.join_ways[code.config_id]
    assert (way.chat_ids, way.auto_create_room, way.remark, way.state) == (
        [second.chat_id], False, "Door", code.state,
    )  # fmt: skip

    delete_join_code(code, actor=SYSTEM, now=NOW)
    run_due_operations(now=NOW)
    assert sandbox.world.join_ways == {}
    assert list(AuditEntry.objects.filter(action__startswith="join_codes").values_list("action", flat=True).order_by("pk")) == [
        "join_codes.created", "join_codes.changed", "join_codes.deleted",
    ]  # fmt: skip


def test_a_refused_code_says_why_and_can_be_corrected(
    synced_brand: Corp, sandbox: SandboxServer
) -> None:
    chat, other, *_ = GroupChat.objects.order_by("pk")
    # Nobody has told us yet.
    sandbox.world.chats[chat.chat_id].dismissed_at = sandbox.clock.now()
    code = make(synced_brand, [chat])
    run_due_operations(now=NOW)
    code.refresh_from_db()
    assert code.status == "failed"
    assert code.problem

    change(code, chat_ids=[other.chat_id])
    run_due_operations(now=NOW)

    code.refresh_from_db()
    assert (code.status, code.problem) == ("active", "")


# --- without it -------------------------------------------------------------------------------
def finish(kind: str, code: JoinCode, **fields: Any) -> None:
    """Let the platform answer, as the outbox reports it."""
    from scrm.channels.kinds import listeners_of  # noqa: PLC0415

    operations = Operation.objects.filter(kind=kind, serial_key=f"join-code:{code.pk}")
    operation = operations.order_by("-pk")[0]
    for name, value in ({"status": "succeeded"} | fields).items():
        setattr(operation, name, value)
    operation.save()
    for listener in listeners_of(kind):
        listener(operation, NOW)


def test_a_change_while_it_is_created_follows(corp: Corp, alice: Staff) -> None:
    first, second = make_group_chat(corp, owner=alice), make_group_chat(corp, owner=alice)
    code = make(corp, [first])
    change(code, chat_ids=[second.chat_id])
    assert asked("update_join_code") == []

    finish("create_join_code", code, result={"config_id": "c1"})

    (update,) = asked("update_join_code")
    assert (update["config_id"], update["chat_ids"]) == ("c1", [second.chat_id])


def test_a_code_deleted_while_it_is_created_is_deleted_there_too(corp: Corp, alice: Staff) -> None:
    code = make(corp, [make_group_chat(corp, owner=alice)])
    delete_join_code(code, actor=SYSTEM, now=NOW)
    delete_join_code(code, actor=SYSTEM, now=NOW)

    finish("create_join_code", code, result={"config_id": "c1"})

    assert asked("delete_join_code") == [{"config_id": "c1"}]
    code.refresh_from_db()
    assert code.status == "deleted"
    with pytest.raises(JoinCodeGone):
        change(code, name="Again")


def test_a_refused_change_is_told(corp: Corp, alice: Staff) -> None:
    code = make_join_code(corp, chats=[make_group_chat(corp, owner=alice)])
    change(code, name="Other")

    finish("update_join_code", code, status="failed", error="Too many.")

    code.refresh_from_db()
    assert code.status == "active"
    assert "Too many." in code.problem


def test_chats_of_who_is_leaving_are_taken_out(corp: Corp, alice: Staff, bob: Staff) -> None:
    hers, his = make_group_chat(corp, owner=alice), make_group_chat(corp, owner=bob)
    both, only = make_join_code(corp, chats=[hers, his]), make_join_code(corp, chats=[hers])
    untouched = make_join_code(corp, chats=[his])

    mark_leaving(alice, actor=SYSTEM, now=NOW)
    mark_leaving(alice, actor=SYSTEM, now=NOW)

    for code in (both, only, untouched):
        code.refresh_from_db()
    assert [both.status, only.status, untouched.status] == ["active", "empty", "active"]
    assert str(hers) in both.problem
    assert str(hers) in only.problem
    assert untouched.problem == ""
    (update,) = asked("update_join_code")
    assert (update["config_id"], update["chat_ids"]) == (both.config_id, [his.chat_id])

    change(only, chat_ids=[his.chat_id])
    only.refresh_from_db()
    assert (only.status, only.problem) == ("active", "")


def test_a_dismissed_chat_is_taken_out(corp: Corp, alice: Staff) -> None:
    kept, gone = make_group_chat(corp, owner=alice), make_group_chat(corp, owner=alice)
    code = make_join_code(corp, chats=[kept, gone])

    dismiss_chat(gone.chat_id, corp=corp, dismissed_at=NOW, now=NOW)

    assert list(code.chats.all()) == [kept]
    assert len(asked("update_join_code")) == 1


def test_a_chat_that_comes_to_somebody_who_is_leaving_is_taken_out(
    corp: Corp, alice: Staff
) -> None:
    make_staff(corp, userid="carol", leaving_since=NOW)
    chat = make_group_chat(corp, owner=alice)
    code = make_join_code(corp, chats=[chat])

    record = GroupChatRecord(chat.chat_id, "Chat", "carol", NOW, "", "v1", ())
    apply_group_chat(record, corp=corp, now=NOW)

    code.refresh_from_db()
    assert code.status == "empty"


def test_five_chats_are_enough_and_six_too_many(corp: Corp, alice: Staff) -> None:
    chats = [make_group_chat(corp, owner=alice) for _ in range(6)]

    assert make(corp, chats[:5]).chats.count() == 5
    with pytest.raises(InvalidInput) as refused:
        make(corp, chats)
    assert refused.value.errors[0].code == "too_many"
