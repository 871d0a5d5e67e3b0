from datetime import timedelta

import pytest

from scrm.channels.base import Channel, MassMessage
from scrm.channels.errors import AlreadyDone, InputRefused, NotReady, QuotaExhausted, Stale
from scrm.sandbox.server import SandboxServer
from tests.factories import NOW


def follows_of(sandbox: SandboxServer, userid: str) -> list[str]:
    with sandbox.world.lock:
        return [follow.external_userid for follow in sandbox.world.customers_of(userid)]


@pytest.fixture
def sender(channel: Channel, sandbox: SandboxServer) -> str:
    """The member with most customers."""
    return max(
        channel.contacts.staff_with_customer_contact(), key=lambda u: len(follows_of(sandbox, u))
    )


@pytest.fixture
def message(sandbox: SandboxServer, sender: str) -> MassMessage:
    return MassMessage(sender, tuple(follows_of(sandbox, sender)), "Good morning")


def find(channel: Channel, message: MassMessage, known: frozenset[str] = frozenset()) -> str | None:
    found = channel.messages.find(message, since=NOW, until=NOW, known=known)
    return found.msgid if found else None


def test_reads_the_whole_directory(channel: Channel, sandbox: SandboxServer) -> None:
    departments = channel.directory.departments()
    staff = channel.directory.staff(department.department_id for department in departments)

    assert {one.department_id for one in departments} == set(sandbox.world.departments)
    assert {one.userid for one in staff} == {m.userid for m in sandbox.world.present_members()}
    assert len(staff) == len({one.userid for one in staff})


def test_reads_a_directory_whose_details_are_withheld(
    channel: Channel, sandbox: SandboxServer
) -> None:
    whole = channel.directory.departments()
    members = {one.userid for one in channel.directory.staff([1, 2])}
    sandbox.faults.fail("department/list", 48009)
    sandbox.faults.fail("user/list", 60011, times=2)

    assert sorted(channel.directory.departments(), key=str) == sorted(whole, key=str)
    assert {one.userid for one in channel.directory.staff([1, 2])} == members


def test_merges_the_departments_of_a_member(channel: Channel, sandbox: SandboxServer) -> None:
    sandbox.people.member_joins("Wanderer", "Wanderer", [2, 3])

    (wanderer,) = (
        one for one in channel.directory.staff([2, 3]) if one.userid.lower() == "wanderer"
    )

    assert wanderer.department_ids == (2, 3)


def test_walks_all_customers_of_some_staff(channel: Channel, sandbox: SandboxServer) -> None:
    userids = channel.contacts.staff_with_customer_contact()
    expected = {(u, e) for u in userids for e in follows_of(sandbox, u)}

    rows, cursor = list(channel.contacts.customer_page(userids, "").rows), ""
    while cursor := channel.contacts.customer_page(userids, cursor).next_cursor:
        rows += channel.contacts.customer_page(userids, cursor).rows

    assert {(follow.userid, customer.external_userid) for customer, follow in rows} == expected
    assert len(rows) == len(expected)


def test_has_no_customers_where_the_platform_says_no_relation(
    channel: Channel, sandbox: SandboxServer
) -> None:
    sandbox.faults.fail("externalcontact/batch/get_by_user", 84061)

    assert channel.contacts.customer_page(["alice"], "").rows == ()


def test_reads_every_follower_of_a_customer(channel: Channel, sandbox: SandboxServer) -> None:
    userids = channel.contacts.staff_with_customer_contact()
    external_userid = sandbox.people.add_customer(userids[0], {"name": "Popular"})
    for userid in userids[1:]:
        sandbox.people.add_customer(userid, external_userid)

    customer, follows = channel.contacts.customer(external_userid)

    assert customer.name == "Popular"
    assert {follow.userid for follow in follows} == set(userids)


def test_says_that_a_customer_is_gone(channel: Channel) -> None:
    with pytest.raises(Stale):
        channel.contacts.customer("wmNobody")


def test_reads_groups_with_their_members(channel: Channel, sandbox: SandboxServer) -> None:
    page = channel.groups.chat_page(channel.contacts.staff_with_customer_contact(), "")

    assert {chat_id for chat_id, _ in page.rows} == set(sandbox.world.chats)
    for chat_id, _ in page.rows:
        chat = channel.groups.chat(chat_id)
        assert {one.member_id for one in chat.members} == set(sandbox.world.chats[chat_id].members)


