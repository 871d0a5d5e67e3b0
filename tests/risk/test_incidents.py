"""Incidents: raised once, judged once, with what was said around them."""

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from risk.actions.context import context_of
from risk.actions.incidents import (
    IncidentDecided,
    IncidentOpen,
    Occasion,
    decide_incident,
    decide_incidents,
    raise_incident,
    reopen_incident,
)
from risk.handlers import note_deletion
from risk.models import Incident
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels.events import ContactDeletedByStaff
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Scope, Staff
from tests.factories import (
    NOW,
    make_corp,
    make_customer,
    make_department,
    make_incident,
    make_message,
    make_staff,
)

HOUR = timedelta(hours=1)


def decide(incident: Incident, decision: str = "minor", note: str = "Seen") -> Incident:
    return decide_incident(incident, decision=decision, note=note, actor=SYSTEM, now=NOW)


# --- raising --------------------------------------------------------------------------------------
def test_the_same_occasion_is_one_incident(corp: Corp) -> None:
    occasion = Occasion(Incident.Kind.STOPPED_SEND, "campaign:1", "high", NOW, data={"campaign": 1})

    first = raise_incident(occasion, corp=corp, now=NOW)
    second = raise_incident(occasion, corp=corp, now=NOW + HOUR)

    assert first == second
    assert first.opened_at == NOW
    assert raise_incident(occasion, corp=make_corp(), now=NOW) != first


def test_a_deletion_by_staff_is_raised_once(corp: Corp, alice: Staff) -> None:
    event = ContactDeletedByStaff(NOW, userid="Alice", external_userid="wm1")
    for _ in range(2):
        note_deletion(event, corp, NOW + HOUR)

    incident = Incident.objects.get()
    assert (incident.kind, incident.severity, incident.status) == ("deletion", "medium", "open")
    assert (incident.staff, incident.external_userid) == (alice, "wm1")
    assert incident.happened_at == NOW


def test_a_second_deletion_is_another_occasion(corp: Corp, alice: Staff) -> None:
    for day in range(2):
        event = ContactDeletedByStaff(NOW + day * timedelta(days=1), "alice", "wm1")
        note_deletion(event, corp, NOW)

    assert Incident.objects.count() == 2


def test_a_handover_is_no_deletion(corp: Corp, alice: Staff) -> None:
    note_deletion(ContactDeletedByStaff(NOW, "alice", "wm1", by_transfer=True), corp, NOW)

    assert not Incident.objects.exists()


# --- deciding -------------------------------------------------------------------------------------
def test_is_decided_with_a_reason_that_is_kept(corp: Corp) -> None:
    incident = decide(make_incident(corp), note="  An honest mistake ")

    assert (incident.status, incident.decision) == ("decided", "minor")
    assert (incident.note, incident.decided_by) == ("An honest mistake", "system")
    entry = AuditEntry.objects.get(action="incidents.decided")
    assert entry.data == {"decision": "minor", "reason": "An honest mistake"}


@pytest.mark.parametrize(
    ("decision", "note", "path"),
    [("minor", "  ", "/note"), ("minor", "x" * 2001, "/note"), ("hang", "Seen", "/decision")],
)
def test_refuses_a_decision_without_reason_or_meaning(
    corp: Corp, decision: str, note: str, path: str
) -> None:
    incident = make_incident(corp)

    with pytest.raises(InvalidInput) as refusal:
        decide(incident, decision, note)

    assert refusal.value.errors[0].path == path
    incident.refresh_from_db()
    assert incident.is_open


def test_is_not_decided_twice(corp: Corp) -> None:
    incident = make_incident(corp)
    decide(incident)

    with pytest.raises(IncidentDecided):
        decide(incident, "serious")

    incident.refresh_from_db()
    assert incident.decision == "minor"
    assert AuditEntry.objects.filter(action="incidents.decided").count() == 1


def test_is_opened_again_with_a_reason(corp: Corp) -> None:
    incident = decide(make_incident(corp))

    again = reopen_incident(incident, note="New facts", actor=SYSTEM, now=NOW + HOUR)

    assert (again.status, again.decision, again.note) == ("open", "", "")
    assert again.opened_at == NOW + HOUR
    entry = AuditEntry.objects.get(action="incidents.reopened")
    assert entry.data == {"was": "minor", "reason": "New facts"}
    with pytest.raises(IncidentOpen):
        reopen_incident(again, note="Once more", actor=SYSTEM, now=NOW)


