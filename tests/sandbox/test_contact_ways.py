from typing import Any

import pytest
import requests

from scrm.sandbox.media import Medium
from scrm.sandbox.people import ActRefused
from scrm.sandbox.records import MemberStatus
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

ADD, GET, LIST, UPDATE, DELETE = (
    f"externalcontact/{verb}_contact_way" for verb in ("add", "get", "list", "update", "del")
)
CLOSE = "externalcontact/close_temp_chat"
DAY = 24 * 3600


@pytest.fixture
def sellers(sandbox: SandboxServer) -> list[str]:
    """Three members who can add customers."""
    return [m.userid for m in sandbox.world.present_members() if m.can_follow][:3]


def make(api: Api, users: list[str], **changes: Any) -> str:
    body = {"type": 2, "scene": 2, "user": users, "state": "lc7", "remark": "展会易拉宝"}
    return str(api.ok(ADD, **(body | changes))["config_id"])


def make_temporary(api: Api, user: str, **changes: Any) -> str:
    return make(api, [user], type=1, is_temp=True, **changes)


def show(api: Api, config_id: str) -> dict[str, Any]:
    way: dict[str, Any] = api.ok(GET, config_id=config_id)["contact_way"]
    return way


def told(sandbox: SandboxServer, receiver: Receiver) -> list[dict[str, Any]]:
    assert sandbox.callbacks.drain()
    return receiver.events


def test_tells_what_it_was_made_of(api: Api, sellers: list[str]) -> None:
    added = api.ok(
        ADD, type=2, scene=2, user=[sellers[0].upper()], party=[2, 10], state="lc1", remark="门店"
    )

    way = show(api, added["config_id"])

    assert way == {
        "config_id": added["config_id"],
        "type": 2,
        "scene": 2,
        "remark": "门店",
        "skip_verify": True,
        "state": "lc1",
        "user": sellers[:1],
        "party": [2, 10],
        "is_temp": False,
        "mark_source": False,
        "qr_code": added["qr_code"],
    }


def test_its_picture_is_served_until_it_is_deleted(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    config_id = make(api, sellers)
    url = show(api, config_id)["qr_code"]
    picture = requests.get(url, timeout=5)
    api.ok(DELETE, config_id=config_id)

    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert requests.get(url, timeout=5).status_code == 404
    assert api.post(GET, config_id=config_id)["errcode"] == 41044
    assert api.post(DELETE)["errcode"] == 41043
    with pytest.raises(ActRefused, match="no contact way"):
        sandbox.people.scan_contact_way(config_id)


def test_a_button_has_a_style_and_no_picture(api: Api, sellers: list[str]) -> None:
    added = api.ok(ADD, type=1, scene=1, style=3, user=sellers[:1])

    assert "qr_code" not in added
    way = show(api, added["config_id"])
    assert way["style"] == 3
    assert "qr_code" not in way


def test_an_update_changes_what_it_names(api: Api, sellers: list[str]) -> None:
    config_id = make(api, sellers[:2], party=[10])
    before = show(api, config_id)

    api.ok(UPDATE, config_id=config_id, user=sellers[2:], state="lc8", type=1, scene=1)

    changed = {"user": sellers[2:], "state": "lc8"}
    assert show(api, config_id) == before | changed


def test_an_update_must_leave_somebody(api: Api, sellers: list[str]) -> None:
    config_id = make(api, sellers[:2])

    assert api.post(UPDATE, config_id=config_id, user=[])["errcode"] == 40063
    assert api.post(UPDATE, config_id=config_id, user=["nobody"])["errcode"] == 60111
    assert show(api, config_id)["user"] == sellers[:2]


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"type": None}, 41037),
        ({"scene": None}, 41038),
        ({"type": 3}, 41039),
        ({"scene": 4}, 41040),
        ({"scene": 1, "style": 3}, 41042),
        ({"state": "渠" * 31}, 40058),
        ({"remark": "备" * 31}, 40058),
        ({"skip_verify": "yes"}, 40058),
        ({"user": "one"}, 40058),
        ({"user": []}, 40063),
        ({"user": ["nobody"]}, 60111),
        ({"party": [999]}, 60123),
        ({"type": 1}, 41041),
        ({"is_temp": True}, 40058),
    ],
)
def test_refuses_what_the_platform_refuses(
    api: Api, sellers: list[str], changes: dict[str, Any], errcode: int
) -> None:
    body = {"type": 2, "scene": 2, "user": sellers}

    assert api.post(ADD, **(body | changes))["errcode"] == errcode


