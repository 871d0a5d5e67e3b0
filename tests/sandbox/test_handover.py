from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scrm.sandbox.people import ActRefused
from scrm.sandbox.records import MemberStatus
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

DAY = 24 * 3600
UNASSIGNED = "externalcontact/get_unassigned_list"


class Handover:
    """One giver and one taker, in service or not."""

    def __init__(self, api: Api, giver: str, taker: str, *, is_resigned: bool) -> None:
        self.api, self.giver, self.taker = api, giver, taker
        self.prefix = "externalcontact/resigned/" if is_resigned else "externalcontact/"

    def ask(self, external_userids: list[str], **changes: Any) -> dict[str, int]:
        body = {
            "handover_userid": self.giver,
            "takeover_userid": self.taker,
            "external_userid": external_userids,
        }
        rows = self.api.ok(f"{self.prefix}transfer_customer", **(body | changes))["customer"]
        return {row["external_userid"]: row["errcode"] for row in rows}

    def ask_one(self, external_userid: str, **changes: Any) -> int:
        return self.ask([external_userid], **changes)[external_userid]

    def results(self) -> list[tuple[str, int]]:
        pair = {"handover_userid": self.giver, "takeover_userid": self.taker}
        pages = self.api.walk(f"{self.prefix}transfer_result", "customer", **pair)
        return [(row["external_userid"], row["status"]) for page in pages for row in page]


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[Api]:
    """A client whose token outlives the months that pass here."""
    sandbox.options.token_seconds = 1000 * DAY
    api = Api(sandbox)
    yield api
    api.close()


@pytest.fixture
def taker(sandbox: SandboxServer, seller: str) -> str:
    """Somebody else, who follows none of the seller's exclusive customers."""
    return next(
        userid for userid, m in sandbox.world.members.items() if m.can_follow and userid != seller
    )


@pytest.fixture
def in_service(api: Api, seller: str, taker: str) -> Handover:
    return Handover(api, seller, taker, is_resigned=False)


@pytest.fixture
def resigned(
    api: Api, sandbox: SandboxServer, seller: str, taker: str, buyers: list[str]
) -> Handover:
    """A handover of the seller, who has left; `buyers` are chosen while she is here."""
    sandbox.people.member_leaves(seller)
    return Handover(api, seller, taker, is_resigned=True)


def contact_events(sandbox: SandboxServer, receiver: Receiver) -> list[tuple[str, ...]]:
    """Return change, member and what else tells, without those about staff."""
    assert sandbox.callbacks.drain()
    return [
        (e["ChangeType"], e["UserID"], e.get("Source") or e.get("FailReason") or "")
        for e in receiver.events
        if e["Event"] == "change_external_contact"
    ]


def unassigned(api: Api, **body: Any) -> list[str]:
    pages = api.walk(UNASSIGNED, "info", **body)
    return [row["external_userid"] for page in pages for row in page]


def test_a_colleague_has_the_customer_after_a_day(
    sandbox: SandboxServer,
    receiver: Receiver,
    in_service: Handover,
    seller: str,
    taker: str,
    buyers: list[str],
) -> None:
    before = sandbox.world.find_relation(seller, buyers[0])
    assert before is not None
    before.remark, before.tag_ids = "大宝妈", set(list(sandbox.world.tags.tags)[:2])

    assert in_service.ask_one(buyers[0]) == 0
    assert in_service.results() == [(buyers[0], 2)]
    sandbox.clock.advance(DAY - 60)
    assert in_service.results() == [(buyers[0], 2)]
    sandbox.clock.advance(120)

    assert in_service.results() == [(buyers[0], 1)]
    details = in_service.api.get("externalcontact/get", external_userid=buyers[0])
    (follow,) = details["follow_user"]
    assert (follow["userid"], follow["add_way"], follow["oper_userid"]) == (taker, 202, seller)
    assert follow["remark"] == ""
    assert {tag["tag_id"] for tag in follow["tags"]} == before.tag_ids
    assert contact_events(sandbox, receiver) == [
        ("add_external_contact", taker, ""),
        ("del_external_contact", seller, "DELETE_BY_TRANSFER"),
    ]


