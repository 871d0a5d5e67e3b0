"""The inbox, the outbox and long work: looked at, and put right with a button."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from scrm.audit.models import AuditEntry
from scrm.channels.models import InboundEvent, Operation
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from tests.admin.conftest import Enter, speak
from tests.admin.rows import MARK, make_event, make_operation
from tests.admin.test_scope import page
from tests.factories import NOW, make_corp

CONFIRMED = {"_form_submitted": "True"}


REPLAYS = ["replay", "replay_alike"]


def address_of(row: Operation | InboundEvent, button: str) -> str:
    return f"{page(type(row), 'changelist')}{row.pk}/{button}/"


def press(client: Client, row: Operation | InboundEvent, button: str) -> None:
    address = address_of(row, button)
    assert client.get(address).status_code == 200
    assert client.post(address, CONFIRMED).status_code == 302
    row.refresh_from_db()


def test_a_failed_event_is_handled_again(lin: Client, corp: Corp) -> None:
    event = make_event(corp)

    press(lin, event, "replay")

    assert event.status == InboundEvent.Status.RECEIVED
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.corp) == ("channels.event_replayed", corp)
    assert (entry.actor_name, entry.subject_id) == ("lin", str(event.pk))


def test_the_dead_letters_of_a_kind_are_handled_again_together(lin: Client, corp: Corp) -> None:
    dead = [make_event(corp, number, event="click") for number in (1, 2)]
    other_kind = make_event(corp, 3, event="view")
    handled = make_event(corp, 4, event="click", status="handled")
    elsewhere = make_event(make_corp(), 5, event="click")

    press(lin, dead[0], "replay_alike")

    statuses = dict(InboundEvent.objects.values_list("pk", "status"))
    assert [statuses[event.pk] for event in dead] == ["received", "received"]
    left = [statuses[event.pk] for event in (other_kind, handled, elsewhere)]
    assert left == ["failed", "handled", "failed"]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.corp) == ("channels.events_replayed", corp)
    assert (entry.actor_name, entry.data["count"]) == ("lin", 2)


@pytest.mark.parametrize("button", REPLAYS)
def test_without_the_permission_no_event_is_handled_again(
    enter: Enter, corp: Corp, button: str
) -> None:
    event = make_event(corp)
    reader = enter("rita", corp=corp)
    rita = User.objects.get(username="rita")
    rita.user_permissions.set(Permission.objects.filter(codename="view_inboundevent"))

    assert reader.get(page(InboundEvent, "change", event.pk)).status_code == 200
    assert reader.post(address_of(event, button), CONFIRMED).status_code == 403
    chosen = {"action": "replay_all", "_selected_action": [event.pk]}
    reader.post(page(InboundEvent, "changelist"), chosen)

    event.refresh_from_db()
    assert event.status == "failed"
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("button", REPLAYS)
def test_another_corps_event_cannot_be_handled_again(
    mallory: Client, corp: Corp, button: str
) -> None:
    event = make_event(corp)

    # The dialog asks without looking; it names nothing of the row.
    assert MARK not in mallory.get(address_of(event, button)).content.decode()
    assert mallory.post(address_of(event, button), CONFIRMED).status_code == 404
    chosen = {"action": "replay_all", "_selected_action": [event.pk]}
    mallory.post(page(InboundEvent, "changelist"), chosen)

    event.refresh_from_db()
    assert event.status == "failed"
    assert not AuditEntry.objects.exists()


def test_a_parked_operation_is_asked_again(lin: Client, corp: Corp) -> None:
    operation = make_operation(corp)

    press(lin, operation, "retry")

    assert operation.status == Operation.Status.PENDING


def test_a_parked_operation_is_cancelled(lin: Client, corp: Corp) -> None:
    operation = make_operation(corp, kind="mark_nothing")

    press(lin, operation, "cancel")

    assert operation.status == Operation.Status.CANCELLED


def test_looking_at_a_dialog_changes_nothing(lin: Client, corp: Corp) -> None:
    operation = make_operation(corp)

    lin.get(f"{page(Operation, 'changelist')}{operation.pk}/retry/")

    operation.refresh_from_db()
    assert operation.status == Operation.Status.PARKED


def test_an_accepted_operation_offers_no_button(lin: Client, corp: Corp) -> None:
    operation = make_operation(corp, status="succeeded")

    answer = lin.get(page(Operation, "change", operation.pk))

    assert answer.context["actions_detail"] == []


def test_what_cannot_be_retried_is_told_and_the_rest_is_done(lin: Client, corp: Corp) -> None:
    parked, accepted = make_operation(corp, 1), make_operation(corp, 2, status="succeeded")
    chosen = {"action": "retry_all", "_selected_action": [parked.pk, accepted.pk]}

    answer = speak(lin, "en").post(page(Operation, "changelist"), chosen, follow=True)

    parked.refresh_from_db()
    assert parked.status == Operation.Status.PENDING
    told = [str(message) for message in answer.context["messages"]]
    assert "1 operation will be asked again." in told
    assert len(told) == 2


def test_all_failed_events_are_handled_again(lin: Client, corp: Corp) -> None:
    events = [make_event(corp, number) for number in (1, 2, 3)]
    chosen = {"action": "replay_all", "_selected_action": [event.pk for event in events]}

    lin.post(page(InboundEvent, "changelist"), chosen)

    assert InboundEvent.objects.filter(status="received").count() == 3


@pytest.mark.parametrize("status", ["failed", "handled"])
def test_a_list_is_filtered_by_status(lin: Client, corp: Corp, status: str) -> None:
    make_event(corp, 1, status="failed")
    make_event(corp, 2, status="handled")

    answer = lin.get(page(InboundEvent, "changelist"), {"status": status})

    assert [event.status for event in answer.context["cl"].result_list] == [status]


def test_thousands_of_ids_are_told_by_their_number(lin: Client, corp: Corp) -> None:
    ids = [f"wm{number:04d}" for number in range(3000)]
    operation = make_operation(corp, payload={"sender": "alice", "external_userids": ids})

    text = lin.get(page(Operation, "change", operation.pk)).content.decode()

    assert "3,000" in text
    assert "wm0001" not in text


def test_a_job_shows_how_far_it_is_and_what_went_wrong(lin: Client, corp: Corp) -> None:
    job = Job.objects.create(
        corp=corp,
        kind="sync",
        created_at=NOW,
        due_at=NOW,
        status="partial",
        done=5000,
        total=10_000,
        errors=[{"message": "The chat wr1 could not be read."}],
    )

    text = lin.get(page(Job, "change", job.pk)).content.decode()

    assert "5,000 / 10,000" in text
    assert "The chat wr1 could not be read." in text
