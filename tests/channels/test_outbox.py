from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels import kinds
from scrm.channels.actions.asking import begin_call
from scrm.channels.actions.claiming import claim_due
from scrm.channels.actions.outbox import (
    OperationNotWaiting,
    OperationOvertaken,
    Wish,
    cancel_operation,
    enqueue_operation,
    enqueue_operations,
    retry_operation,
    run_due_operations,
)
from scrm.channels.actions.outcomes import record_found, record_success, record_successes
from scrm.channels.base import MassMessage
from scrm.channels.kinds import subscribe_outcome
from scrm.channels.models import EndpointPause, Operation
from scrm.channels.opening import open_channel
from scrm.channels.operations import (
    ASK_MASS_MESSAGE,
    CANCEL_MASS_MESSAGE,
    CHANGE_REMARK,
    REMIND_MASS_MESSAGE,
    TAG_CUSTOMER,
    payload_of,
    tag_serial_key,
)
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.factories import NOW

ASK_PATH = "externalcontact/add_msg_template"
TAG_PATH = "externalcontact/mark_tag"
LEASE = timedelta(seconds=31)

Ask = Callable[..., Operation]


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_listeners", {})


@pytest.fixture
def audience(sandbox: SandboxServer) -> dict[str, list[str]]:
    """The customers of each member, everybody once."""
    seen: set[str] = set()
    audience: dict[str, list[str]] = {}
    with sandbox.world.lock:
        for userid in sandbox.world.members:
            mine = [f.external_userid for f in sandbox.world.customers_of(userid)]
            audience[userid] = [one for one in mine if one not in seen]
            seen.update(mine)
    return {userid: customers for userid, customers in audience.items() if len(customers) > 1}


@pytest.fixture
def ask(brand: Corp, audience: dict[str, list[str]]) -> Ask:
    """Wish for a mass message to some customers of a member."""
    sender = max(audience, key=lambda userid: len(audience[userid]))

    def wish(key: str = "a", customers: slice = slice(None), **fields: Any) -> Operation:
        message = MassMessage(sender, tuple(audience[sender][customers]), "Good morning")
        defaults: dict[str, Any] = {"payload": payload_of(message), "now": NOW}
        return enqueue_operation(ASK_MASS_MESSAGE, corp=brand, key=key, **defaults | fields)

    return wish


@pytest.fixture
def tag(brand: Corp, sandbox: SandboxServer, audience: dict[str, list[str]]) -> Ask:
    """Wish for a tag on a member's first customer."""
    userid, customers = next(iter(audience.items()))
    with sandbox.world.lock:
        tags = [one.id for one in sandbox.world.tags.living_tags()]

    def wish(key: str, *, add: int | None = None, remove: int | None = None) -> Operation:
        payload = {
            "userid": userid,
            "external_userid": customers[0],
            "add": [] if add is None else [tags[add]],
            "remove": [] if remove is None else [tags[remove]],
        }
        serial_key = tag_serial_key(userid, customers[0])
        return enqueue_operation(
            TAG_CUSTOMER, corp=brand, key=key, payload=payload, serial_key=serial_key, now=NOW
        )

    return wish


def reread(operation: Operation) -> Operation:
    operation.refresh_from_db()
    return operation


def asked_customers(sandbox: SandboxServer) -> int:
    assert sandbox.summary()["asked_more_than_once"] == []
    return sandbox.campaign()["asked"]


def test_asks_the_platform_once(ask: Ask, sandbox: SandboxServer) -> None:
    operation = ask()

    assert run_due_operations(now=NOW) == {"succeeded": 1}
    assert run_due_operations(now=NOW + LEASE) == {}

    assert reread(operation).status == "succeeded"
    assert operation.result["msgid"] in sandbox.world.messages
    assert operation.result["refused"] == []
    assert operation.called_at
    assert sandbox.calls()[ASK_PATH] == 1


def test_is_the_same_wish_with_the_same_key(ask: Ask, sandbox: SandboxServer) -> None:
    assert ask() == ask(payload={"sender": "x"})

    run_due_operations(now=NOW)
    assert ask().status == "succeeded"

    assert Operation.objects.count() == 1


