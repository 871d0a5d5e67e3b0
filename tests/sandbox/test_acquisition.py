from collections.abc import Callable
from typing import Any

import pytest
import requests

from scrm.sandbox.people import ActRefused
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

FAMILY = "externalcontact/customer_acquisition"
LIST, GET, CREATE, UPDATE, DELETE, CUSTOMERS, STATISTIC, CHAT_INFO = (
    f"{FAMILY}/{verb}"
    for verb in (
        "list_link",
        "get",
        "create_link",
        "update_link",
        "delete_link",
        "customer",
        "statistic",
        "get_chat_info",
    )
)
QUOTA = "externalcontact/customer_acquisition_quota"
DAY = 24 * 3600


@pytest.fixture
def sellers(sandbox: SandboxServer) -> list[str]:
    """Three members who can add customers."""
    return [m.userid for m in sandbox.world.present_members() if m.can_follow][:3]


@pytest.fixture
def poor(sandbox: SandboxServer) -> SandboxServer:
    """A corp that has paid for two more friends."""
    (batch,) = sandbox.world.acquisition.batches
    batch.balance = 2
    return sandbox


def make(api: Api, users: list[str], **changes: Any) -> str:
    body = {"link_name": "直播间", "range": {"user_list": users}}
    return str(api.ok(CREATE, **(body | changes))["link"]["link_id"])


def told(sandbox: SandboxServer, receiver: Receiver) -> list[dict[str, Any]]:
    """Return the events about links, and how contacts changed, in order."""
    assert sandbox.callbacks.drain()
    return receiver.events


def changes_of(sandbox: SandboxServer, receiver: Receiver) -> list[str]:
    return [event.get("ChangeType", event["Event"]) for event in told(sandbox, receiver)]


def test_tells_what_a_link_was_made_of(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    priority = {"priority_type": 2, "priority_userid_list": sellers[:1]}
    chosen = {"user_list": sellers, "department_list": [10]}
    made = api.ok(
        CREATE, link_name="直播间", range=chosen, priority_option=priority, mark_source=True
    )["link"]

    answer = api.ok(GET, link_id=made["link_id"])

    assert made["link_id"].startswith("ca")
    assert made["url"] == f"{sandbox.root_url}ca/{made['link_id']}"
    assert answer["link"] == made | {"skip_verify": True, "mark_source": True}
    assert answer["range"] == chosen
    assert answer["priority_option"] == priority
    assert requests.get(made["url"], timeout=5).text == "直播间\n"


def test_an_update_changes_what_it_names(api: Api, sellers: list[str]) -> None:
    link_id = make(api, sellers[:2])

    api.ok(UPDATE, link_id=link_id, range={"department_list": [10]}, skip_verify=False)

    answer = api.ok(GET, link_id=link_id)
    assert (answer["link"]["link_name"], answer["link"]["skip_verify"]) == ("直播间", False)
    assert answer["range"] == {"user_list": [], "department_list": [10]}
    assert "priority_option" not in answer


def test_a_refused_update_changes_nothing(api: Api, sellers: list[str]) -> None:
    link_id = make(api, sellers)
    before = api.ok(GET, link_id=link_id)

    refused = api.post(UPDATE, link_id=link_id, link_name="新名", range={})

    assert refused["errcode"] == 40063
    assert api.ok(GET, link_id=link_id) | {"errmsg": ""} == before | {"errmsg": ""}


def test_lists_links_page_by_page_and_not_the_deleted(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    made = [make(api, sellers) for _ in range(4)]
    api.ok(DELETE, link_id=made[1])

    pages = list(api.walk(LIST, "link_id_list", limit=2))

    assert pages == [[made[0], made[2]], [made[3]]]
    assert api.post(GET, link_id=made[1])["errcode"] == 40058
    assert told(sandbox, receiver) == []


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"link_name": ""}, 40063),
        ({"link_name": "名" * 31}, 40058),
        ({"range": None}, 40063),
        ({"range": {"user_list": [], "department_list": []}}, 40063),
        ({"range": {"user_list": ["nobody"]}}, 60111),
        ({"range": {"department_list": [999]}}, 60123),
        ({"range": {"user_list": ["u"] * 501}}, 40058),
        ({"skip_verify": "no"}, 40058),
        ({"priority_option": {"priority_type": 3}}, 40058),
        ({"priority_option": {"priority_type": 2}}, 40063),
        ({"priority_option": {"priority_type": 2, "priority_userid_list": ["u"] * 1001}}, 40058),
    ],
)
def test_refuses_what_the_platform_refuses(
    api: Api, sellers: list[str], changes: dict[str, Any], errcode: int
) -> None:
    body = {"link_name": "直播间", "range": {"user_list": sellers}}

    assert api.post(CREATE, **(body | changes))["errcode"] == errcode