def test_members_must_be_fit(api: Api, sandbox: SandboxServer, sellers: list[str]) -> None:
    world = sandbox.world
    sandbox.people.set_customer_contact(sellers[0], enabled=False)
    sandbox.people.set_verified(sellers[1], verified=False)
    world.members[sellers[2]].status = MemberStatus.NOT_ACTIVATED

    refused = [api.post(ADD, type=1, scene=2, user=[user])["errcode"] for user in sellers]

    assert refused == [84074, 41054, 41054]


def test_departments_count_with_all_their_members(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    everybody = len(sandbox.world.present_members())
    sandbox.options.contact_way_members = everybody
    make(api, sellers, party=[1])
    sandbox.options.contact_way_members = everybody - 1

    assert api.post(ADD, type=2, scene=2, party=[1])["errcode"] == 41041


def test_shares_its_limit_with_join_codes(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    sandbox.options.contact_way_limit = 2
    chats = {"scene": 2, "chat_id_list": list(sandbox.world.chats)[:1]}
    make(api, sellers)
    api.ok("externalcontact/groupchat/add_join_way", **chats)

    assert api.post(ADD, type=2, scene=2, user=sellers)["errcode"] == 41045
    refused = api.post("externalcontact/groupchat/add_join_way", **chats)
    assert refused["errcode"] == 41045


def test_lists_page_by_page_what_was_made_in_time(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    start = int(sandbox.clock.now())
    old = make(api, sellers)
    sandbox.clock.advance(100 * DAY)
    api.token = api.fetch_token()["access_token"]
    young = [make(api, sellers) for _ in range(3)]
    make_temporary(api, sellers[0])

    recent = list(api.walk(LIST, "contact_way", limit=2))
    everything = list(api.walk(LIST, "contact_way", start_time=start - 5))
    past = api.ok(LIST, start_time=start - 5, end_time=start + DAY)["contact_way"]

    assert [[row["config_id"] for row in page] for page in recent] == [young[:2], young[2:]]
    assert [row["config_id"] for row in everything[0]] == [old, *young]
    assert [row["config_id"] for row in past] == [old]
    assert api.post(LIST, start_time=start, end_time=start - 1)["errcode"] == 40058


def test_codes_older_than_the_list_are_not_listed(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    config_id = make(api, sellers)
    sandbox.world.contact_ways.ways[config_id].created_at = 1_625_846_399

    assert api.ok(LIST, start_time=1_600_000_000)["contact_way"] == []
    assert show(api, config_id)["state"] == "lc7"


def test_leads_customers_to_its_members_in_turn(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    config_id = make(api, sellers)
    sandbox.people.set_capacity(sellers[1], 0)

    led = [sandbox.people.scan_contact_way(config_id)["userid"] for _ in range(4)]

    assert led == [sellers[0], sellers[2], sellers[0], sellers[2]]
    for userid in sellers:
        sandbox.people.set_capacity(userid, 0)
    with pytest.raises(ActRefused, match="can add anybody"):
        sandbox.people.scan_contact_way(config_id)


def test_who_scans_is_half_a_customer_first_and_a_whole_one_then(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    came = sandbox.people.scan_contact_way(make(api, sellers[:1]), {"name": "豆豆妈"})

    half, whole = told(sandbox, receiver)
    assert half["ChangeType"] == "add_half_external_contact"
    assert whole["ChangeType"] == "add_external_contact"
    for event in (half, whole):
        assert (event["UserID"], event["State"]) == (sellers[0], "lc7")
        assert event["ExternalUserID"] == came["external_userid"]
        assert len(event["WelcomeCode"]) > 20
    assert half["WelcomeCode"] != whole["WelcomeCode"]
    detail = api.get("externalcontact/get", external_userid=came["external_userid"])
    follow = detail["follow_user"][0]
    assert (follow["state"], follow["add_way"]) == ("lc7", 1)
    assert follow["oper_userid"] == came["external_userid"]


def test_whole_customers_at_once_where_the_sandbox_is_told_so(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    sandbox.options.skip_verify_halves = False

    sandbox.people.scan_contact_way(make(api, sellers[:1]))

    assert [e["ChangeType"] for e in told(sandbox, receiver)] == ["add_external_contact"]


def test_the_member_may_take_his_time(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    person = sandbox.people.scan_contact_way(make(api, sellers[:1]), confirmed=False)
    external_userid = person["external_userid"]
    before = api.get("externalcontact/get", external_userid=external_userid)["errcode"]

    sandbox.people.accept_customer(sellers[0], external_userid)

    assert before == 84061
    assert api.get("externalcontact/get", external_userid=external_userid)["errcode"] == 0
    kinds = [event["ChangeType"] for event in told(sandbox, receiver)]
    assert kinds == ["add_half_external_contact", "add_external_contact"]


def test_a_code_that_verifies_waits_without_a_word(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    config_id = make(api, sellers[:1], skip_verify=False)
    external_userid = sandbox.people.scan_contact_way(config_id, confirmed=False)["external_userid"]
    assert told(sandbox, receiver) == []

    sandbox.people.accept_customer(sellers[0], external_userid)

    (event,) = told(sandbox, receiver)
    assert (event["ChangeType"], event["State"]) == ("add_external_contact", "lc7")
    assert event["WelcomeCode"]


def test_who_knows_the_member_only_opens_the_chat(
    api: Api, sandbox: SandboxServer, receiver: Receiver, seller: str, buyers: list[str]
) -> None:
    config_id = make(api, [seller])

    came = sandbox.people.scan_contact_way(config_id, buyers[0])

    assert came == {"userid": seller, "external_userid": buyers[0]}
    assert told(sandbox, receiver) == []
    assert sandbox.ledger.count("contact_way.scanned") == 1


def test_an_exclusive_code_leads_a_customer_back(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    config_id = make(api, sellers, is_exclusive=True)
    first = sandbox.people.scan_contact_way(config_id)
    person = first["external_userid"]
    assert sandbox.people.scan_contact_way(config_id, person) == first
    sandbox.people.member_deletes(first["userid"], person)

    assert sandbox.people.scan_contact_way(config_id, person) == first


def test_changed_members_are_led_to_by_the_same_code(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    config_id = make(api, sellers[:1])
    api.ok(UPDATE, config_id=config_id, user=sellers[1:2], state="lc9")

    came = sandbox.people.scan_contact_way(config_id)

    assert came["userid"] == sellers[1]
    relation = sandbox.world.find_relation(sellers[1], came["external_userid"])
    assert relation is not None
    assert relation.state == "lc9"


def test_writing_by_the_api_is_not_told(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    config_id = make(api, sellers)
    api.ok(UPDATE, config_id=config_id, remark="新海报")
    api.ok(DELETE, config_id=config_id)

    assert told(sandbox, receiver) == []
    noted = [entry.kind for entry in sandbox.entries("contact_way")]
    assert noted == ["contact_way.added", "contact_way.updated", "contact_way.deleted"]


def test_a_temporary_chat_ends_by_itself_with_a_conclusion(
    api: Api, sandbox: SandboxServer, receiver: Receiver, sellers: list[str]
) -> None:
    link = {"title": "复诊须知", "url": "https://clinic.example/next"}
    conclusions = {"text": {"content": "祝早日康复"}, "link": link, "miniprogram": {}}
    config_id = make_temporary(api, sellers[0], chat_expires_in=3600, conclusions=conclusions)

    came = sandbox.people.scan_contact_way(config_id)
    sandbox.people.scan_contact_way(config_id, came["external_userid"])
    sandbox.clock.advance(3601)

    assert sandbox.world.find_relation(sellers[0], came["external_userid"]) is None
    (closed,) = sandbox.entries("temp_chat.closed")
    assert (closed.data["by"], closed.data["conclusion"]) == ("time", "祝早日康复")
    assert closed.data["attachments"] == ["link"]
    assert told(sandbox, receiver) == []
    way = show(api, config_id)
    assert way["conclusions"] == {"text": {"content": "祝早日康复"}, "link": link}
    assert (way["expires_in"], way["chat_expires_in"], way["unionid"]) == (7 * DAY, 3600, "")


def test_a_temporary_chat_can_be_closed_once(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    came = sandbox.people.scan_contact_way(make_temporary(api, sellers[0]))

    api.ok(CLOSE, **came)

    assert api.post(CLOSE, **came)["errcode"] == 84061
    sandbox.clock.advance(2 * DAY)
    assert [entry.data["by"] for entry in sandbox.entries("temp_chat.closed")] == ["api"]


def test_friends_have_no_temporary_chat_to_close(api: Api, seller: str, buyers: list[str]) -> None:
    assert api.post(CLOSE, userid=seller, external_userid=buyers[0])["errcode"] == 84061
    assert api.post(CLOSE, userid=seller)["errcode"] == 41035
    assert api.post(CLOSE, userid=seller, external_userid="wmx")["errcode"] == 40096


def test_a_temporary_code_is_for_one_person_and_for_some_days(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    config_id = make_temporary(api, sellers[0], unionid="oPATIENT", expires_in=2 * DAY)
    with pytest.raises(ActRefused, match="somebody else"):
        sandbox.people.scan_contact_way(config_id)
    sandbox.people.scan_contact_way(config_id, {"name": "患者", "unionid": "oPATIENT"})
    sandbox.clock.advance(2 * DAY)
    api.token = api.fetch_token()["access_token"]

    with pytest.raises(ActRefused, match="none any more"):
        sandbox.people.scan_contact_way(config_id)
    assert api.post(UPDATE, config_id=config_id, remark="续")["errcode"] == 41044


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"expires_in": 14 * DAY + 1}, 40058),
        ({"chat_expires_in": 0}, 40058),
        ({"conclusions": {"text": {"content": "长" * 1334}}}, 45002),
        ({"conclusions": {"link": {"title": "无址"}}}, 40063),
        ({"conclusions": {"image": {"media_id": "unknown"}}}, 40007),
    ],
)
def test_refuses_temporary_codes_out_of_bounds(
    api: Api, sellers: list[str], changes: dict[str, Any], errcode: int
) -> None:
    body = {"type": 1, "scene": 2, "user": sellers[:1], "is_temp": True}

    assert api.post(ADD, **(body | changes))["errcode"] == errcode


def test_temporary_chats_are_for_few_and_not_for_many_a_day(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    body = {"type": 1, "scene": 2, "user": sellers[:1], "is_temp": True}
    sandbox.options.temporary_ways_per_day = 1
    api.ok(ADD, **body)
    assert api.post(ADD, **body)["errcode"] == 45009
    sandbox.options.temporary_chats = False

    assert api.post(ADD, **body)["errcode"] == 48002


def test_a_concluding_picture_is_shown_by_its_address(
    api: Api, sandbox: SandboxServer, sellers: list[str]
) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    medium = Medium("m-card", "image", "card.png", png, sandbox.clock.now())
    sandbox.world.media.add(medium, days=3)
    config_id = make_temporary(
        api, sellers[0], conclusions={"image": {"media_id": "m-card"}, "link": {"title": "忽略"}}
    )

    conclusions = show(api, config_id)["conclusions"]

    assert list(conclusions) == ["image"]
    assert requests.get(conclusions["image"]["pic_url"], timeout=5).content == png
