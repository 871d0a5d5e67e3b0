from datetime import datetime, timedelta
from threading import Thread

import pytest
from django.db import connection

from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels import events
from scrm.channels.actions.inbox import handle_due_events, replay_event, store_event
from scrm.channels.events import (
    ArchiveGrew,
    ArchivingAgreed,
    ChannelEvent,
    ContactAdded,
    ContactDeletedByCustomer,
    ContactDeletedByStaff,
    ContactEdited,
    DirectoryChanged,
    GroupChatChanged,
    GroupChatDismissed,
    GroupMembersChanged,
    StaffDeleted,
    TagsChanged,
    TransferFailed,
    subscribe,
)
from scrm.channels.models import InboundEvent
from scrm.channels.wecom.events import read_event
from scrm.channels.wecom.receivers import read_receiver
from scrm.tenancy.models import Corp
from tests.channels.conftest import contact_xml, event_xml
from tests.factories import NOW, make_corp

KINDS = [ContactAdded, ContactEdited, ContactDeletedByStaff, ContactDeletedByCustomer]


class Listener:
    """Notes what it hears, and fails for the customers it is told to fail for."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.moments: dict[str, list[datetime]] = {}
        self.poison: set[str] = set()

    def __call__(self, event: ChannelEvent, corp: Corp, now: datetime) -> None:
        customer = getattr(event, "external_userid", "")
        if customer in self.poison:
            raise RuntimeError(f"cannot stand {customer}")
        self.heard.append((type(event).__name__, customer))
        self.moments.setdefault(customer, []).append(event.happened_at)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    """The only listener there is."""
    monkeypatch.setattr(events, "_handlers", {})
    listener = Listener()
    for kind in KINDS:
        subscribe(kind, listener)
    return listener


def store(corp: Corp, inner: str, *, now: datetime = NOW) -> InboundEvent:
    receiver = read_receiver(corp.corp_id)
    assert receiver
    assert store_event(inner.encode(), receiver=receiver, now=now)
    return InboundEvent.objects.latest("id")


def status_of(event: InboundEvent) -> str:
    event.refresh_from_db()
    return event.status


def test_gives_events_to_their_listeners(corp: Corp, listener: Listener) -> None:
    event = store(corp, contact_xml("add_external_contact"))

    assert handle_due_events(now=NOW) == {"handled": 1}

    assert listener.heard == [("ContactAdded", "wm1")]
    assert status_of(event) == "handled"
    assert event.handled_at
    assert handle_due_events(now=NOW) == {}


def test_handles_a_known_event_that_nobody_listens_to(corp: Corp, listener: Listener) -> None:
    event = store(corp, event_xml("change_external_tag", "create", Id="et1", TagType="tag"))

    handle_due_events(now=NOW)

    assert status_of(event) == "handled"


def test_handles_the_events_of_a_customer_in_their_order(corp: Corp, listener: Listener) -> None:
    changes = ["add_external_contact", *["edit_external_contact"] * 30, "del_follow_user"]
    for number, change in enumerate(changes):
        store(corp, contact_xml(change, CreateTime=str(1700000000 + number)))
        store(corp, contact_xml(change, "wm2", CreateTime=str(1700000000 + number)))

    assert handle_due_events(now=NOW) == {"handled": 64}

    for customer in ("wm1", "wm2"):
        names = [name for name, whose in listener.heard if whose == customer]
        assert names == ["ContactAdded", *["ContactEdited"] * 30, "ContactDeletedByCustomer"]


def test_backs_off_from_a_failing_event_and_holds_back_only_its_customer(
    corp: Corp, listener: Listener
) -> None:
    listener.poison = {"wm1"}
    bad = store(corp, contact_xml("add_external_contact"))
    behind = store(corp, contact_xml("del_follow_user"))
    store(corp, contact_xml("add_external_contact", "wm2"))

    assert handle_due_events(now=NOW) == {"retried": 1, "handled": 1}

    assert listener.heard == [("ContactAdded", "wm2")]
    assert (status_of(bad), status_of(behind)) == ("received", "received")
    assert bad.error == "RuntimeError: cannot stand wm1"
    assert bad.next_attempt_at > NOW + timedelta(seconds=3)
    assert handle_due_events(now=NOW) == {}


def test_handles_an_event_that_failed_once(corp: Corp, listener: Listener) -> None:
    listener.poison = {"wm1"}
    event = store(corp, contact_xml("add_external_contact"))
    store(corp, contact_xml("del_follow_user"))
    handle_due_events(now=NOW)
    listener.poison = set()

    handle_due_events(now=NOW + timedelta(minutes=1))

    assert [name for name, _ in listener.heard] == ["ContactAdded", "ContactDeletedByCustomer"]
    assert status_of(event) == "handled"
    assert event.error == ""


def test_gives_up_after_some_attempts_and_lets_later_events_pass(
    corp: Corp, listener: Listener
) -> None:
    listener.poison = {"wm1"}
    event = store(corp, contact_xml("add_external_contact"))
    later = store(corp, contact_xml("del_follow_user"))

    moments = [NOW + timedelta(hours=number) for number in range(6)]
    outcomes = [handle_due_events(now=moment) for moment in moments]

    assert outcomes[:5] == [{"retried": 1}] * 5
    assert outcomes[5] == {"failed": 1, "retried": 1}
    assert (status_of(event), status_of(later)) == ("failed", "received")


def test_gives_up_an_event_that_kills_its_workers(corp: Corp, listener: Listener) -> None:
    event = store(corp, contact_xml("add_external_contact"))
    InboundEvent.objects.update(attempts=6)

    handle_due_events(now=NOW)

    assert status_of(event) == "failed"
    assert listener.heard == []


def test_leaves_nothing_half_done(corp: Corp, listener: Listener) -> None:
    def write(event: ChannelEvent, corp: Corp, now: datetime) -> None:
        make_corp(corp_id="ww-half-done")

    subscribe(ContactAdded, write)
    subscribe(ContactAdded, lambda event, corp, now: 1 / 0)  # type: ignore[arg-type]
    store(corp, contact_xml("add_external_contact"))

    assert handle_due_events(now=NOW) == {"retried": 1}

    assert not Corp.objects.filter(corp_id="ww-half-done").exists()


def test_replays_an_event_for_a_person(corp: Corp, listener: Listener) -> None:
    listener.poison = {"wm1"}
    event = store(corp, contact_xml("add_external_contact"))
    for hours in range(6):
        handle_due_events(now=NOW + timedelta(hours=hours))
    assert status_of(event) == "failed"
    listener.poison = set()

    replay_event(event, actor=SYSTEM, now=NOW)
    handle_due_events(now=NOW)

    assert status_of(event) == "handled"
    assert listener.heard == [("ContactAdded", "wm1")]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject_id) == ("channels.event_replayed", str(event.pk))


@pytest.mark.django_db(transaction=True)
def test_lets_two_workers_handle_each_event_once_and_in_order(listener: Listener) -> None:
    corp = make_corp()
    for number in range(60):
        for customer in ("wm1", "wm2", "wm3"):
            moment = str(1700000000 + number)
            store(corp, contact_xml("edit_external_contact", customer, CreateTime=moment))

    def work() -> None:
        handle_due_events(now=NOW)
        connection.close()

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    handle_due_events(now=NOW + timedelta(minutes=2))

    assert {len(moments) for moments in listener.moments.values()} == {60}
    for moments in listener.moments.values():
        assert moments == sorted(moments)
    assert set(InboundEvent.objects.values_list("status", flat=True)) == {"handled"}


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (
            contact_xml("add_external_contact", State="ch", WelcomeCode="W"),
            ContactAdded(NOW, "alice", "wm1", "ch", "W"),
        ),
        (
            contact_xml("add_half_external_contact"),
            ContactAdded(NOW, "alice", "wm1", is_half=True),
        ),
        (contact_xml("edit_external_contact"), ContactEdited(NOW, "alice", "wm1")),
        (contact_xml("del_external_contact"), ContactDeletedByStaff(NOW, "alice", "wm1")),
        (
            contact_xml("del_external_contact", Source="DELETE_BY_TRANSFER"),
            ContactDeletedByStaff(NOW, "alice", "wm1", by_transfer=True),
        ),
        (contact_xml("del_follow_user"), ContactDeletedByCustomer(NOW, "alice", "wm1")),
        (event_xml("change_external_chat", "create", ChatId="wr1"), GroupChatChanged(NOW, "wr1")),
        (event_xml("change_external_chat", "update", ChatId="wr1"), GroupChatChanged(NOW, "wr1")),
        (
            event_xml("change_external_chat", "dismiss", ChatId="wr1"),
            GroupChatDismissed(NOW, "wr1"),
        ),
        (event_xml("change_external_tag", "shuffle", Id=""), TagsChanged(NOW)),
        (event_xml("change_contact", "create_user", UserID="bob"), DirectoryChanged(NOW)),
        (event_xml("change_contact", "update_party", Id="2"), DirectoryChanged(NOW)),
        (event_xml("change_contact", "delete_user", UserID="bob"), StaffDeleted(NOW, "bob")),
        (
            contact_xml("transfer_fail", FailReason="customer_refused"),
            TransferFailed(NOW, "alice", "wm1", "customer_refused"),
        ),
        (
            contact_xml("msg_audit_approved", WelcomeCode="W"),
            ArchivingAgreed(NOW, "alice", "wm1", "W"),
        ),
        (event_xml("msgaudit_notify"), ArchiveGrew(NOW)),
        (event_xml("change_external_contact", "change_of_the_future"), None),
    ],
)
def test_reads_events_as_what_they_mean(inner: str, expected: ChannelEvent | None) -> None:
    at_now = inner.replace("1700000000", str(int(NOW.timestamp())))

    assert read_event(at_now.encode(), received_at=NOW).typed == expected


MEMBERS = "<MemChangeList><Item>wm1</Item><Item>bob</Item></MemChangeList>"
VERSIONS = {"LastMemVer": "v1", "CurMemVer": "v2"}


def members_xml(detail: str, members: str = MEMBERS, **elements: str) -> str:
    elements = {"UpdateDetail": detail, "MemChangeCnt": "2", **VERSIONS, **elements}
    inner = event_xml("change_external_chat", "update", ChatId="wr1", **elements)
    return inner.replace("</xml>", f"{members}</xml>")


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (
            members_xml("add_member", JoinScene="3"),
            GroupMembersChanged(NOW, "wr1", ("wm1", "bob"), (), "v1", "v2", join_scene=3),
        ),
        (
            members_xml("del_member", QuitScene="1"),
            GroupMembersChanged(NOW, "wr1", (), ("wm1", "bob"), "v1", "v2", was_removed=True),
        ),
        (
            members_xml(
                "add_member", "<MemChangeList><Item>wm1</Item></MemChangeList>", MemChangeCnt="1"
            ),
            GroupMembersChanged(NOW, "wr1", ("wm1",), (), "v1", "v2"),
        ),
        # What cannot be applied as it stands is read again.
        (members_xml("add_member", MemChangeCnt="3"), GroupChatChanged(NOW, "wr1")),
        (members_xml("add_member", LastMemVer=""), GroupChatChanged(NOW, "wr1")),
        (members_xml("add_member", "<MemChangeList/>"), GroupChatChanged(NOW, "wr1")),
        (members_xml("change_owner"), GroupChatChanged(NOW, "wr1")),
    ],
)
def test_reads_members_with_the_versions_of_their_list(inner: str, expected: ChannelEvent) -> None:
    at_now = inner.replace("1700000000", str(int(NOW.timestamp())))

    assert read_event(at_now.encode(), received_at=NOW).typed == expected


@pytest.mark.parametrize(
    ("inner", "subject"),
    [
        (contact_xml("edit_external_contact", "wm9"), "customer:wm9"),
        (event_xml("change_external_chat", "update", ChatId="wr1"), "chat:wr1"),
        (event_xml("change_external_tag", "create"), "tags"),
        (event_xml("change_contact", "create_user"), "staff"),
        (event_xml("msgaudit_notify"), ""),
    ],
)
def test_orders_events_by_what_they_are_about(inner: str, subject: str) -> None:
    assert read_event(inner.encode(), received_at=NOW).order_key == subject


@pytest.mark.parametrize("created", ["", "x", "0", "-5", "99999999999999999999"])
def test_takes_the_time_of_arrival_for_a_missing_time(created: str) -> None:
    inner = contact_xml("edit_external_contact", CreateTime=created)

    assert read_event(inner.encode(), received_at=NOW).happened_at == NOW
