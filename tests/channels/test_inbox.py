from datetime import datetime, timedelta
from threading import Thread

import pytest
from django.db import connection

from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.channels import events
from scrm.channels.actions.inbox import (
    EventNotDone,
    handle_due_events,
    replay_event,
    replay_events_like,
    store_event,
)
from scrm.channels.events import (
    AcquisitionBalanceChanged,
    AcquisitionChatStarted,
    AcquisitionFriendRequested,
    AcquisitionLinkDeleted,
    AcquisitionLinkUnavailable,
    AcquisitionMessageReceived,
    AcquisitionProfileOpened,
    AcquisitionQuotaExpiring,
    AppUsed,
    ArchiveGrew,
    ArchivingAgreed,
    CardAnswered,
    ChannelEvent,
    ContactAdded,
    ContactDeletedByCustomer,
    ContactDeletedByStaff,
    ContactEdited,
    DepartmentChanged,
    DirectoryChanged,
    DirectoryJobFinished,
    GroupChatChanged,
    GroupChatDismissed,
    GroupMembersChanged,
    MediaUploadFinished,
    ServiceAccountsChanged,
    ServiceMessagesArrived,
    StaffChanged,
    StaffCreated,
    StaffDeleted,
    StaffTagChanged,
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

CARD = (
    "<TaskId>t1</TaskId><EventKey>yes</EventKey><CardType>vote</CardType>"
    "<ResponseCode>code</ResponseCode><SelectedItems><SelectedItem>"
    "<QuestionKey>q1</QuestionKey><OptionIds><OptionId>a</OptionId><OptionId>b</OptionId></OptionIds>"
    "</SelectedItem></SelectedItems>"
)


def with_inner(event: str, inner: str) -> str:
    return event_xml(event).replace("</xml>", f"{inner}</xml>")


def link_xml(change: str, **elements: str) -> str:
    return event_xml("customer_acquisition", change, LinkId="ca1", **elements)


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


def test_ignores_a_known_event_that_nobody_listens_to(corp: Corp, listener: Listener) -> None:
    event = store(corp, event_xml("change_external_tag", "create", Id="et1", TagType="tag"))

    assert handle_due_events(now=NOW) == {}

    assert status_of(event) == "ignored"
    assert event.error == "Nothing is done about this kind of event yet."


def test_ignores_an_event_whose_listener_is_gone(
    corp: Corp, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = store(corp, contact_xml("add_external_contact"))
    monkeypatch.setattr(events, "_handlers", {})

    assert handle_due_events(now=NOW) == {"ignored": 1}

    assert status_of(event) == "ignored"
    assert event.error


def test_gives_events_to_the_listeners_of_wider_types_too(corp: Corp, listener: Listener) -> None:
    subscribe(DirectoryChanged, listener)
    subscribe(StaffChanged, listener)
    store(corp, event_xml("change_contact", "update_user", UserID="bob"))

    assert handle_due_events(now=NOW) == {"handled": 1}

    assert listener.heard == [("StaffChanged", "")]


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
    assert event.error == "RuntimeError: cannot stand wm1"


def test_never_holds_back_another_customer_or_chat(corp: Corp, listener: Listener) -> None:
    listener.poison = {"wm1"}
    subscribe(GroupChatChanged, listener)
    store(corp, contact_xml("add_external_contact"))
    others = [
        store(corp, contact_xml("add_external_contact", "wm2")),
        store(corp, event_xml("change_external_chat", "create", ChatId="wr1")),
    ]

    for hours in range(6):
        handle_due_events(now=NOW + timedelta(hours=hours))
        assert {status_of(each) for each in others} == {"handled"}


def test_lets_later_events_pass_before_the_dead_one_is_replayed(
    corp: Corp, listener: Listener
) -> None:
    listener.poison = {"wm1"}
    dead = store(corp, contact_xml("add_external_contact"))
    for hours in range(6):
        handle_due_events(now=NOW + timedelta(hours=hours))
    listener.poison = set()
    store(corp, contact_xml("del_follow_user"))

    handle_due_events(now=NOW)
    assert [name for name, _ in listener.heard] == ["ContactDeletedByCustomer"]
    replay_event(dead, actor=SYSTEM, now=NOW)
    handle_due_events(now=NOW)

    assert [name for name, _ in listener.heard] == ["ContactDeletedByCustomer", "ContactAdded"]


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


def test_replays_all_dead_letters_of_a_kind(corp: Corp, listener: Listener) -> None:
    listener.poison = {"wm1", "wm2", "wm3"}
    dead = [store(corp, contact_xml("add_external_contact", f"wm{n}")) for n in (1, 2)]
    other_kind = store(corp, contact_xml("edit_external_contact", "wm3"))
    other_corp = store(make_corp(), contact_xml("add_external_contact", "wm1"))
    for hours in range(6):
        handle_due_events(now=NOW + timedelta(hours=hours))
    listener.poison = set()
    assert {status_of(each) for each in dead} == {"failed"}

    assert replay_events_like(dead[0], actor=SYSTEM, now=NOW) == 2
    assert handle_due_events(now=NOW) == {"handled": 2}

    assert {status_of(each) for each in dead} == {"handled"}
    assert (status_of(other_kind), status_of(other_corp)) == ("failed", "failed")
    entry = AuditEntry.objects.get()
    assert entry.action == "channels.events_replayed"
    assert entry.data["count"] == 2


def test_replays_what_was_ignored_before_somebody_listened(corp: Corp, listener: Listener) -> None:
    event = store(corp, event_xml("change_external_chat", "dismiss", ChatId="wr1"))
    subscribe(GroupChatDismissed, listener)

    assert replay_events_like(event, actor=SYSTEM, now=NOW) == 1
    assert handle_due_events(now=NOW) == {"handled": 1}

    assert status_of(event) == "handled"
    assert event.error == ""


def test_replays_no_kind_whose_events_are_done(corp: Corp, listener: Listener) -> None:
    event = store(corp, contact_xml("add_external_contact"))
    handle_due_events(now=NOW)

    with pytest.raises(EventNotDone):
        replay_events_like(InboundEvent.objects.get(pk=event.pk), actor=SYSTEM, now=NOW)

    assert status_of(event) == "handled"


@pytest.mark.concurrency
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
        (
            event_xml("change_external_chat", "create", ChatId="wr1"),
            GroupChatChanged(NOW, "wr1", "create"),
        ),
        (event_xml("change_external_chat", "update", ChatId="wr1"), GroupChatChanged(NOW, "wr1")),
        (
            event_xml("change_external_chat", "dismiss", ChatId="wr1"),
            GroupChatDismissed(NOW, "wr1"),
        ),
        (
            event_xml("change_external_tag", "shuffle", Id=""),
            TagsChanged(NOW, "shuffle", is_group=True),
        ),
        (
            event_xml("change_external_tag", "delete", Id="et1", TagType="tag", StrategyId="3"),
            TagsChanged(NOW, "delete", "et1", strategy_id="3"),
        ),
        (
            event_xml("change_contact", "create_user", UserID="bob", Department="1,2"),
            StaffCreated(NOW, "bob", (1, 2)),
        ),
        (
            event_xml("change_contact", "update_user", UserID="bob", NewUserID="rob"),
            StaffChanged(NOW, "bob", "rob"),
        ),
        (
            event_xml("change_contact", "update_party", Id="2", ParentId="1"),
            DepartmentChanged(NOW, "update", 2, 1),
        ),
        (
            event_xml(
                "change_contact", "update_tag", TagId="7", AddUserItems="a,b", DelPartyItems="3"
            ),
            StaffTagChanged(NOW, "7", ("a", "b"), removed_department_ids=(3,)),
        ),
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
        (link_xml("balance_low"), AcquisitionBalanceChanged(NOW, "low")),
        (link_xml("balance_exhausted"), AcquisitionBalanceChanged(NOW, "exhausted")),
        (link_xml("balance_increased"), AcquisitionBalanceChanged(NOW, "increased")),
        (
            link_xml("quota_expire_soon", ExpireTime="1700000000", ExpireQuotaNum="40"),
            AcquisitionQuotaExpiring(NOW, NOW, 40),
        ),
        (link_xml("link_unavailable"), AcquisitionLinkUnavailable(NOW, "ca1")),
        (link_xml("delete_link"), AcquisitionLinkDeleted(NOW, "ca1")),
        (link_xml("open_profile", State="s"), AcquisitionProfileOpened(NOW, "ca1", "s")),
        (link_xml("friend_request", State="s"), AcquisitionFriendRequested(NOW, "ca1", "s")),
        (
            link_xml("customer_start_chat", UserID="alice", ExternalUserID="wm1"),
            AcquisitionChatStarted(NOW, "alice", "wm1", "ca1"),
        ),
        (
            link_xml("message_from_customer", ChatKey="key"),
            AcquisitionMessageReceived(NOW, "ca1", "key"),
        ),
        (
            with_inner(
                "batch_job_result",
                "<BatchJob><JobId>j1</JobId><JobType>sync_user</JobType>"
                "<ErrCode>40058</ErrCode><ErrMsg>no</ErrMsg></BatchJob>",
            ),
            DirectoryJobFinished(NOW, "j1", "sync_user", 40058, "no"),
        ),
        (event_xml("upload_media_job_finish", JobId="j2"), MediaUploadFinished(NOW, "j2")),
        (
            event_xml("kf_msg_or_event", Token="t", OpenKfId="wk1"),
            ServiceMessagesArrived(NOW, "wk1", "t"),
        ),
        (
            with_inner(
                "kf_account_auth_change",
                "<AuthAddOpenKfId>wk1</AuthAddOpenKfId><AuthAddOpenKfId>wk2</AuthAddOpenKfId>"
                "<AuthDelOpenKfId>wk3</AuthDelOpenKfId>",
            ),
            ServiceAccountsChanged(NOW, ("wk1", "wk2"), ("wk3",)),
        ),
        (
            with_inner("template_card_event", CARD),
            CardAnswered(NOW, "sys", "yes", "t1", "vote", "code", (("q1", ("a", "b")),)),
        ),
        (
            with_inner("template_card_menu_event", "<TaskId>t1</TaskId><EventKey>m</EventKey>"),
            CardAnswered(NOW, "sys", "m", "t1", is_menu=True),
        ),
        (event_xml("enter_agent"), AppUsed(NOW, "sys", "enter_agent")),
        (event_xml("click", EventKey="k"), AppUsed(NOW, "sys", "click", "k")),
        (event_xml("LOCATION"), AppUsed(NOW, "sys", "location")),
        (event_xml("change_external_contact", "change_of_the_future"), None),
        (event_xml("event_of_the_future"), None),
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
        (members_xml("add_member", MemChangeCnt="3"), GroupChatChanged(NOW, "wr1", "add_member")),
        (members_xml("add_member", LastMemVer=""), GroupChatChanged(NOW, "wr1", "add_member")),
        (members_xml("add_member", "<MemChangeList/>"), GroupChatChanged(NOW, "wr1", "add_member")),
        (members_xml("change_owner"), GroupChatChanged(NOW, "wr1", "change_owner")),
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
        (event_xml("change_contact", "update_user", UserID="Bob"), "staff:bob"),
        (event_xml("change_contact", "delete_party", Id="3"), "department:3"),
        (event_xml("change_contact", "update_tag", TagId="3"), "group:3"),
        (link_xml("customer_start_chat", ExternalUserID="wm9"), "customer:wm9"),
        (link_xml("friend_request"), "link:ca1"),
        (event_xml("customer_acquisition", "balance_low"), "acquisition"),
        (event_xml("kf_msg_or_event", OpenKfId="wk1"), "service:wk1"),
        (event_xml("kf_account_auth_change"), "service"),
        (event_xml("template_card_event", TaskId="t1"), "card:t1"),
        (event_xml("msgaudit_notify"), ""),
        (event_xml("upload_media_job_finish", JobId="j"), ""),
    ],
)
def test_orders_events_by_what_they_are_about(inner: str, subject: str) -> None:
    assert read_event(inner.encode(), received_at=NOW).order_key == subject


@pytest.mark.parametrize("created", ["", "x", "0", "-5", "99999999999999999999"])
def test_takes_the_time_of_arrival_for_a_missing_time(created: str) -> None:
    inner = contact_xml("edit_external_contact", CreateTime=created)

    assert read_event(inner.encode(), received_at=NOW).happened_at == NOW