def test_wishes_for_many_at_once(brand: Corp) -> None:
    wishes = [Wish(f"k{number}", {"msgid": "m"}, "serial") for number in range(3)]
    first = enqueue_operations(CANCEL_MASS_MESSAGE, corp=brand, wishes=wishes[:2], now=NOW)

    rows = enqueue_operations(CANCEL_MASS_MESSAGE, corp=brand, wishes=wishes, now=NOW)

    assert list(rows) == ["k0", "k1", "k2"]
    assert rows["k0"] == first["k0"]
    assert Operation.objects.count() == 3


def test_asks_what_somebody_waits_for_first(ask: Ask, sandbox: SandboxServer) -> None:
    ask("bulk", slice(0, 1))
    ask("click", slice(1, 2), priority=Operation.Priority.CLICK)

    run_due_operations(now=NOW, limit=1)

    assert Operation.objects.get(status="succeeded").idempotency_key == "click"


def test_shows_a_refusal_and_does_not_repeat_it(ask: Ask, sandbox: SandboxServer) -> None:
    operation = ask()
    sandbox.faults.fail(ASK_PATH, 41048)

    assert run_due_operations(now=NOW) == {"failed": 1}
    assert run_due_operations(now=NOW + timedelta(days=1)) == {}

    assert reread(operation).status == "failed"
    assert operation.errcode == 41048
    assert operation.error.startswith("None of these customers can receive the message.")


def test_tries_a_busy_platform_again_later(ask: Ask, sandbox: SandboxServer) -> None:
    operation = ask()
    sandbox.faults.fail(ASK_PATH, -1)

    assert run_due_operations(now=NOW) == {"postponed": 1}
    assert run_due_operations(now=NOW + timedelta(seconds=1)) == {}
    assert run_due_operations(now=NOW + timedelta(seconds=10)) == {"succeeded": 1}

    assert reread(operation).errcode is None
    assert asked_customers(sandbox) > 0


def test_parks_what_fails_again_and_again(ask: Ask, sandbox: SandboxServer) -> None:
    operation = ask()
    sandbox.faults.fail(ASK_PATH, -1, times=99)

    outcomes = [run_due_operations(now=NOW + timedelta(hours=number)) for number in range(9)]

    assert outcomes == [{"postponed": 1}] * 7 + [{"parked": 1}, {}]
    assert reread(operation).errcode == -1


def test_parks_what_only_the_console_can_allow_until_somebody_retries(
    ask: Ask, sandbox: SandboxServer
) -> None:
    operation = ask()
    sandbox.faults.fail(ASK_PATH, 48002)

    assert run_due_operations(now=NOW) == {"parked": 1}
    assert run_due_operations(now=NOW + timedelta(days=1)) == {}
    assert "callable apps" in reread(operation).error
    assert AuditEntry.objects.count() == 0

    retry_operation(operation, actor=SYSTEM, now=NOW)
    assert run_due_operations(now=NOW) == {"succeeded": 1}
    assert AuditEntry.objects.get().action == "channels.operation_retried"


def test_pauses_the_kind_at_the_limit_of_calls(ask: Ask, sandbox: SandboxServer) -> None:
    for number in range(3):
        ask(str(number), slice(number, number + 1))
    sandbox.faults.fail(ASK_PATH, 45009)

    assert run_due_operations(now=NOW) == {"postponed": 3}

    assert sandbox.calls()[ASK_PATH] == 1
    assert set(Operation.objects.values_list("status", "attempts")) == {("pending", 0)}
    assert EndpointPause.objects.get().until >= NOW + timedelta(seconds=60)
    assert run_due_operations(now=NOW + timedelta(seconds=59)) == {}
    assert run_due_operations(now=NOW + timedelta(seconds=62)) == {"succeeded": 3}


