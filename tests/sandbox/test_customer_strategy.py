import threading
from typing import Any

import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ROOT = "externalcontact/customer_strategy/"


def node(department: int) -> dict[str, int]:
    return {"type": 2, "partyid": department}


def someone(userid: str) -> dict[str, Any]:
    return {"type": 1, "userid": userid}


@pytest.fixture
def body(seller: str) -> dict[str, Any]:
    return {"strategy_name": "华东直营", "admin_list": [seller], "range": [node(1)]}


def test_creates_reads_changes_and_deletes(
    api: Api, sandbox: SandboxServer, body: dict[str, Any], seller: str
) -> None:
    made = api.ok(ROOT + "create", **body, privilege={"share_customer": False})["strategy_id"]
    strategy = api.ok(ROOT + "get", strategy_id=made)["strategy"]
    assert (strategy["strategy_name"], strategy["parent_id"]) == ("华东直营", 0)
    assert strategy["admin_list"] == [seller]
    assert len(strategy["privilege"]) == 21
    assert [n for n, allowed in strategy["privilege"].items() if not allowed] == ["share_customer"]

    change = {"range_add": [someone(seller)], "range_del": [node(1)], "strategy_name": "华东"}
    api.ok(ROOT + "edit", strategy_id=made, **change)
    assert api.ok(ROOT + "get_range", strategy_id=made)["range"] == [someone(seller)]
    assert api.ok(ROOT + "get", strategy_id=made)["strategy"]["strategy_name"] == "华东"

    api.ok(ROOT + "del", strategy_id=made)
    assert api.post(ROOT + "get", strategy_id=made)["errcode"] == 40058
    kinds = [entry.kind for entry in sandbox.entries("api")]
    assert kinds == ["api.strategy_created", "api.strategy_edited", "api.strategy_deleted"]


def test_lists_page_by_page(api: Api, body: dict[str, Any]) -> None:
    made = [api.ok(ROOT + "create", **body)["strategy_id"] for _ in range(5)]

    pages = list(api.walk(ROOT + "list", "strategy", limit=2))
    assert [[row["strategy_id"] for row in page] for page in pages] == [
        made[:2],
        made[2:4],
        made[4:],
    ]
    ranges = body | {"range": [node(1), node(2), node(3)]}
    wide = api.ok(ROOT + "create", **ranges)["strategy_id"]
    pages = list(api.walk(ROOT + "get_range", "range", strategy_id=wide, limit=2))
    assert pages == [[node(1), node(2)], [node(3)]]


def test_a_child_lies_inside_of_its_parent(
    api: Api, sandbox: SandboxServer, body: dict[str, Any]
) -> None:
    top, other = (d.id for d in sandbox.world.children(1)[:2])
    inside = sandbox.world.children(top)[0].id
    parent = api.ok(ROOT + "create", **(body | {"range": [node(top)]}))["strategy_id"]
    child_body = body | {"parent_id": parent, "privilege": {"rapid_reply": False}}

    assert api.post(ROOT + "create", **(child_body | {"range": [node(other)]}))["errcode"] == 40058
    child = api.ok(ROOT + "create", **(child_body | {"range": [node(inside)]}))["strategy_id"]

    swap = {"range_add": [node(other)], "range_del": [node(top)]}
    assert api.post(ROOT + "edit", strategy_id=parent, **swap)["errcode"] == 40058
    assert api.post(ROOT + "del", strategy_id=parent)["errcode"] == 40058
    api.ok(ROOT + "edit", strategy_id=parent, privilege={"send_group_msg": False})
    allowed = api.ok(ROOT + "get", strategy_id=child)["strategy"]["privilege"]
    assert [n for n, is_allowed in allowed.items() if not is_allowed] == [
        "send_group_msg",
        "rapid_reply",
    ]


def test_goes_five_levels_deep(api: Api, body: dict[str, Any]) -> None:
    parent = 0
    for _ in range(5):
        parent = api.ok(ROOT + "create", **body, parent_id=parent)["strategy_id"]

    assert api.post(ROOT + "create", **body, parent_id=parent)["errcode"] == 40058


def test_basic_privileges_cannot_be_taken(api: Api, body: dict[str, Any]) -> None:
    made = api.ok(ROOT + "create", **body, privilege={"contact_me": False})["strategy_id"]

    assert api.ok(ROOT + "get", strategy_id=made)["strategy"]["privilege"]["contact_me"] is True


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"strategy_name": ""}, 40063),
        ({"admin_list": []}, 40063),
        ({"admin_list": ["nobody"]}, 60111),
        ({"admin_list": ["x"] * 21}, 40058),
        ({"range": []}, 40063),
        ({"range": "x"}, 40058),
        ({"range": [node(1)] * 101}, 40058),
        ({"range": [node(99_999)]}, 60123),
        ({"range": [someone("nobody")]}, 60111),
        ({"range": [{"type": 3}]}, 40058),
        ({"range": [{"type": 1}]}, 40058),
        ({"privilege": {"share_customer": "no"}}, 40058),
        ({"parent_id": 77}, 40058),
    ],
)
def test_refuses_what_makes_no_rule_group(
    api: Api, body: dict[str, Any], changes: dict[str, Any], errcode: int
) -> None:
    assert api.post(ROOT + "create", **(body | changes))["errcode"] == errcode
    assert api.ok(ROOT + "list")["strategy"] == []


def test_holds_so_many_nodes_and_no_super_administrator(
    api: Api, sandbox: SandboxServer, body: dict[str, Any], seller: str
) -> None:
    sandbox.options.strategy_nodes = 2
    assert (
        api.post(ROOT + "create", **(body | {"range": [node(1), node(2), node(3)]}))["errcode"]
        == 40058
    )
    sandbox.options.super_admins = [seller]
    assert api.post(ROOT + "create", **body)["errcode"] == 40058


def test_those_of_the_console_are_not_the_apps(
    api: Api, sandbox: SandboxServer, seller: str
) -> None:
    made = sandbox.people.strategy_create_in_console("总部", [seller], [1])

    assert api.ok(ROOT + "get", strategy_id=made)["strategy"]["strategy_name"] == "总部"
    assert api.post(ROOT + "edit", strategy_id=made, strategy_name="x")["errcode"] == 60011
    assert api.post(ROOT + "del", strategy_id=made)["errcode"] == 60011


def test_takes_one_change_at_a_time(api: Api, sandbox: SandboxServer, body: dict[str, Any]) -> None:
    sandbox.options.work_seconds = 0.3
    codes: list[int] = []

    def create() -> None:
        codes.append(api.post(ROOT + "create", **body)["errcode"])

    threads = [threading.Thread(target=create) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == [0, 45035]