def test_tags_and_untags_a_customer(channel: Channel, sandbox: SandboxServer, sender: str) -> None:
    external_userid = follows_of(sandbox, sender)[0]
    group = next(group for group in channel.tags.groups() if group.name == "孕育阶段")
    old, new = group.tags[0].wecom_id, group.tags[1].wecom_id
    channel.tags.mark(sender, external_userid, add=[old], remove=[])

    channel.tags.mark(sender, external_userid, add=[new], remove=[old])

    _, follows = channel.contacts.customer(external_userid)
    (tags,) = (set(follow.tag_ids) for follow in follows if follow.userid == sender)
    assert new in tags
    assert old not in tags


def test_follows_a_mass_message_to_its_end(
    channel: Channel, sandbox: SandboxServer, message: MassMessage
) -> None:
    asked = channel.messages.ask(message)
    (state,) = channel.messages.sender_states(asked.msgid, "").rows
    assert not state.is_confirmed

    outcome = sandbox.people.confirm_all(asked.msgid)

    (state,) = channel.messages.sender_states(asked.msgid, "").rows
    rows = channel.messages.deliveries(asked.msgid, message.sender, "").rows
    assert state.is_confirmed
    assert state.confirmed_at
    assert {row.recipient_id for row in rows} == set(message.external_userids)
    assert sum(row.status == 1 for row in rows) == outcome["delivered"]


def test_names_customers_who_cannot_be_asked(
    channel: Channel, sandbox: SandboxServer, message: MassMessage
) -> None:
    with_stranger = MassMessage(message.sender, (*message.external_userids, "wmNobody"), "Hello")

    assert channel.messages.ask(with_stranger).refused == ("wmNobody",)
    with pytest.raises(InputRefused, match="None of these customers"):
        channel.messages.ask(MassMessage(message.sender, ("wmNobody",), "Hello"))


def test_reminds_three_times_and_cancels_once(channel: Channel, message: MassMessage) -> None:
    msgid = channel.messages.ask(message).msgid

    for _ in range(3):
        channel.messages.remind(msgid)
    with pytest.raises(QuotaExhausted):
        channel.messages.remind(msgid)
    channel.messages.cancel(msgid)
    with pytest.raises(AlreadyDone):
        channel.messages.cancel(msgid)


def test_finds_a_message_whose_answer_was_lost(channel: Channel, message: MassMessage) -> None:
    with_stranger = MassMessage(
        message.sender,
        (*message.external_userids, "wmNobody"),
        "Read this\r\n",
        attachments=({"kind": "link", "title": "Book", "url": "https://a.example"},),
    )
    asked = channel.messages.ask(with_stranger)

    found = channel.messages.find(with_stranger, since=NOW, until=NOW, known=frozenset())

    assert found == asked
    assert found.refused == ("wmNobody",)


def test_does_not_take_anothers_message_for_the_lost_one(
    channel: Channel, sandbox: SandboxServer, message: MassMessage
) -> None:
    more = sandbox.people.add_customer(message.sender, {"name": "Newcomer"})
    known = channel.messages.ask(message).msgid
    channel.messages.ask(MassMessage(message.sender, message.external_userids, "Good evening"))
    channel.messages.ask(MassMessage(message.sender, (more,), message.content))
    sandbox.people.send_personally(message.sender, message.content, message.external_userids)

    assert find(channel, message, known=frozenset([known])) is None
    assert find(channel, message) == known


def test_finds_a_message_although_the_clocks_disagree_by_days(
    channel: Channel, sandbox: SandboxServer, message: MassMessage
) -> None:
    sandbox.clock.advance(timedelta(days=5).total_seconds())
    msgid = channel.messages.ask(message).msgid

    assert find(channel, message) == msgid


def test_waits_for_a_message_that_is_still_being_dispatched(
    channel: Channel, sandbox: SandboxServer, message: MassMessage
) -> None:
    sandbox.options.dispatch_seconds = 30
    channel.messages.ask(message)

    with pytest.raises(NotReady):
        find(channel, message)
    sandbox.clock.advance(31)
    assert find(channel, message)


def test_finds_a_message_behind_many_others(channel: Channel, message: MassMessage) -> None:
    msgid = channel.messages.ask(message).msgid
    for number in range(105):
        channel.messages.ask(
            MassMessage(message.sender, message.external_userids, f"Other {number}")
        )

    assert find(channel, message) == msgid