def test_pauses_all_kinds_of_an_endpoint(
    ask: Ask, brand: Corp, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = replace(kinds.kind_of(ask()), name="ask_otherwise")
    monkeypatch.setitem(kinds._kinds, twin.name, twin)
    enqueue_operation(twin.name, corp=brand, key="twin", payload={}, now=NOW)
    payload = {"msgid": "unknown"}
    enqueue_operation(CANCEL_MASS_MESSAGE, corp=brand, key="c", payload=payload, now=NOW)
    sandbox.faults.fail(ASK_PATH, 45009)

    assert run_due_operations(now=NOW) == {"postponed": 2, "failed": 1}

    assert sandbox.calls()[ASK_PATH] == 1
    paused = EndpointPause.objects.filter(until__gt=NOW).values_list("kind", "errcode")
    assert set(paused) == {(ASK_MASS_MESSAGE, 45009), (twin.name, 45009)}


def test_doubles_pauses_that_follow_each_other(ask: Ask, sandbox: SandboxServer) -> None:
    ask()
    sandbox.faults.fail(ASK_PATH, 45009, times=3)
    lengths = []
    now = NOW

    for _ in range(3):
        run_due_operations(now=now)
        until = EndpointPause.objects.get().until
        lengths.append(round((until - now).total_seconds()))
        now = until + timedelta(seconds=1)

    assert lengths == [60, 120, 240]


def test_pauses_one_corp_only(ask: Ask, brand: Corp, sandbox: SandboxServer) -> None:
    ask()
    EndpointPause.objects.create(
        corp=Corp.objects.create(corp_id="ww-other", base_url="http://x/", created_at=NOW),
        kind=ASK_MASS_MESSAGE,
        until=NOW + timedelta(hours=1),
    )

    assert run_due_operations(now=NOW) == {"succeeded": 1}


def test_waits_while_the_platform_cannot_be_reached(
    ask: Ask, brand: Corp, sandbox: SandboxServer
) -> None:
    operation = ask()
    ask("b", slice(0, 1))
    Corp.objects.update(base_url="http://127.0.0.1:9/cgi-bin/")

    assert run_due_operations(now=NOW) == {"postponed": 2}
    assert "cannot be reached" in reread(operation).error
    assert operation.attempts == 0

    Corp.objects.update(base_url=sandbox.base_url)
    later = NOW + timedelta(minutes=1)
    assert run_due_operations(now=later) == {"succeeded": 2}


def test_asks_changes_of_one_relation_in_their_order(tag: Ask, sandbox: SandboxServer) -> None:
    first, second, third = tag("1", add=0), tag("2", add=1), tag("3", remove=0)
    sandbox.faults.fail(TAG_PATH, 45035)

    assert run_due_operations(now=NOW) == {"postponed": 1}
    assert sandbox.calls()[TAG_PATH] == 1
    assert run_due_operations(now=NOW + timedelta(seconds=9)) == {"succeeded": 3}

    finished = [reread(one).finished_at for one in (first, second, third)]
    assert all(finished)
    assert finished == sorted(moment for moment in finished if moment)
    with sandbox.world.lock:
        relation = sandbox.world.find_relation(
            first.payload["userid"], first.payload["external_userid"]
        )
        assert relation
        assert second.payload["add"][0] in relation.tag_ids
        assert first.payload["add"][0] not in relation.tag_ids


def test_does_not_retry_what_a_later_change_has_overtaken(tag: Ask, sandbox: SandboxServer) -> None:
    first = tag("1", add=0)
    tag("2", remove=0)
    sandbox.faults.fail(TAG_PATH, 48002)
    assert run_due_operations(now=NOW) == {"parked": 1, "succeeded": 1}

    with pytest.raises(OperationOvertaken):
        retry_operation(first, actor=SYSTEM, now=NOW)


def test_repeats_a_tagging_whose_answer_was_lost(tag: Ask, sandbox: SandboxServer) -> None:
    tag("1", add=0)
    sandbox.faults.lose_answer(TAG_PATH)

    assert run_due_operations(now=NOW) == {"postponed": 1}
    assert run_due_operations(now=NOW + LEASE) == {"succeeded": 1}


def test_finds_a_message_whose_answer_was_lost(ask: Ask, sandbox: SandboxServer) -> None:
    operation = ask()
    sandbox.faults.lose_answer(ASK_PATH)

    assert run_due_operations(now=NOW) == {"unknown": 1}
    assert reread(operation).status == "unknown"
    assert run_due_operations(now=NOW + timedelta(seconds=3)) == {"found": 1}

    assert reread(operation).status == "succeeded"
    assert operation.result == {"msgid": next(iter(sandbox.world.messages)), "refused": []}
    assert sandbox.calls()[ASK_PATH] == 1
    assert asked_customers(sandbox) == len(operation.payload["external_userids"])


def test_asks_again_only_when_the_message_certainly_was_not_made(
    ask: Ask, sandbox: SandboxServer
) -> None:
    operation = ask()
    sandbox.faults.drop_request(ASK_PATH)

    assert run_due_operations(now=NOW) == {"unknown": 1}
    # A request that is slow on its way could still land.
    assert run_due_operations(now=NOW + timedelta(seconds=3)) == {"unknown": 1}
    assert run_due_operations(now=NOW + timedelta(seconds=20)) == {}
    assert run_due_operations(now=NOW + LEASE) == {"absent": 1}
    assert run_due_operations(now=NOW + 2 * LEASE) == {"succeeded": 1}

    assert reread(operation).attempts == 2
    assert asked_customers(sandbox) == len(operation.payload["external_userids"])


def test_keeps_an_operation_unknown_while_the_platform_is_not_sure(
    ask: Ask, sandbox: SandboxServer
) -> None:
    operation = ask()
    sandbox.options.dispatch_seconds = 600
    sandbox.faults.lose_answer(ASK_PATH)
    run_due_operations(now=NOW)

    assert run_due_operations(now=NOW + timedelta(minutes=1)) == {"unknown": 1}
    sandbox.clock.advance(601)
    assert run_due_operations(now=NOW + timedelta(minutes=2)) == {"found": 1}

    assert reread(operation).status == "succeeded"


def test_gives_one_message_to_one_of_two_equal_operations(ask: Ask, sandbox: SandboxServer) -> None:
    first, second = ask("a"), ask("b")
    sandbox.faults.lose_answer(ASK_PATH)
    sandbox.faults.drop_request(ASK_PATH)
    # Faults strike by kind: the first call is dropped, the second is made and its answer lost.
    assert run_due_operations(now=NOW) == {"unknown": 2}

    run_due_operations(now=NOW + timedelta(seconds=3))
    run_due_operations(now=NOW + LEASE)
    run_due_operations(now=NOW + 2 * LEASE)

    results = {reread(one).result["msgid"] for one in (first, second)}
    assert results == set(sandbox.world.messages)
    assert len(results) == 2


def test_asks_everybody_once_although_many_answers_are_lost(
    ask: Ask, sandbox: SandboxServer, audience: dict[str, list[str]]
) -> None:
    count = max(map(len, audience.values()))
    for number in range(count):
        ask(str(number), slice(number, number + 1))
    sandbox.faults.lose_answer(ASK_PATH, times=count // 3)
    sandbox.faults.drop_request(ASK_PATH, times=count // 4)

    for minutes in range(4):
        run_due_operations(now=NOW + timedelta(minutes=minutes))

    assert set(Operation.objects.values_list("status", flat=True)) == {"succeeded"}
    assert asked_customers(sandbox) == count


def test_gives_a_found_message_to_nobody_if_it_is_known_as_anothers(
    ask: Ask, sandbox: SandboxServer
) -> None:
    first = ask("a")
    run_due_operations(now=NOW)
    second = ask("b")
    sandbox.faults.drop_request(ASK_PATH)
    run_due_operations(now=NOW)

    outcome = record_found(reread(second), reread(first).result, now=NOW)

    assert outcome == "overtaken"
    assert reread(second).status == "unknown"


def test_believes_an_answer_that_comes_after_the_call_was_given_up(
    ask: Ask, sandbox: SandboxServer
) -> None:
    operation = ask()
    (slow,) = claim_due(now=NOW, at_most=10)
    assert begin_call(slow, now=NOW)
    assert run_due_operations(now=NOW + LEASE, limit=0) == {"unknown": 1, "absent": 1}
    (claimed_again,) = claim_due(now=NOW + 2 * LEASE, at_most=10)

    assert record_success(slow, {"msgid": "m", "refused": []}, now=NOW + 2 * LEASE) == "succeeded"

    assert not begin_call(claimed_again, now=NOW + 2 * LEASE)
    assert reread(operation).result["msgid"] == "m"
    assert ASK_PATH not in sandbox.calls()


def test_takes_over_what_was_claimed_and_never_called(ask: Ask, sandbox: SandboxServer) -> None:
    ask()
    assert len(claim_due(now=NOW, at_most=10)) == 1

    assert run_due_operations(now=NOW + timedelta(seconds=29)) == {}
    assert run_due_operations(now=NOW + LEASE) == {"reclaimed": 1, "succeeded": 1}


def test_asks_once_when_a_worker_dies_before_the_request(ask: Ask, sandbox: SandboxServer) -> None:
    operation = ask()
    (claimed,) = claim_due(now=NOW, at_most=10)
    assert begin_call(claimed, now=NOW)

    assert run_due_operations(now=NOW + LEASE) == {"unknown": 1, "absent": 1}
    assert run_due_operations(now=NOW + 2 * LEASE) == {"succeeded": 1}

    assert asked_customers(sandbox) == len(operation.payload["external_userids"])


def test_asks_once_when_a_worker_dies_after_the_answer(ask: Ask, sandbox: SandboxServer) -> None:
    operation = ask()
    (claimed,) = claim_due(now=NOW, at_most=10)
    assert begin_call(claimed, now=NOW)
    kinds.kind_of(claimed).ask(open_channel(claimed.corp), claimed.payload)

    assert run_due_operations(now=NOW + LEASE) == {"unknown": 1, "found": 1}

    assert asked_customers(sandbox) == len(operation.payload["external_userids"])


def test_does_not_call_with_a_lease_that_ran_out(ask: Ask, sandbox: SandboxServer) -> None:
    ask()
    (late,) = claim_due(now=NOW, at_most=10)

    assert not begin_call(late, now=NOW + LEASE)
    run_due_operations(now=NOW + LEASE)
    assert not begin_call(late, now=NOW)

    assert asked_customers(sandbox) > 0


def test_parks_an_operation_that_kills_its_workers(ask: Ask) -> None:
    operation = ask()
    for number in range(8):
        claim_due(now=NOW + number * LEASE, at_most=10)
        run_due_operations(now=NOW + (number + 1) * LEASE, limit=0)

    assert reread(operation).status == "parked"
    assert "worker died" in operation.error


def test_parks_what_cannot_be_prepared_with_its_reason(
    ask: Ask, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(operation: Operation, now: datetime) -> None:
        raise RuntimeError("no such colour")

    monkeypatch.setitem(kinds._preparations, ASK_MASS_MESSAGE, fail)
    operation = ask()
    for number in range(9):
        run_due_operations(now=NOW + timedelta(hours=number))

    assert (reread(operation).status, operation.attempts) == ("parked", 8)
    assert operation.error == "RuntimeError: no such colour"
    assert ASK_PATH not in sandbox.calls()


def test_parks_what_cannot_be_looked_for_with_its_reason(
    ask: Ask, brand: Corp, sandbox: SandboxServer
) -> None:
    operation = ask(payload={"external_userids": ["wm"]})

    assert run_due_operations(now=NOW) == {"unknown": 1}
    assert run_due_operations(now=NOW + timedelta(minutes=5)) == {"unknown": 1}
    assert run_due_operations(now=NOW + timedelta(hours=2)) == {"parked": 1}

    assert reread(operation).error.startswith("KeyError: 'sender'")


def test_asks_a_batch_again_when_its_worker_dies_in_between(tag: Ask, brand: Corp) -> None:
    tag("1", add=0)
    (claimed,) = claim_due(now=NOW, at_most=10)

    assert claimed.called_at == NOW
    assert run_due_operations(now=NOW + timedelta(seconds=29)) == {}
    assert run_due_operations(now=NOW + LEASE) == {"reclaimed": 1, "succeeded": 1}


def test_records_each_of_a_batch_although_a_listener_fails_for_one(
    brand: Corp, sandbox: SandboxServer, audience: dict[str, list[str]]
) -> None:
    userid, customers = next(iter(audience.items()))
    wishes = [
        Wish(one, {"userid": userid, "external_userid": one, "remark": "x"})
        for one in customers[:3]
    ]
    enqueue_operations(CHANGE_REMARK, corp=brand, wishes=wishes, now=NOW)
    heard = []

    def listen(operation: Operation, now: datetime) -> None:
        if operation.idempotency_key == customers[1]:
            raise RuntimeError("no room")
        heard.append(operation.idempotency_key)

    subscribe_outcome(CHANGE_REMARK, listen)

    counts = run_due_operations(now=NOW)

    assert counts == {"succeeded": 2, "unrecorded": 1}
    assert set(heard) == {customers[0], customers[2]}
    assert Operation.objects.filter(status="succeeded").count() == 2


def test_believes_a_late_answer_of_a_batch(tag: Ask) -> None:
    operation = tag("1", add=0)
    (slow,) = claim_due(now=NOW, at_most=10)
    assert run_due_operations(now=NOW + LEASE, limit=0) == {"reclaimed": 1}

    assert record_successes([(slow, {})], now=NOW + LEASE) == {"succeeded": 1}
    assert record_successes([(slow, {})], now=NOW + LEASE) == {"overtaken": 1}
    assert reread(operation).status == "succeeded"


def test_leaves_a_reminder_whose_answer_was_lost_to_a_person(
    ask: Ask, brand: Corp, sandbox: SandboxServer
) -> None:
    asked = ask()
    run_due_operations(now=NOW)
    payload = {"msgid": reread(asked).result["msgid"]}
    operation = enqueue_operation(
        REMIND_MASS_MESSAGE, corp=brand, key="r", payload=payload, now=NOW
    )
    sandbox.faults.lose_answer("externalcontact/remind_groupmsg_send")

    assert run_due_operations(now=NOW) == {"parked": 1}

    assert "retry only if it has not" in reread(operation).error
    assert len(sandbox.entries("message.reminded")) == 1


def test_counts_a_message_that_was_cancelled_already_as_cancelled(
    ask: Ask, brand: Corp, sandbox: SandboxServer
) -> None:
    asked = ask()
    run_due_operations(now=NOW)
    payload = {"msgid": reread(asked).result["msgid"]}
    for key in ("c1", "c2"):
        enqueue_operation(CANCEL_MASS_MESSAGE, corp=brand, key=key, payload=payload, now=NOW)

    assert run_due_operations(now=NOW) == {"succeeded": 2}


@pytest.fixture
def outcomes() -> list[tuple[str, str]]:
    heard: list[tuple[str, str]] = []

    def listen(operation: Operation, now: datetime) -> None:
        heard.append((operation.idempotency_key, operation.status))

    subscribe_outcome(ASK_MASS_MESSAGE, listen)
    return heard


def test_tells_listeners_how_it_ended(
    ask: Ask, sandbox: SandboxServer, outcomes: list[tuple[str, str]]
) -> None:
    ask("good", slice(0, 1))
    run_due_operations(now=NOW)
    ask("bad", slice(0, 1))
    sandbox.faults.fail(ASK_PATH, 40058)
    run_due_operations(now=NOW)
    cancel_operation(ask("unwanted", slice(0, 1)), actor=SYSTEM, now=NOW)
    ask("parked", slice(0, 1))
    sandbox.faults.fail(ASK_PATH, 48002)
    run_due_operations(now=NOW)

    assert outcomes == [("good", "succeeded"), ("bad", "failed"), ("unwanted", "cancelled")]


def test_asks_once_although_a_listener_fails_at_first(
    ask: Ask, sandbox: SandboxServer, outcomes: list[tuple[str, str]]
) -> None:
    operation = ask()
    problems = [RuntimeError("no room")]

    def fail_once(operation: Operation, now: datetime) -> None:
        if problems:
            raise problems.pop()

    subscribe_outcome(ASK_MASS_MESSAGE, fail_once)

    assert run_due_operations(now=NOW) == {"unrecorded": 1}
    assert reread(operation).status == "in_flight"
    assert run_due_operations(now=NOW + LEASE) == {"unknown": 1, "found": 1}

    assert reread(operation).status == "succeeded"
    assert asked_customers(sandbox) == len(operation.payload["external_userids"])


def test_cancels_only_what_waits(ask: Ask, sandbox: SandboxServer) -> None:
    operation = ask()
    cancel_operation(operation, actor=SYSTEM, now=NOW)

    assert run_due_operations(now=NOW) == {}
    for refuse in (cancel_operation, retry_operation):
        with pytest.raises(OperationNotWaiting):
            refuse(operation, actor=SYSTEM, now=NOW)
    assert AuditEntry.objects.get().action == "channels.operation_cancelled"
    assert ASK_PATH not in sandbox.calls()