def test_a_friend_of_the_taker_is_not_added_again(
    sandbox: SandboxServer, receiver: Receiver, in_service: Handover, buyers: list[str]
) -> None:
    sandbox.people.add_customer(in_service.taker, buyers[0], state="store_001")
    in_service.ask([buyers[0]])
    sandbox.clock.advance(DAY + 1)

    relation = sandbox.world.find_relation(in_service.taker, buyers[0])
    assert relation is not None
    assert relation.state == "store_001"
    assert [change for change, _, _ in contact_events(sandbox, receiver)] == [
        "add_external_contact",
        "del_external_contact",
    ]


def test_one_who_comes_back_is_not_announced(
    api: Api, sandbox: SandboxServer, receiver: Receiver, in_service: Handover, buyers: list[str]
) -> None:
    back = Handover(api, in_service.taker, in_service.giver, is_resigned=False)
    in_service.ask([buyers[0]])
    sandbox.clock.advance(DAY + 1)
    back.ask([buyers[0]])
    sandbox.clock.advance(DAY + 1)

    assert contact_events(sandbox, receiver)[2:] == [
        ("del_external_contact", in_service.taker, "DELETE_BY_TRANSFER")
    ]
    assert in_service.ask_one(buyers[0]) == 40128
    sandbox.clock.advance(90 * DAY)
    assert in_service.ask_one(buyers[0]) == 0


def test_a_customer_who_declines_stays_with_whoever_stays(
    sandbox: SandboxServer, receiver: Receiver, in_service: Handover, buyers: list[str]
) -> None:
    in_service.ask(buyers[:2])

    assert sandbox.people.customer_refuses_transfer(buyers[0]) == 1

    assert in_service.results() == [(buyers[0], 3), (buyers[1], 2)]
    relation = sandbox.world.find_relation(in_service.giver, buyers[0])
    assert relation is not None
    assert relation.is_friendship
    assert contact_events(sandbox, receiver) == [
        ("transfer_fail", in_service.taker, "customer_refused")
    ]
    with pytest.raises(ActRefused, match="not being handed over"):
        sandbox.people.customer_refuses_transfer(buyers[0])


def test_a_customer_who_declines_is_lost_when_his_member_has_left(
    api: Api, sandbox: SandboxServer, receiver: Receiver, resigned: Handover, buyers: list[str]
) -> None:
    resigned.ask(buyers[:1])
    sandbox.people.customer_refuses_transfer(buyers[0])

    assert resigned.results() == [(buyers[0], 3)]
    assert buyers[0] not in unassigned(api)
    assert resigned.ask_one(buyers[0]) == 40131
    assert contact_events(sandbox, receiver) == [
        ("transfer_fail", resigned.taker, "customer_refused"),
        ("del_follow_user", resigned.giver, ""),
    ]


def test_one_who_had_deleted_the_leaver_counts_as_declining(
    sandbox: SandboxServer, seller: str, buyers: list[str], api: Api, taker: str
) -> None:
    sandbox.people.customer_deletes(buyers[0], seller)
    sandbox.people.member_leaves(seller)
    handover = Handover(api, seller, taker, is_resigned=True)

    assert handover.ask_one(buyers[0]) == 0
    sandbox.clock.advance(DAY + 1)

    assert handover.results() == [(buyers[0], 3)]


def test_a_full_taker_takes_as_many_as_there_is_room_for(
    api: Api,
    sandbox: SandboxServer,
    receiver: Receiver,
    resigned: Handover,
    taker: str,
    buyers: list[str],
) -> None:
    has = len(sandbox.world.customers_of(taker))
    sandbox.people.set_capacity(taker, has + 1)

    assert set(resigned.ask(buyers[:3]).values()) == {0}
    sandbox.clock.advance(DAY + 1)

    assert resigned.results() == [(buyers[0], 1), (buyers[1], 4), (buyers[2], 4)]
    assert {buyers[1], buyers[2]} < set(unassigned(api))
    assert resigned.ask_one(buyers[1]) == 40099
    assert contact_events(sandbox, receiver)[1:] == [
        ("transfer_fail", taker, "customer_limit_exceed"),
        ("transfer_fail", taker, "customer_limit_exceed"),
    ]
    sandbox.people.set_capacity(taker, None)
    assert resigned.ask_one(buyers[1]) == 0
    assert resigned.results()[3:] == [(buyers[1], 2)]


