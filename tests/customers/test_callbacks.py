"""From an act on the platform to our tables: callback, inbox, refresh."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Customer, CustomerTagSet, Follow, Tag
from groups.models import GroupChat, Membership
from scrm.channels.actions.inbox import handle_due_events
from scrm.channels.actions.refreshes import run_due_refreshes
from scrm.channels.models import InboundEvent, Refresh
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW
from tests.groups.accounts import account, check_derived, truth

Settle = Callable[[], None]


@pytest.fixture
def settle(synced_brand: Corp, sandbox: SandboxServer, client: Client) -> Settle:
    """Let callbacks come in and everything they wish for be done."""
    address = reverse("channels:callback", args=[synced_brand.corp_id])

    def receive(query: dict[str, str], body: bytes) -> int:
        answer = client.post(address, body, content_type="text/xml", query_params=query)
        return answer.status_code

    sandbox.callbacks.configure(receive)

    # Callbacks are stored by the clock on the wall; all else happens after them.
    times = (datetime.now(UTC) + timedelta(minutes=n) for n in count(1))

    def run() -> None:
        handle_due_events(now=next(times))
        run_due_refreshes(now=next(times))
        assert not InboundEvent.objects.exclude(status__in=["handled", "ignored"]).exists()
        assert not Refresh.objects.exists()

    return run


def first_pair(sandbox: SandboxServer) -> tuple[str, str]:
    relation = next(r for r in sandbox.world.relations() if r.is_friendship)
    return relation.userid, relation.external_userid


def test_a_new_customer_arrives(synced_brand: Corp, sandbox: SandboxServer, settle: Settle) -> None:
    userid, _ = first_pair(sandbox)

    external_userid = sandbox.people.add_customer(userid, {"name": "小满", "gender": 2}, state="s1")
    settle()

    customer = Customer.objects.get(external_userid=external_userid)
    assert (customer.name, customer.gender, customer.live_follows) == ("小满", 2, 1)
    assert account(synced_brand) == truth(sandbox)


def test_a_half_added_customer_stays_until_the_member_confirms(
    synced_brand: Corp, sandbox: SandboxServer, settle: Settle
) -> None:
    userid, _ = first_pair(sandbox)

    external_userid = sandbox.people.add_customer(userid, {"name": "半"}, half=True)
    settle()

    customer = Customer.objects.get(external_userid=external_userid)
    assert (customer.name, customer.live_follows) == ("", 1)
    sandbox.people.accept_customer(userid, external_userid)
    settle()
    customer.refresh_from_db()
    assert (customer.name, customer.live_follows) == ("半", 1)
    assert account(synced_brand) == truth(sandbox)


def test_tags_given_in_the_client_arrive(
    synced_brand: Corp, sandbox: SandboxServer, settle: Settle
) -> None:
    userid, external_userid = first_pair(sandbox)
    tag = Tag.objects.filter(kind="wecom").latest("pk")

    sandbox.people.retag_in_client(userid, external_userid, add=[tag.wecom_id])
    sandbox.people.remark_in_client(userid, external_userid, "老客户")
    settle()

    assert tag.pk in CustomerTagSet.objects.get(customer__external_userid=external_userid).tag_ids
    assert account(synced_brand) == truth(sandbox)
    check_derived(synced_brand)


def test_a_customer_deletes_the_member_and_stays_deleted(
    synced_brand: Corp, sandbox: SandboxServer, settle: Settle
) -> None:
    userid, external_userid = first_pair(sandbox)
    sandbox.clock.advance(60)

    sandbox.people.customer_deletes(external_userid, userid)
    # The platform goes on listing her; the edit makes us read her again.
    sandbox.people.remark_in_client(userid, external_userid, "gone?")
    settle()

    follow = Follow.objects.get(staff__userid=userid, customer__external_userid=external_userid)
    assert (follow.status, follow.remark) == ("deleted_by_customer", "gone?")
    assert account(synced_brand) == truth(sandbox)
    sandbox.clock.advance(60)
    sandbox.people.add_customer(userid, external_userid)
    settle()
    follow.refresh_from_db()
    assert follow.status == "live"
    assert account(synced_brand) == truth(sandbox)


def test_staff_delete_the_last_follower_of_a_customer(
    synced_brand: Corp, sandbox: SandboxServer, settle: Settle
) -> None:
    _, external_userid = first_pair(sandbox)
    for relation in sandbox.world.followers_of(external_userid):
        sandbox.people.member_deletes(relation.userid, external_userid)
    settle()

    customer = Customer.objects.get(external_userid=external_userid)
    assert customer.live_follows == 0
    assert set(customer.follows.values_list("status", flat=True)) == {"deleted_by_staff"}
    assert account(synced_brand) == truth(sandbox)


def test_a_customer_the_platform_does_not_know_any_more_is_gone(
    synced_brand: Corp, sandbox: SandboxServer, settle: Settle
) -> None:
    _, external_userid = first_pair(sandbox)
    sandbox.callbacks.drop_next(10)
    for relation in sandbox.world.followers_of(external_userid):
        sandbox.people.member_deletes(relation.userid, external_userid)
    Refresh.objects.create(
        corp=synced_brand, kind="customer", key=external_userid, wished_at=NOW, due_at=NOW
    )

    settle()

    customer = Customer.objects.get(external_userid=external_userid)
    assert set(customer.follows.values_list("status", flat=True)) == {"gone"}
    assert customer.live_follows == 0


def test_tags_change_in_the_console(
    synced_brand: Corp, sandbox: SandboxServer, settle: Settle
) -> None:
    group = next(iter(sandbox.world.tags.living_groups()))
    first, second, *_ = sandbox.world.tags.tags_in(group)

    sandbox.people.tag_rename_in_console(first.id, "改了名")
    sandbox.people.tag_delete_in_console(second.id)
    sandbox.people.tag_create_in_console("新组", "新标签")
    settle()

    assert account(synced_brand)["tags"] == truth(sandbox)["tags"]
    check_derived(synced_brand)


def test_staff_come_and_go(synced_brand: Corp, sandbox: SandboxServer, settle: Settle) -> None:
    leaver, _ = first_pair(sandbox)

    sandbox.people.member_joins("newbie", "新人")
    sandbox.people.member_leaves(leaver)
    settle()

    assert account(synced_brand)["staff"] == truth(sandbox)["staff"]
    assert Staff.objects.get(userid=leaver).status == "left"


def test_a_group_lives(synced_brand: Corp, sandbox: SandboxServer, settle: Settle) -> None:
    userid, external_userid = first_pair(sandbox)

    chat_id = sandbox.people.chat_create(userid, "妈妈群", [external_userid])
    settle()
    assert account(synced_brand)["groups"] == truth(sandbox)["groups"]
    membership = Membership.objects.get(chat__chat_id=chat_id, member_id=external_userid)
    assert membership.customer == Customer.objects.get(external_userid=external_userid)

    sandbox.people.chat_rename(chat_id, "宝妈群")
    sandbox.people.chat_leave(chat_id, [external_userid])
    settle()
    assert account(synced_brand)["groups"] == truth(sandbox)["groups"]

    sandbox.people.chat_dismiss(chat_id)
    settle()
    assert account(synced_brand)["groups"] == truth(sandbox)["groups"]
    chat = GroupChat.objects.get(chat_id=chat_id)
    assert (chat.status, chat.member_count) == ("dismissed", 0)
    assert not chat.memberships.present().exists()


def test_a_stranger_in_a_group_who_becomes_a_customer_is_recognised(
    synced_brand: Corp, sandbox: SandboxServer, settle: Settle
) -> None:
    userid, _ = first_pair(sandbox)
    stranger = sandbox.people.add_customer(userid, {"name": "路人"})
    sandbox.people.member_deletes(userid, stranger)
    settle()
    Customer.objects.filter(external_userid=stranger).delete()
    chat_id = sandbox.people.chat_create(userid, "群", [stranger])
    settle()
    membership = Membership.objects.get(chat__chat_id=chat_id, member_id=stranger)
    assert membership.customer is None

    sandbox.clock.advance(60)
    sandbox.people.add_customer(userid, stranger)
    settle()

    membership.refresh_from_db()
    assert membership.customer == Customer.objects.get(external_userid=stranger)
