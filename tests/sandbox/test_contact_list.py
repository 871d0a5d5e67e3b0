from typing import Any

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

LIST = "externalcontact/contact_list"
HOUR = 3600


def walk(api: Api, **more: Any) -> list[dict[str, Any]]:
    return [row for page in api.walk(LIST, "info_list", **more) for row in page]


def test_lists_every_customer_with_each_of_his_members(api: Api, sandbox: SandboxServer) -> None:
    rows = [row for row in walk(api) if "chat_id" not in row]

    world = sandbox.world
    shown = {(r.userid, r.external_userid) for r in world.relations() if world.is_shown(r)}
    assert {(row["follow_userid"], row["external_userid"]) for row in rows} == shown
    assert len(rows) == len(shown)
    assert all(row["is_customer"] and "name" not in row for row in rows)


def test_lists_outsiders_of_groups_and_hides_who_is_no_customer(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    chat_id = sandbox.people.chat_create(seller, "亲子群", buyers[:1])
    stranger = sandbox.people.meet({"name": "路人甲"}).external_userid
    sandbox.people.chat_join(chat_id, [stranger])

    known, unknown = [row for row in walk(api) if row.get("chat_id") == chat_id]

    assert (known["is_customer"], known["external_userid"]) == (True, buyers[0])
    assert (unknown["is_customer"], unknown["name"]) == (False, "***甲")
    assert "external_userid" not in unknown
    assert unknown["follow_userid"] == seller
    assert abs(unknown["add_time"] - sandbox.clock.now()) < 60


def test_members_without_customer_contact_serve_no_customers(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    chat_id = sandbox.people.chat_create(seller, "外联群", buyers[:1])
    name = sandbox.world.persons[buyers[0]].name
    sandbox.people.set_customer_contact(seller, enabled=False)

    rows = [row for row in walk(api) if row["follow_userid"] == seller]

    served = [row for row in rows if "chat_name" not in row]
    assert served
    assert not any(row["is_customer"] or "external_userid" in row for row in served)
    assert not any("chat_id" in row for row in rows)
    named = [row for row in rows if row.get("chat_name") == "外联群"]
    assert [row["name"] for row in named] == [f"***{name[-1:]}"]
    assert chat_id not in str(rows)


def test_one_person_has_one_name_in_a_walk_and_another_in_the_next(
    api: Api, sandbox: SandboxServer, seller: str, buyers: list[str]
) -> None:
    sandbox.people.chat_create(seller, "亲子群", buyers[:1])

    first, second = (
        {row["tmp_openid"] for row in rows if row.get("external_userid") == buyers[0]}
        for rows in (walk(api, limit=50), walk(api, limit=1000))
    )

    assert len(first) == len(second) == 1
    assert first != second


def test_a_walk_sees_what_there_was_when_it_began(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    whole = len(walk(api))
    page = api.ok(LIST, limit=50)
    late = sandbox.people.add_customer(seller)

    seen = page["info_list"]
    while page.get("next_cursor"):
        page = api.ok(LIST, limit=50, cursor=page["next_cursor"])
        seen += page["info_list"]

    assert len(seen) == whole
    assert late not in {row.get("external_userid") for row in seen}


def test_a_walk_ends_after_four_hours(api: Api, sandbox: SandboxServer) -> None:
    cursor = api.ok(LIST, limit=50)["next_cursor"]
    sandbox.clock.advance(3 * HOUR)
    api.token = api.fetch_token()["access_token"]
    younger = api.ok(LIST, limit=50, cursor=cursor)["next_cursor"]
    sandbox.clock.advance(2 * HOUR)
    api.token = api.fetch_token()["access_token"]

    assert api.post(LIST, limit=50, cursor=cursor)["errcode"] == 50100
    assert api.post(LIST, limit=50, cursor=younger)["errcode"] == 50100
    assert api.post(LIST, cursor="forged")["errcode"] == 40058