def test_a_taker_who_leaves_meanwhile_takes_nobody(
    sandbox: SandboxServer, resigned: Handover, buyers: list[str]
) -> None:
    resigned.ask(buyers[:1])
    sandbox.people.member_leaves(resigned.taker)
    sandbox.clock.advance(DAY + 1)

    assert resigned.results() == [(buyers[0], 4)]


def test_says_of_each_customer_why_not(
    sandbox: SandboxServer, in_service: Handover, buyers: list[str], seller: str
) -> None:
    stranger = sandbox.people.add_customer(in_service.taker)
    sandbox.people.member_deletes(seller, buyers[2])
    in_service.ask([buyers[0]])

    answer = in_service.ask(["wmx", stranger, buyers[0], buyers[1], buyers[2]])

    assert answer == {
        "wmx": 40096,
        stranger: 40131,
        buyers[0]: 40129,
        buyers[1]: 0,
        buyers[2]: 40131,
    }
    assert [e.data["errcode"] for e in sandbox.entries("handover.declined")] == [
        40096,
        40131,
        40129,
        40131,
    ]


def test_says_40100_of_one_who_waits_for_another_taker(
    api: Api, resigned: Handover, sandbox: SandboxServer, buyers: list[str]
) -> None:
    other = next(
        m.userid
        for m in sandbox.world.present_members()
        if m.can_follow and m.userid != resigned.taker
    )
    resigned.ask(buyers[:1])

    assert Handover(api, resigned.giver, other, is_resigned=True).ask_one(buyers[0]) == 40100


def _unverify(sandbox: SandboxServer, giver: str, taker: str) -> None:
    sandbox.people.set_verified(taker, verified=False)


def _put_to_sleep(sandbox: SandboxServer, giver: str, taker: str) -> None:
    sandbox.people.set_last_login(taker, 366)


def _put_the_giver_to_sleep(sandbox: SandboxServer, giver: str, taker: str) -> None:
    sandbox.people.set_last_login(giver, 366)


def _take_contact_away(sandbox: SandboxServer, giver: str, taker: str) -> None:
    sandbox.people.set_customer_contact(taker, enabled=False)


def _deactivate(sandbox: SandboxServer, giver: str, taker: str) -> None:
    sandbox.world.members[taker].status = MemberStatus.NOT_ACTIVATED


@pytest.mark.parametrize(
    ("unfit", "errcode"),
    [
        (_unverify, 40098),
        (_put_to_sleep, 40205),
        (_put_the_giver_to_sleep, 40205),
        (_take_contact_away, 84074),
        (_deactivate, 41054),
    ],
)
def test_refuses_members_who_are_not_fit(
    sandbox: SandboxServer,
    in_service: Handover,
    buyers: list[str],
    unfit: Callable[[SandboxServer, str, str], None],
    errcode: int,
) -> None:
    unfit(sandbox, in_service.giver, in_service.taker)

    assert in_service.ask_one(buyers[0]) == errcode


def test_refuses_the_same_member_and_one_who_is_still_here(
    api: Api, in_service: Handover, seller: str, taker: str, buyers: list[str]
) -> None:
    assert in_service.ask_one(buyers[0], takeover_userid=seller) == 40130
    assert Handover(api, seller, taker, is_resigned=True).ask_one(buyers[0]) == 40097


def test_refuses_a_leaver_of_more_than_a_year_ago(
    sandbox: SandboxServer, resigned: Handover, buyers: list[str]
) -> None:
    sandbox.clock.advance(366 * DAY)

    assert resigned.ask_one(buyers[0]) == 40205


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"handover_userid": "nobody"}, 60111),
        ({"takeover_userid": "nobody"}, 60111),
        ({"external_userid": []}, 40063),
        ({"external_userid": ["wm"] * 101}, 40058),
        ({"transfer_success_msg": "您" * 201}, 40058),
    ],
)
def test_refuses_calls_that_make_no_sense(
    api: Api, seller: str, taker: str, changes: dict[str, Any], errcode: int
) -> None:
    body = {"handover_userid": seller, "takeover_userid": taker, "external_userid": ["wm"]}

    assert api.post("externalcontact/transfer_customer", **(body | changes))["errcode"] == errcode


