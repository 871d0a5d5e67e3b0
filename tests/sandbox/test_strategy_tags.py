from typing import Any

import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver

ROOT = "externalcontact/"
ADD, LIST = ROOT + "add_strategy_tag", ROOT + "get_strategy_tag_list"
EDIT, DELETE = ROOT + "edit_strategy_tag", ROOT + "del_strategy_tag"


@pytest.fixture
def strategy(api: Api, seller: str) -> int:
    body = {
        "strategy_name": "华东",
        "admin_list": [seller],
        "range": [{"type": 2, "partyid": 1}],
    }
    return int(api.ok(ROOT + "customer_strategy/create", **body)["strategy_id"])


def add(api: Api, strategy: int, *names: str, group: str = "活动") -> dict[str, Any]:
    tags = [{"name": name} for name in names]
    made: dict[str, Any] = api.ok(ADD, strategy_id=strategy, group_name=group, tag=tags)
    return dict(made["tag_group"])


def test_adds_into_new_and_existing_groups(api: Api, strategy: int) -> None:
    first = add(api, strategy, "春节", "元宵")
    second = add(api, strategy, "端午")

    assert second["group_id"] == first["group_id"]
    assert first["strategy_id"] == strategy
    assert [tag["name"] for tag in second["tag"]] == ["端午"]
    assert {tag["id"][:2] for tag in first["tag"]} == {"st"}
    (group,) = api.ok(LIST, strategy_id=strategy)["tag_group"]
    assert [tag["name"] for tag in group["tag"]] == ["春节", "元宵", "端午"]
    assert "deleted" not in group


def test_customers_carry_them_as_tags_of_a_rule_group(
    api: Api, strategy: int, seller: str, buyers: list[str]
) -> None:
    tag_id = add(api, strategy, "春节")["tag"][0]["id"]
    pair = {"userid": seller, "external_userid": buyers[0]}
    api.ok(ROOT + "mark_tag", **pair, add_tag=[tag_id])
    api.ok(EDIT, id=tag_id, name="新春")

    (follow,) = api.get(ROOT + "get", external_userid=buyers[0])["follow_user"]
    assert {"group_name": "活动", "tag_name": "新春", "tag_id": tag_id, "type": 3} in follow["tags"]
    api.ok(DELETE, tag_id=[tag_id])
    (follow,) = api.get(ROOT + "get", external_userid=buyers[0])["follow_user"]
    assert tag_id not in [tag.get("tag_id") for tag in follow.get("tags", [])]


def test_edits_names_and_orders_without_doubles(api: Api, strategy: int) -> None:
    group = add(api, strategy, "春节", "元宵")
    other = add(api, strategy, "新客", group="等级")
    spring, lantern = (tag["id"] for tag in group["tag"])

    api.ok(EDIT, id=spring, order=7)
    api.ok(EDIT, id=group["group_id"], name="节日")
    assert api.post(EDIT, id=lantern, name="春节")["errcode"] == 40071
    assert api.post(EDIT, id=other["group_id"], name="节日")["errcode"] == 40071
    assert api.post(EDIT, id=spring, name="")["errcode"] == 40072
    assert api.post(EDIT, id="stx", name="a")["errcode"] == 40068
    (row,) = api.ok(LIST, tag_id=[spring])["tag_group"]
    assert (row["group_name"], row["tag"][0]["order"], row["deleted"]) == ("节日", 7, False)


def test_deleted_ones_show_when_asked_for_by_id(api: Api, strategy: int) -> None:
    group = add(api, strategy, "春节", "元宵")
    spring, lantern = (tag["id"] for tag in group["tag"])
    api.ok(DELETE, tag_id=[spring])
    assert len(api.ok(LIST)["tag_group"][0]["tag"]) == 1

    api.ok(DELETE, tag_id=[lantern])

    assert api.ok(LIST)["tag_group"] == []
    (row,) = api.ok(LIST, group_id=[group["group_id"]])["tag_group"]
    assert row["deleted"] is True
    assert [tag["deleted"] for tag in row["tag"]] == [True, True]
    assert api.post(DELETE, tag_id=[spring])["errcode"] == 40068
    assert api.post(DELETE)["errcode"] == 40063


def test_belong_to_the_first_level(api: Api, strategy: int, seller: str) -> None:
    body = {
        "strategy_name": "门店",
        "parent_id": strategy,
        "admin_list": [seller],
        "range": [{"type": 2, "partyid": 1}],
    }
    child = api.ok(ROOT + "customer_strategy/create", **body)["strategy_id"]

    wanted = {"group_name": "活动", "tag": [{"name": "a"}]}
    assert api.post(ADD, strategy_id=child, **wanted)["errcode"] == 40058
    assert api.post(ADD, strategy_id=99, **wanted)["errcode"] == 40058
    assert api.post(ADD, **wanted)["errcode"] == 40063
    assert api.post(ADD, strategy_id=strategy, tag=[{"name": "a"}])["errcode"] == 40063


def test_share_the_limit_of_corp_tags(api: Api, sandbox: SandboxServer, strategy: int) -> None:
    sandbox.options.corp_tag_limit = sandbox.world.tags.size() + 1
    add(api, strategy, "春节")

    wanted = {"group_name": "活动", "tag": [{"name": "元宵"}]}
    assert api.post(ADD, strategy_id=strategy, **wanted)["errcode"] == 40126


def test_go_with_their_rule_group(api: Api, sandbox: SandboxServer, strategy: int) -> None:
    before = sandbox.world.tags.size()
    add(api, strategy, "春节")

    api.ok(ROOT + "customer_strategy/del", strategy_id=strategy)

    assert api.ok(LIST)["tag_group"] == []
    assert sandbox.world.tags.size() == before


def test_those_of_the_console_are_told_and_not_the_apps(
    api: Api, sandbox: SandboxServer, receiver: Receiver, strategy: int
) -> None:
    tag_id = sandbox.people.strategy_tag_create_in_console(strategy, "等级", "金卡")

    assert api.post(EDIT, id=tag_id, name="x")["errcode"] == 81011
    assert api.post(DELETE, tag_id=[tag_id])["errcode"] == 81011
    wanted = {"group_name": "等级", "tag": [{"name": "银卡"}]}
    assert api.post(ADD, strategy_id=strategy, **wanted)["errcode"] == 81011
    assert sandbox.callbacks.drain()
    told = [(e["TagType"], e["ChangeType"], e["StrategyId"]) for e in receiver.events]
    assert told == [("tag_group", "create", str(strategy)), ("tag", "create", str(strategy))]