def test_what_was_only_recorded_can_be_opened_or_decided(corp: Corp) -> None:
    first = make_incident(corp, status="recorded", severity="low")
    second = make_incident(corp, status="recorded", severity="low")

    assert reopen_incident(first, note="Look at it", actor=SYSTEM, now=NOW).is_open
    assert decide(second).status == "decided"


def test_many_are_decided_alike_and_what_was_decided_stays(corp: Corp) -> None:
    done = decide(make_incident(corp), "serious")
    rows = [make_incident(corp), done, make_incident(corp)]

    assert (
        decide_incidents(rows, decision="false_alarm", note="The same", actor=SYSTEM, now=NOW) == 2
    )
    done.refresh_from_db()
    assert done.decision == "serious"


# --- the queue ------------------------------------------------------------------------------------
def test_what_has_used_most_of_its_time_comes_first(corp: Corp) -> None:
    fresh = make_incident(corp, severity="high", opened_at=NOW - HOUR)
    old = make_incident(corp, severity="medium", opened_at=NOW - 23 * HOUR)
    late = make_incident(corp, severity="high", opened_at=NOW - 5 * HOUR)
    done = make_incident(corp, severity="high", opened_at=NOW - 90 * HOUR, status="decided")

    assert list(Incident.objects.by_urgency(NOW)) == [late, old, fresh, done]
    assert list(Incident.objects.overdue(NOW)) == [late]


def test_a_department_lead_sees_what_concerns_her_people(corp: Corp) -> None:
    east, west = make_department(corp), make_department(corp)
    near = make_incident(corp, staff=make_staff(corp, departments=[east]))
    make_incident(corp, staff=make_staff(corp, departments=[west]))
    make_incident(corp)

    scope = Scope(department_ids=frozenset([east.pk]))
    assert list(Incident.objects.in_scope(scope)) == [near]
    assert Incident.objects.in_scope(Scope(corp_ids=frozenset([corp.pk]))).count() == 3


def test_a_customer_s_incidents_are_those_of_her_corp(corp: Corp) -> None:
    mine = make_incident(corp, external_userid="wm1")
    make_incident(make_corp(), external_userid="wm1")
    make_incident(corp, external_userid="")

    assert list(Incident.objects.of_customer(corp, "wm1")) == [mine]
    assert not Incident.objects.of_customer(corp, "").exists()


# --- context --------------------------------------------------------------------------------------
def test_ten_messages_before_and_after_are_shown(corp: Corp) -> None:
    messages = [make_message(corp, text=f"{number}") for number in range(40)]
    make_message(corp, conversation="anna|wm2", text="Elsewhere", sent_at=messages[20].sent_at)
    incident = make_incident(corp, message=messages[20])

    lines = context_of(incident)

    assert [line.message.text for line in lines] == [f"{number}" for number in range(10, 31)]
    assert [line.message.text for line in lines if line.is_subject] == ["20"]


def test_messages_of_the_same_moment_are_told_apart(corp: Corp) -> None:
    messages = [make_message(corp, sent_at=NOW) for _ in range(5)]

    lines = context_of(make_incident(corp, message=messages[2]), around=1)

    assert [line.message for line in lines] == messages[1:4]


def test_another_corps_conversation_is_no_context(corp: Corp) -> None:
    make_message(make_corp(), text="Elsewhere")
    incident = make_incident(corp, message=make_message(corp))

    assert len(context_of(incident)) == 1
    assert context_of(make_incident(corp)) == []


def test_who_spoke_is_named(
    corp: Corp, alice: Staff, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_customer(corp, external_userid="wm1", name="Mrs Li")
    make_message(corp, sender="ALICE")
    make_message(corp, sender="wm1", is_from_staff=False)
    make_message(corp, sender="wm9", is_from_staff=False)
    incident = make_incident(corp, message=make_message(corp, sender="alice"))

    with django_assert_num_queries(4):
        lines = context_of(incident)

    assert [line.speaker for line in lines] == ["Alice", "Mrs Li", "wm9", "Alice"]