def test_customers_of_one_who_left_wait_in_pages(
    api: Api, sandbox: SandboxServer, seller: str, taker: str
) -> None:
    own = [relation.external_userid for relation in sandbox.world.customers_of(seller)]
    assert api.ok(UNASSIGNED)["info"] == []
    sandbox.people.member_leaves(seller)
    others = [relation.external_userid for relation in sandbox.world.customers_of(taker)]
    sandbox.people.member_leaves(taker)

    assert unassigned(api, page_size=7) == own + others
    first = api.ok(UNASSIGNED, page_size=len(own))
    assert {row["handover_userid"] for row in first["info"]} == {seller}
    assert abs(first["info"][0]["dimission_time"] - sandbox.clock.now()) < 5
    assert (first["is_last"], bool(first["next_cursor"])) == (False, True)
    last = api.ok(UNASSIGNED)
    assert (last["is_last"], last["next_cursor"]) == (True, "")


def test_the_list_may_shrink_while_it_is_walked(api: Api, resigned: Handover) -> None:
    first = api.ok(UNASSIGNED, page_size=5)
    here = [row["external_userid"] for row in first["info"]]
    resigned.ask(here)

    second = api.ok(UNASSIGNED, page_size=5, cursor=first["next_cursor"])

    assert [row["external_userid"] for row in second["info"]] == unassigned(api)[:5]
    assert not {row["external_userid"] for row in second["info"]} & set(here)


def test_results_come_in_pages(
    api: Api, sandbox: SandboxServer, resigned: Handover, buyers: list[str]
) -> None:
    sandbox.options.result_page = 2
    resigned.ask(buyers[:5])

    assert resigned.results() == [(external_userid, 2) for external_userid in buyers[:5]]
    assert len(api.ok(UNASSIGNED, page_size=100)["info"]) == 2


def test_a_handover_whose_answer_is_lost_has_begun(
    sandbox: SandboxServer, resigned: Handover, buyers: list[str]
) -> None:
    sandbox.faults.lose_answer("externalcontact/resigned/transfer_customer")

    with pytest.raises(OSError, match="Connection"):
        resigned.ask(buyers[:2])

    assert resigned.results() == [(buyers[0], 2), (buyers[1], 2)]
    assert set(resigned.ask(buyers[:2]).values()) == {40100}


# Groups


@pytest.fixture
def chat(sandbox: SandboxServer, seller: str) -> str:
    """A group of the seller's."""
    return sandbox.people.chat_create(seller, "宝妈群")


def give(api: Api, name: str, chat_ids: list[str], new_owner: str) -> dict[str, int]:
    answer = api.ok(f"externalcontact/groupchat/{name}", chat_id_list=chat_ids, new_owner=new_owner)
    return {row["chat_id"]: row["errcode"] for row in answer["failed_chat_list"]}


def test_a_group_of_one_who_left_has_a_new_owner_at_once(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str, taker: str, chat: str
) -> None:
    assert give(api, "transfer", [chat], taker) == {chat: 90500}
    sandbox.people.member_leaves(seller)
    assert sandbox.world.chats[chat].status == 1
    before = sandbox.world.chats[chat].member_version

    assert give(api, "transfer", [chat, "wrx"], taker) == {"wrx": 90501}

    detail = api.ok("externalcontact/groupchat/get", chat_id=chat)["group_chat"]
    assert detail["owner"] == taker
    assert sandbox.world.chats[chat].status == 3
    assert give(api, "transfer", [chat], taker) == {chat: 90508}
    assert sandbox.callbacks.drain()
    entered, changed = receiver.events[-2:]
    assert (entered["UpdateDetail"], entered["LastMemVer"]) == ("add_member", before)
    assert entered["CurMemVer"] == detail["member_version"]
    assert entered["MemChangeList"] == {"Item": taker}
    assert (changed["UpdateDetail"], changed["ChatId"]) == ("change_owner", chat)
    assert sandbox.handover(seller)["groups"] == 1