def test_has_its_limits(api: Api, sandbox: SandboxServer, sellers: list[str]) -> None:
    body = {"link_name": "直播间", "range": {"user_list": sellers}}
    sandbox.options.acquisition_link_limit = 1
    make(api, sellers)
    assert api.post(CREATE, **body)["errcode"] == 41095
    sandbox.options.acquisition_priorities = False
    priority = {"priority_type": 1}
    assert api.post(CREATE, **body, priority_option=priority)["errcode"] == 41200
    sandbox.options.acquisition_link_members = 2

    assert api.post(CREATE, **(body | {"range": {"department_list": [1]}}))["errcode"] == 40058


def test_people_come_through_a_link_with_its_channel(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    link_id = make(api, sellers[:1])

    came = sandbox.people.add_by_link(link_id, {"name": "果果妈"}, channel="abc" + "道" * 30)

    state = "abc" + "道" * 20
    asked, half, whole = told(sandbox, receiver)
    assert asked["Event"] == "customer_acquisition"
    assert (asked["ChangeType"], asked["LinkId"]) == ("friend_request", link_id)
    kinds = [half["ChangeType"], whole["ChangeType"]]
    assert kinds == ["add_half_external_contact", "add_external_contact"]
    assert {event["State"] for event in (asked, half, whole)} == {state}
    detail = api.get("externalcontact/get", external_userid=came["external_userid"])
    assert detail["follow_user"][0]["add_way"] == 16
    row = {"external_userid": came["external_userid"], "userid": sellers[0], "state": state}
    assert api.ok(CUSTOMERS, link_id=link_id)["customer_list"] == [row | {"chat_status": 0}]


def test_without_a_channel_there_is_no_state(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    sandbox.people.add_by_link(make(api, sellers))

    assert all("State" not in event for event in told(sandbox, receiver))


def test_each_new_friend_takes_from_what_expires_first(
    api: Api, poor: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    link_id = make(api, sellers)
    assert poor.people.buy_link_quota(30, days=10) == 32

    poor.people.add_by_link(link_id)
    poor.people.add_by_link(link_id)

    quota = api.get(QUOTA)
    assert (quota["total"], quota["balance"]) == (2, 30)
    first, later = quota["quota_list"]
    assert (first["balance"], later["balance"]) == (28, 2)
    assert first["expire_date"] < later["expire_date"]
    assert (first["expire_date"] + 8 * 3600) % DAY == 0


def test_who_has_not_been_agreed_to_costs_nothing_yet(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    link_id = make(api, sellers[:1], skip_verify=False)
    came = sandbox.people.add_by_link(link_id, confirmed=False)
    assert (api.get(QUOTA)["total"], api.ok(CUSTOMERS, link_id=link_id)["customer_list"]) == (0, [])

    sandbox.people.accept_customer(**came)

    assert api.get(QUOTA)["total"] == 1
    assert len(api.ok(CUSTOMERS, link_id=link_id)["customer_list"]) == 1


def test_tells_when_the_quota_is_low_used_up_and_there_again(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    (batch,) = sandbox.world.acquisition.batches
    batch.balance = 21
    link_id = make(api, sellers)
    balances = ("balance_low", "balance_exhausted", "balance_increased")

    for _ in range(21):
        sandbox.people.add_by_link(link_id)
    with pytest.raises(ActRefused, match="used up"):
        sandbox.people.add_by_link(link_id)
    sandbox.people.buy_link_quota(50)

    heard = [change for change in changes_of(sandbox, receiver) if change in balances]
    assert heard == list(balances)
    came = [e.data["balance"] for e in sandbox.entries("link.added")]
    assert came == list(range(20, -1, -1))


def test_warns_before_quota_expires(api: Api, sandbox: SandboxServer, receiver: Receiver) -> None:
    sandbox.people.buy_link_quota(7, days=5)
    batch = sandbox.world.acquisition.batches[0]

    sandbox.clock.set(batch.expire_date + 1)

    events = [e for e in told(sandbox, receiver) if e["ChangeType"] == "quota_expire_soon"]
    assert [e["ExpireTime"] for e in events] == [str(batch.expire_date)] * 3
    assert {e["ExpireQuotaNum"] for e in events} == {"7"}
    days = [round((batch.expire_date - int(e["CreateTime"])) / DAY) for e in events]
    assert days == [3, 2, 1]
    assert sandbox.world.acquisition.balance(sandbox.clock.now()) == 1000


def test_quota_that_expires_leaves_none(poor: SandboxServer, receiver: Receiver) -> None:
    (batch,) = poor.world.acquisition.batches

    poor.clock.set(batch.expire_date + 1)

    assert changes_of(poor, receiver)[-1] == "balance_exhausted"
    assert [entry.data["count"] for entry in poor.entries("link.quota_expired")] == [2]


def test_tells_of_first_messages_and_names_nobody_but_by_a_key(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    link_id = make(api, sellers[:1])
    came = sandbox.people.add_by_link(link_id, channel="live")
    told(sandbox, receiver).clear()

    for number in range(10):
        sandbox.people.customer_says(came["external_userid"], sellers[0], f"第{number}句")

    events = [e for e in told(sandbox, receiver) if e["Event"] == "customer_acquisition"]
    assert [e["ChangeType"] for e in events] == [
        "customer_start_chat",
        "message_from_customer",
        "message_from_customer",
        "message_from_customer",
    ]
    start, third, fifth, tenth = events
    assert (start["UserID"], start["ExternalUserID"], start["LinkId"]) == (
        sellers[0],
        came["external_userid"],
        link_id,
    )
    assert all("UserID" not in event for event in (third, fifth, tenth))
    info = api.ok(CHAT_INFO, chat_key=fifth["ChatKey"])
    assert (info["userid"], info["external_userid"]) == (sellers[0], came["external_userid"])
    assert info["chat_info"] == {"recv_msg_cnt": 5, "link_id": link_id, "state": "live"}
    assert api.ok(CUSTOMERS, link_id=link_id)["customer_list"][0]["chat_status"] == 1


def test_a_chat_key_is_good_for_half_an_hour(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    came = sandbox.people.add_by_link(make(api, sellers[:1]))
    for _ in range(3):
        sandbox.people.customer_says(came["external_userid"], sellers[0], "在吗")
    key = told(sandbox, receiver)[-2:]
    chat_key = next(event["ChatKey"] for event in key if "ChatKey" in event)
    sandbox.clock.advance(29 * 60)
    assert api.post(CHAT_INFO, chat_key=chat_key)["errcode"] == 0
    sandbox.clock.advance(2 * 60)

    assert api.post(CHAT_INFO, chat_key=chat_key)["errcode"] == 41201
    assert api.post(CHAT_INFO, chat_key="made-up")["errcode"] == 41201
    assert api.post(CHAT_INFO)["errcode"] == 40063


def test_what_is_said_after_a_new_beginning_is_not_the_links(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    came = sandbox.people.add_by_link(make(api, sellers[:1]))
    sandbox.people.member_deletes(**came)
    sandbox.people.add_customer(sellers[0], came["external_userid"])
    told(sandbox, receiver).clear()

    sandbox.people.customer_says(came["external_userid"], sellers[0], "又来了")

    assert "customer_start_chat" not in changes_of(sandbox, receiver)


def test_counts_who_opened_a_link_and_who_came(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    link_id, other = make(api, sellers), make(api, sellers)
    now = int(sandbox.clock.now())
    sandbox.people.open_link(link_id)
    sandbox.people.add_by_link(link_id)
    sandbox.people.add_by_link(other)
    sandbox.clock.advance(2 * DAY)
    api.token = api.fetch_token()["access_token"]
    sandbox.people.add_by_link(link_id)

    def count(start: int, end: int) -> tuple[int, int]:
        answer = api.ok(STATISTIC, link_id=link_id, start_time=start, end_time=end)
        return answer["click_link_customer_cnt"], answer["new_customer_cnt"]

    assert count(now, now) == (2, 1)
    assert count(now, now + 2 * DAY) == (3, 2)
    assert count(now - DAY, now - DAY) == (0, 0)
    assert "open_profile" not in changes_of(sandbox, receiver)


def test_some_industries_hear_of_opened_profiles(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    sandbox.options.acquisition_profile_events = True

    sandbox.people.open_link(make(api, sellers), channel="live")

    (event,) = told(sandbox, receiver)
    assert (event["ChangeType"], event["State"]) == ("open_profile", "live")


@pytest.mark.parametrize(("start", "end"), [(-31, -1), (-1, -2), (-181, -180), (0, 1)], ids=str)
def test_refuses_days_out_of_bounds(
    api: Api, sandbox: SandboxServer, sellers: list[str], start: int, end: int
) -> None:
    link_id, now = make(api, sellers), int(sandbox.clock.now())

    days = {"start_time": now + start * DAY, "end_time": now + end * DAY}

    assert api.post(STATISTIC, link_id=link_id, **days)["errcode"] == 60267


def test_walks_through_the_customers_of_a_link(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    link_id = make(api, sellers)
    came = [sandbox.people.add_by_link(link_id)["external_userid"] for _ in range(5)]

    pages = list(api.walk(CUSTOMERS, "customer_list", link_id=link_id, limit=2))

    assert [[row["external_userid"] for row in page] for page in pages] == [
        came[:2],
        came[2:4],
        came[4:],
    ]


def test_priorities_lead_friends_to_whom_they_know(
    api: Api, sandbox: SandboxServer, seller: str, sellers: list[str], buyers: list[str]
) -> None:
    others = [userid for userid in sellers if userid != seller][:1]
    corp_wide = make(api, others, priority_option={"priority_type": 1})
    listed = {"priority_type": 2, "priority_userid_list": others}
    elsewhere = make(api, others, priority_option=listed)

    known = sandbox.people.add_by_link(corp_wide, buyers[0])
    new = sandbox.people.add_by_link(elsewhere, buyers[1])

    assert known == {"userid": seller, "external_userid": buyers[0]}
    assert new == {"userid": others[0], "external_userid": buyers[1]}
    assert [e.data["external_userid"] for e in sandbox.entries("link.added")] == [buyers[1]]


@pytest.mark.parametrize(
    "disable",
    [
        lambda people, userid: people.member_leaves(userid),
        lambda people, userid: people.set_customer_contact(userid, enabled=False),
        lambda people, userid: people.set_capacity(userid, 0),
    ],
    ids=["left", "no contact", "full"],
)
def test_tells_once_when_nobody_of_a_link_can_add_anybody(
    api: Api,
    sandbox: SandboxServer,
    receiver: Receiver,
    sellers: list[str],
    disable: Callable[[Any, str], None],
) -> None:
    link_id = make(api, sellers[:2])
    disable(sandbox.people, sellers[0])
    assert "link_unavailable" not in changes_of(sandbox, receiver)

    disable(sandbox.people, sellers[1])
    sandbox.people.set_capacity(sellers[2], 5)

    events = [e for e in told(sandbox, receiver) if e["ChangeType"] == "link_unavailable"]
    assert [event["LinkId"] for event in events] == [link_id]
    with pytest.raises(ActRefused, match="can add anybody"):
        sandbox.people.add_by_link(link_id)


def test_only_deletions_in_the_console_are_told(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    link_id = make(api, sellers)

    sandbox.people.delete_link_in_console(link_id)

    (event,) = told(sandbox, receiver)
    assert (event["ChangeType"], event["LinkId"]) == ("delete_link", link_id)
    assert api.ok(LIST)["link_id_list"] == []
    with pytest.raises(ActRefused, match="no acquisition link"):
        sandbox.people.open_link(link_id)
