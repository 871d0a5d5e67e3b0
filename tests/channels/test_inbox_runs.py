"""Taking events: what it costs, what a crash leaves, and that nobody takes a subject from another."""

from datetime import datetime, timedelta
from itertools import chain
from threading import Event, Thread

import pytest
from django.db import connection, transaction
from pytest_django import DjangoAssertNumQueries

from scrm.audit.actions.recording import SYSTEM
from scrm.channels import events
from scrm.channels.actions.inbox import handle_due_events, replay_event
from scrm.channels.actions.inbox_runs import TakenEvent, end_event, give_back, take_runs
from scrm.channels.events import ChannelEvent, ContactEdited, subscribe
from scrm.channels.models import InboundEvent
from scrm.tenancy.models import Corp
from tests.channels.conftest import contact_xml, event_xml
from tests.channels.test_inbox import members_xml, store
from tests.factories import NOW, make_corp, make_group_chat, make_staff

LEASED = NOW + timedelta(seconds=61)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was told of, by the only listener there is."""
    heard: list[str] = []
    monkeypatch.setattr(events, "_handlers", {})
    subscribe(ContactEdited, lambda event, corp, now: heard.append(event.external_userid))
    return heard


def edited(corp: Corp, customer: str, number: int = 0) -> InboundEvent:
    moment = str(1700000000 + number)
    return store(corp, contact_xml("edit_external_contact", customer, CreateTime=moment))


def take(now: datetime = NOW, at_most: int = 100) -> list[list[int]]:
    return [[event.pk for event in run] for run in take_runs(now=now, at_most=at_most)]


def attempts_of(*rows: InboundEvent) -> list[int]:
    by_pk = dict(InboundEvent.objects.values_list("pk", "attempts"))
    return [by_pk[row.pk] for row in rows]


def test_takes_the_subjects_in_their_order_at_once(corp: Corp, heard: list[str]) -> None:
    first = [edited(corp, "wm1", number).pk for number in range(3)]
    second = [edited(corp, "wm2", number).pk for number in range(2)]

    assert take() == [first, second]
    assert take() == []


def test_takes_no_more_than_it_is_asked_for(corp: Corp, heard: list[str]) -> None:
    first = [edited(corp, "wm1", number).pk for number in range(3)]
    edited(corp, "wm2")

    assert take(at_most=2) == [first[:2]]


def test_takes_events_without_a_subject_each_by_itself(corp: Corp, heard: list[str]) -> None:
    subscribe(events.ArchiveGrew, lambda event, corp, now: None)
    rows = [store(corp, event_xml("msgaudit_notify", CreateTime=str(n))).pk for n in (1, 2)]

    assert take() == [[rows[0]], [rows[1]]]


def test_leaves_what_waits_behind_an_event_that_backs_off(corp: Corp, heard: list[str]) -> None:
    rows = [edited(corp, "wm1", number) for number in range(3)]
    InboundEvent.objects.filter(pk=rows[1].pk).update(next_attempt_at=LEASED)

    assert take() == [[rows[0].pk]]
    assert take() == []


def test_gives_back_what_a_run_did_not_come_to_uncounted(corp: Corp, heard: list[str]) -> None:
    def fail(event: ChannelEvent, corp: Corp, now: datetime) -> None:
        raise RuntimeError("no")

    subscribe(ContactEdited, fail)
    rows = [edited(corp, "wm1", number) for number in range(3)]

    assert handle_due_events(now=NOW) == {"retried": 1}

    assert attempts_of(*rows) == [1, 0, 0]


def test_an_event_that_kills_its_worker_costs_others_one_attempt_at_most(
    corp: Corp, heard: list[str]
) -> None:
    killer, *others = [edited(corp, f"wm{number}") for number in range(4)]
    behind = edited(corp, "wm3", 1)

    def work_until_it_dies(now: datetime) -> None:
        while runs := take_runs(now=now, at_most=100):
            for event in chain.from_iterable(runs):
                if event.pk == killer.pk:
                    return
                assert end_event(event, "handled", now=now)

    for number in range(6):
        for _worker in range(2):
            work_until_it_dies(NOW + number * timedelta(seconds=61))

    assert attempts_of(killer, *others, behind) == [6, 2, 2, 2, 2]
    assert set(InboundEvent.objects.exclude(pk=killer.pk).values_list("status")) == {("handled",)}
    assert handle_due_events(now=NOW + timedelta(hours=1)) == {"failed": 1}
    killer.refresh_from_db()
    assert killer.error == "Its worker died each time it was handled."
    assert heard == []


def test_nothing_is_lost_wherever_a_worker_dies(corp: Corp, heard: list[str]) -> None:
    rows = [edited(corp, "wm1", number) for number in range(3)]
    (run,) = take_runs(now=NOW, at_most=100)
    assert end_event(run[0], "handled", now=NOW)

    assert handle_due_events(now=NOW) == {}
    assert handle_due_events(now=LEASED) == {"handled": 2}

    assert attempts_of(*rows) == [1, 2, 2]
    assert heard == ["wm1", "wm1"]


def test_ends_no_event_that_another_worker_has_taken_since(corp: Corp, heard: list[str]) -> None:
    edited(corp, "wm1")
    ((ours,),) = take_runs(now=NOW, at_most=100)
    ((theirs,),) = take_runs(now=LEASED, at_most=100)

    assert not end_event(ours, "handled", now=LEASED)
    give_back([ours], now=LEASED)
    assert end_event(theirs, "handled", now=LEASED)


def test_a_run_lets_an_earlier_event_pass_that_was_put_back(corp: Corp, heard: list[str]) -> None:
    dead, *rows = [edited(corp, "wm1", number) for number in range(3)]
    InboundEvent.objects.filter(pk=dead.pk).update(status="failed", attempts=6)

    def put_back(event: ChannelEvent, corp: Corp, now: datetime) -> None:
        if len(heard) == 1:
            replay_event(dead, actor=SYSTEM, now=NOW)

    subscribe(ContactEdited, put_back)

    assert handle_due_events(now=NOW) == {"handled": 3, "overtaken": 1}

    dead.refresh_from_db()
    rows[1].refresh_from_db()
    assert dead.handled_at
    assert rows[1].handled_at
    assert attempts_of(dead, *rows) == [1, 1, 1]


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_a_slow_worker_keeps_its_subject_beyond_its_lease(heard: list[str]) -> None:
    corp, begun, go_on = make_corp(), Event(), Event()
    rows = [edited(corp, "wm1", number) for number in range(3)]

    def dawdle(event: ChannelEvent, corp: Corp, now: datetime) -> None:
        begun.set()
        assert go_on.wait(30)

    subscribe(ContactEdited, dawdle)
    outcomes: list[dict[str, int]] = []

    def work() -> None:
        outcomes.append(handle_due_events(now=NOW))
        connection.close()

    slow = Thread(target=work)
    slow.start()
    assert begun.wait(30)
    assert take(LEASED) == []
    go_on.set()
    slow.join()

    assert outcomes == [{"handled": 3}]
    assert attempts_of(*rows) == [1, 1, 1]


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_a_locked_head_keeps_its_followers_from_others(heard: list[str]) -> None:
    corp = make_corp()
    rows = [edited(corp, "wm1", number) for number in range(2)]
    other = edited(corp, "wm2")
    taken: list[list[int]] = []

    def take_too() -> None:
        taken.extend(take())
        connection.close()

    with transaction.atomic():
        InboundEvent.objects.select_for_update().get(pk=rows[0].pk)
        second = Thread(target=take_too)
        second.start()
        second.join(30)

    assert taken == [[other.pk]]


# Statements: one takes them all, one reads their corps, one finds nothing left. An event has its
# transaction (a savepoint within the test's: two statements), its end, and what its handlers do.
TICK, EVENT = 3, 3


@pytest.mark.parametrize("count", [1, 5, 20])
def test_an_event_costs_one_statement_and_its_transaction(
    corp: Corp, heard: list[str], django_assert_num_queries: DjangoAssertNumQueries, count: int
) -> None:
    for number in range(count):
        edited(corp, f"wm{number % 3}", number)

    with django_assert_num_queries(TICK + EVENT * count):
        assert handle_due_events(now=NOW) == {"handled": count}


@pytest.mark.parametrize("detail", ["add_member", "del_member"])
def test_a_member_of_a_chat_costs_few_statements(
    corp: Corp, django_assert_max_num_queries: DjangoAssertNumQueries, detail: str
) -> None:
    make_group_chat(corp, chat_id="wr1", member_version="v1")
    store(corp, members_xml(detail))

    # Its handlers lock the chat, note the moves, apply them, and wish to know who entered.
    with django_assert_max_num_queries(TICK + EVENT + 4):
        assert handle_due_events(now=NOW) == {"handled": 1}


def test_a_new_customer_costs_few_statements(
    corp: Corp, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_staff(corp, userid="alice")
    store(corp, contact_xml("add_external_contact", "wm9", State="shop"))

    # One of them asks whether anything waits for her: an order, an event, a tag.
    with django_assert_max_num_queries(TICK + EVENT + 15):
        assert handle_due_events(now=NOW) == {"handled": 1}


def test_what_was_taken_tells_what_the_handlers_need(corp: Corp, heard: list[str]) -> None:
    row = edited(corp, "wm1")

    ((event,),) = take_runs(now=NOW, at_most=1)

    assert event == TakenEvent(1, row.pk, corp.pk, "customer:wm1", 1, row.body, row.received_at)