def test_a_group_whose_answer_is_lost_was_inherited(
    api: Api, sandbox: SandboxServer, seller: str, taker: str, chat: str
) -> None:
    sandbox.people.member_leaves(seller)
    sandbox.faults.lose_answer("externalcontact/groupchat/transfer")
    with pytest.raises(OSError, match="Connection"):
        give(api, "transfer", [chat], taker)

    assert sandbox.world.chats[chat].owner == taker
    assert give(api, "transfer", [chat], taker) == {chat: 90508}


def test_a_group_changes_hands_in_service_twice_in_ninety_days(
    api: Api, sandbox: SandboxServer, seller: str, taker: str, chat: str
) -> None:
    assert give(api, "onjob_transfer", [chat], seller) == {chat: 90504}
    assert give(api, "onjob_transfer", [chat], taker) == {}
    assert give(api, "onjob_transfer", [chat], seller) == {}
    assert give(api, "onjob_transfer", [chat], taker) == {chat: 40128}
    sandbox.clock.advance(91 * DAY)
    assert give(api, "onjob_transfer", [chat], taker) == {}
    assert sandbox.world.chats[chat].status == 0
    sandbox.people.member_leaves(taker)
    assert give(api, "onjob_transfer", [chat], seller) == {chat: 90502}


def test_full_and_dismissed_groups_stay(
    api: Api, sandbox: SandboxServer, seller: str, taker: str, chat: str, buyers: list[str]
) -> None:
    gone = sandbox.people.chat_create(seller, "旧群")
    sandbox.people.chat_dismiss(gone)
    sandbox.options.chat_size = 3
    sandbox.people.chat_join(chat, buyers[:2])

    assert give(api, "onjob_transfer", [chat, gone], taker) == {chat: 90503, gone: 49008}


def test_one_owner_gives_three_hundred_groups_a_day(
    api: Api, sandbox: SandboxServer, seller: str, taker: str
) -> None:
    for chat in sandbox.world.chats_of(seller):
        sandbox.people.chat_dismiss(chat.chat_id)
    chats = [sandbox.people.chat_create(seller, str(number)) for number in range(301)]
    sandbox.people.member_leaves(seller)

    failed = [give(api, "transfer", chats[at : at + 100], taker) for at in (0, 100, 200, 300)]

    assert failed == [{}, {}, {}, {chats[300]: 45009}]
    sandbox.clock.advance(DAY)
    assert give(api, "transfer", chats[300:], taker) == {}


def test_refuses_owners_who_are_not_fit(
    api: Api, sandbox: SandboxServer, taker: str, chat: str
) -> None:
    sandbox.people.set_verified(taker, verified=False)
    body = {"chat_id_list": [chat], "new_owner": taker}
    path = "externalcontact/groupchat/onjob_transfer"

    assert api.post(path, **body)["errcode"] == 40098
    assert api.post(path, **(body | {"new_owner": "nobody"}))["errcode"] == 60111
    assert api.post(path, **(body | {"chat_id_list": []}))["errcode"] == 40063
    assert api.post(path, **(body | {"chat_id_list": [chat] * 101}))["errcode"] == 40058


# What it comes to


def test_counts_what_became_of_a_resignation(
    api: Api, sandbox: SandboxServer, resigned: Handover, buyers: list[str]
) -> None:
    taker = resigned.taker
    waiting = len(unassigned(api))
    sandbox.people.set_capacity(taker, len(sandbox.world.customers_of(taker)) + 1)
    resigned.ask(buyers[:4])
    sandbox.people.customer_refuses_transfer(buyers[3])
    resigned.ask(["wmx", buyers[0]])
    sandbox.clock.advance(DAY + 1)
    resigned.ask([buyers[2]])
    sandbox.people.set_capacity(taker, None)
    resigned.ask([buyers[1]])

    assert sandbox.handover(resigned.giver) == {
        "asked": 4,
        "succeeded": 1,
        "rejected": 1,
        "over_capacity": 1,
        "failed": 1,
        "waiting": 1,
        "unassigned": waiting - 3,
        "groups": 0,
        "asked_more_than_once": 1,
    }
