"""Customers, tags, statistics and ids, as the sandbox answers them."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from scrm.channels.base import Channel, TagGroupWish, TagWish
from scrm.channels.errors import ChannelError, InputRefused, Misconfigured, Stale
from scrm.sandbox.records import Relation
from scrm.sandbox.server import SandboxServer
from tests.factories import NOW

TODAY = NOW.astimezone(ZoneInfo("Asia/Shanghai")).date()
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def seller(channel: Channel, sandbox: SandboxServer) -> str:
    """The member with most customers."""
    staff = channel.contacts.staff_with_customer_contact()
    return max(staff, key=lambda userid: len(sandbox.world.customers_of(userid)))


@pytest.fixture
def buyer(sandbox: SandboxServer, seller: str) -> str:
    return sandbox.world.customers_of(seller)[0].external_userid


def test_lists_the_customers_of_one_member(
    channel: Channel, sandbox: SandboxServer, seller: str
) -> None:
    own = {follow.external_userid for follow in sandbox.world.customers_of(seller)}

    assert set(channel.contacts.external_userids_of(seller)) == own


def test_a_member_without_customers_has_none(channel: Channel, sandbox: SandboxServer) -> None:
    sandbox.people.member_joins("newcomer", "Newcomer", [1])
    sandbox.people.set_customer_contact("newcomer", enabled=True)

    assert channel.contacts.external_userids_of("newcomer") == ()


def test_walks_everybody_who_is_served(channel: Channel, sandbox: SandboxServer) -> None:
    page = channel.contacts.served_page("")

    customers = {row.external_userid for row in page.rows if row.is_customer}
    assert customers == {follow.external_userid for follow in _follows(sandbox)}
    assert all(row.temporary_id for row in page.rows)
    assert {row.chat_id for row in page.rows if row.chat_id} <= set(sandbox.world.chats)


def test_changes_what_is_given_of_a_remark(
    channel: Channel, sandbox: SandboxServer, seller: str, buyer: str
) -> None:
    channel.contacts.change_remark(seller, buyer, remark="Anna", mobiles=["13800000001"])

    channel.contacts.change_remark(seller, buyer, description="Likes tea", mobiles=[])

    relation = sandbox.world.find_relation(seller, buyer)
    assert relation
    assert (relation.remark, relation.description) == ("Anna", "Likes tea")
    assert relation.remark_mobiles == []


def test_makes_renames_moves_and_deletes_tags(channel: Channel) -> None:
    made = channel.tags.create(
        TagGroupWish((TagWish("Gold", 2), TagWish("Silver", 1)), name="Rank")
    )
    gold, silver = made.tags
    more = channel.tags.create(TagGroupWish((TagWish("Bronze"),), wecom_id=made.wecom_id))
    channel.tags.edit(gold.wecom_id, name="Platinum", order=9)
    channel.tags.edit(made.wecom_id, name="Level")
    channel.tags.delete(tag_ids=[silver.wecom_id])

    (group,) = (each for each in channel.tags.groups() if each.wecom_id == made.wecom_id)
    assert [tag.name for tag in made.tags] == ["Gold", "Silver"]
    assert [tag.name for tag in more.tags] == ["Bronze"]
    assert group.name == "Level"
    assert {(tag.name, tag.order) for tag in group.tags} == {("Platinum", 9), ("Bronze", 0)}

    channel.tags.delete(group_ids=[made.wecom_id])
    assert made.wecom_id not in {each.wecom_id for each in channel.tags.groups()}


def test_an_order_of_nothing_is_an_order(channel: Channel) -> None:
    made = channel.tags.create(TagGroupWish((TagWish("Gold", 5),), name="Rank"))

    channel.tags.edit(made.tags[0].wecom_id, order=0)

    (group,) = (each for each in channel.tags.groups() if each.wecom_id == made.wecom_id)
    assert [(tag.name, tag.order) for tag in group.tags] == [("Gold", 0)]


def test_a_name_that_the_group_has_is_refused(channel: Channel) -> None:
    wish = TagGroupWish((TagWish("Gold"),), name="Rank")
    channel.tags.create(wish)

    with pytest.raises(ChannelError) as refusal:
        channel.tags.create(wish)

    assert refusal.value.errcode == 40071


def test_finds_a_customer_by_her_unionid(
    channel: Channel, sandbox: SandboxServer, buyer: str
) -> None:
    sandbox.world.persons[buyer].unionid = "oBUYER"
    with pytest.raises(Misconfigured):
        channel.contacts.find_by_unionid("oBUYER", "o1", is_of_provider=True)
    sandbox.options.is_delegated_app = True

    known = channel.contacts.find_by_unionid("oBUYER", "o1", is_of_provider=True)
    stranger = channel.contacts.find_by_unionid("oNOBODY", "o1", is_of_provider=False)

    assert known.external_userid == buyer
    assert (stranger.external_userid, bool(stranger.pending_id)) == ("", True)


def test_turns_a_providers_id_into_the_corps(
    channel: Channel, sandbox: SandboxServer, buyer: str
) -> None:
    foreign = sandbox.people.shares_with_provider(buyer, 1_000_999)

    assert channel.contacts.id_from_provider(foreign, agent_id=1_000_999) == buyer


def test_tells_what_a_member_did_day_by_day(
    channel: Channel, sandbox: SandboxServer, seller: str, buyer: str
) -> None:
    sandbox.people.staff_says(seller, buyer, "Hello")
    sandbox.clock.advance(timedelta(days=1).total_seconds())

    before, today = channel.contacts.behaviour(YESTERDAY, TODAY, userids=[seller])

    assert (before.day, today.day) == (YESTERDAY, TODAY)
    assert today.messages == 1
    assert before.messages == 0
    assert before.reply_minutes is None


def test_tells_what_happened_in_chats_day_by_day_and_by_owner(
    channel: Channel, sandbox: SandboxServer, seller: str
) -> None:
    chat_id = sandbox.people.chat_create(seller, "Tea")
    sandbox.people.chat_join(chat_id, [sandbox.people.add_customer(seller, {"name": "Anna"})])
    sandbox.clock.advance(timedelta(days=1).total_seconds())

    page = channel.groups.figures_page([seller], YESTERDAY, TODAY)
    before, today = channel.groups.figures_by_day([seller], YESTERDAY, TODAY)

    (row,) = page.rows
    assert (row.owner, page.total, page.next_offset) == (seller, 1, None)
    assert (before.figures.new_chats, today.figures.new_chats) == (0, 1)
    assert row.figures.new_chats == 1
    assert row.figures.members == today.figures.members


@pytest.mark.parametrize(
    ("first", "last"),
    [(TODAY, YESTERDAY), (YESTERDAY - timedelta(days=30), YESTERDAY)],
)
def test_a_span_the_platform_does_not_answer_is_refused_here(
    channel: Channel, sandbox: SandboxServer, first: date, last: date
) -> None:
    with pytest.raises(InputRefused, match="thirty days"):
        channel.contacts.behaviour(first, last, userids=["alice"])
    with pytest.raises(InputRefused, match="thirty days"):
        channel.groups.figures_by_day(["alice"], first, last)
    assert "externalcontact/get_user_behavior_data" not in sandbox.calls()


def test_more_members_than_the_platform_takes_are_refused_here(
    channel: Channel, sandbox: SandboxServer
) -> None:
    with pytest.raises(InputRefused, match="at most 100, not 101"):
        channel.contacts.behaviour(TODAY, TODAY, userids=["alice"] * 101)
    assert "externalcontact/get_user_behavior_data" not in sandbox.calls()


def test_reads_rule_groups_and_their_tags(
    channel: Channel, sandbox: SandboxServer, seller: str
) -> None:
    strategy_id = sandbox.people.strategy_create_in_console("South", [seller], [1])
    tag_id = sandbox.people.strategy_tag_create_in_console(strategy_id, "Shops", "Shop A")

    assert strategy_id in channel.contacts.strategy_page("").rows
    strategy = channel.contacts.strategy(strategy_id)
    assert (strategy.name, strategy.parent_id, strategy.admins) == ("South", 0, (seller,))
    (node,) = channel.contacts.strategy_range_page(strategy_id, "").rows
    assert (node.userid, node.department_id) == ("", 1)
    (group,) = channel.tags.of_strategy(strategy_id)
    assert [tag.wecom_id for tag in group.tags] == [tag_id]


def test_finds_the_chat_of_a_mini_program(channel: Channel, sandbox: SandboxServer) -> None:
    chat_id = next(iter(sandbox.world.chats))
    opengid = sandbox.people.open_miniprogram_in_chat(chat_id)

    assert channel.groups.chat_of_opengid(opengid) == chat_id
    with pytest.raises(Stale):
        channel.groups.chat_of_opengid("oNOBODY")


def _follows(sandbox: SandboxServer) -> list[Relation]:
    world = sandbox.world
    return [each for m in world.present_members() for each in world.customers_of(m.userid)]
