from typing import Any

import pytest

from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api

ADD = "externalcontact/add_intercept_rule"
GET = "externalcontact/get_intercept_rule"
LIST = "externalcontact/get_intercept_rule_list"
UPDATE = "externalcontact/update_intercept_rule"
DELETE = "externalcontact/del_intercept_rule"
STOP, WARN = 1, 2


@pytest.fixture
def rule(seller: str) -> dict[str, Any]:
    return {
        "rule_name": "私单",
        "word_list": ["返现", "Alipay"],
        "semantics_list": [1, 2],
        "intercept_type": STOP,
        "applicable_range": {"user_list": [seller], "department_list": []},
    }


def test_adds_changes_and_deletes_a_rule(
    api: Api, sandbox: SandboxServer, rule: dict[str, Any], seller: str
) -> None:
    named = {"rule_id": api.ok(ADD, **rule)["rule_id"]}

    assert api.ok(GET, **named)["rule"] == rule | named
    (row,) = api.get(LIST)["rule_list"]
    assert (row["rule_id"], row["rule_name"]) == (named["rule_id"], "私单")
    other = next(userid for userid in sandbox.world.members if userid != seller)
    api.ok(
        UPDATE,
        **named,
        rule_name="私下交易",
        word_list=["转账"],
        extra_rule={"semantics_list": []},
        intercept_type=WARN,
        add_applicable_range={"user_list": [other], "department_list": [1]},
        remove_applicable_range={"user_list": [seller]},
    )
    assert api.ok(GET, **named)["rule"] == named | {
        "rule_name": "私下交易",
        "word_list": ["转账"],
        "semantics_list": [],
        "intercept_type": WARN,
        "applicable_range": {"user_list": [other], "department_list": [1]},
    }
    api.ok(UPDATE, **named)
    assert api.ok(GET, **named)["rule"]["word_list"] == ["转账"]
    api.ok(DELETE, **named)
    assert api.get(LIST)["rule_list"] == []
    assert [api.post(path, **named)["errcode"] for path in (GET, UPDATE, DELETE)] == [41071] * 3
    kinds = [entry.kind.rpartition(".")[2] for entry in sandbox.entries("intercept_rule")]
    assert kinds == ["added", "updated", "updated", "deleted"]


@pytest.mark.parametrize(
    ("changes", "errcode"),
    [
        ({"rule_name": ""}, 41077),
        ({"rule_name": "长" * 20}, 0),
        ({"rule_name": "长" * 21}, 41077),
        ({"word_list": []}, 40063),
        ({"word_list": [f"w{n}" for n in range(300)]}, 0),
        ({"word_list": [f"w{n}" for n in range(301)]}, 41068),
        ({"word_list": ["长" * 32]}, 0),
        ({"word_list": ["长" * 33]}, 41083),
        ({"word_list": [""]}, 41083),
        ({"semantics_list": [4]}, 41084),
        ({"semantics_list": 1}, 40058),
        ({"intercept_type": 3}, 40058),
        ({"intercept_type": None}, 40063),
        ({"applicable_range": {}}, 41076),
        ({"applicable_range": {"user_list": ["nobody"]}}, 41076),
        ({"applicable_range": {"department_list": [999]}}, 41076),
        ({"applicable_range": {"department_list": [1]}}, 0),
        ({"applicable_range": {"user_list": ["u"] * 1001}}, 41076),
    ],
)
def test_checks_every_field(
    api: Api, sandbox: SandboxServer, rule: dict[str, Any], changes: dict[str, Any], errcode: int
) -> None:
    assert api.post(ADD, **(rule | changes))["errcode"] == errcode
    assert len(sandbox.world.interception.rules) == (not errcode)


def test_names_are_unique_among_those_that_are_left(api: Api, rule: dict[str, Any]) -> None:
    first = api.ok(ADD, **rule)["rule_id"]
    second = api.ok(ADD, **(rule | {"rule_name": "另一条"}))["rule_id"]

    assert api.post(ADD, **rule)["errcode"] == 41077
    assert api.post(UPDATE, rule_id=second, rule_name="私单")["errcode"] == 41077
    assert api.post(UPDATE, rule_id=first, rule_name="私单")["errcode"] == 0
    api.ok(DELETE, rule_id=first)
    assert api.post(UPDATE, rule_id=second, rule_name="私单")["errcode"] == 0


def test_keeps_a_hundred_rules(api: Api, rule: dict[str, Any]) -> None:
    for number in range(100):
        api.ok(ADD, **(rule | {"rule_name": f"规则{number}"}))

    assert api.post(ADD, **rule)["errcode"] == 41069


def test_a_change_that_leaves_nobody_changes_nothing(
    api: Api, rule: dict[str, Any], seller: str
) -> None:
    rule_id = api.ok(ADD, **rule)["rule_id"]
    gone = {"user_list": [seller]}

    answer = api.post(UPDATE, rule_id=rule_id, remove_applicable_range=gone, word_list=["x"])

    assert answer["errcode"] == 41076
    assert api.ok(GET, rule_id=rule_id)["rule"]["word_list"] == rule["word_list"]


def test_refuses_rules_that_never_were(api: Api) -> None:
    for path in (GET, UPDATE, DELETE):
        assert api.post(path)["errcode"] == 41070
        assert api.post(path, rule_id="irx")["errcode"] == 41070


@pytest.fixture
def kept_rule(api: Api, rule: dict[str, Any], seller: str) -> str:
    """The id of a rule that stops, and the member whom it is for."""
    return f"{api.ok(ADD, **rule)['rule_id']} {seller}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("加微信有返现哦", "返现"),
        ("pay by ALIPAY", "Alipay"),
        ("打我电话 13912345678", "phone"),
        ("写到 a.b@mail.example.com", "mail"),
        ("订单号 201391234567812", ""),
        ("您好，返工现在完成了", ""),
    ],
)
def test_stops_what_a_member_must_not_say(
    sandbox: SandboxServer, kept_rule: str, buyers: list[str], text: str, what: str
) -> None:
    rule_id, seller = kept_rule.split()

    msgid = sandbox.people.staff_says(seller, buyers[0], text)

    assert bool(msgid) == (not what)
    assert sandbox.archive()["messages"] == (not what)
    hits = [entry.data for entry in sandbox.entries("interception.stopped")]
    hit = {"rule_id": rule_id, "userid": seller, "where": buyers[0], "what": what}
    assert hits == ([hit] if what else [])


def test_warns_of_it_and_lets_it_pass(
    api: Api, sandbox: SandboxServer, rule: dict[str, Any], seller: str, buyers: list[str]
) -> None:
    warning = rule | {"intercept_type": WARN, "semantics_list": [3]}
    api.ok(ADD, **warning)

    assert sandbox.people.staff_says(seller, buyers[0], "有返现")
    assert sandbox.people.staff_says(seller, buyers[0], kind="external_redpacket")
    assert [e.data["what"] for e in sandbox.entries("interception.warned")] == [
        "返现",
        "red_packet",
    ]
    api.ok(ADD, **(rule | {"rule_name": "更严"}))
    assert not sandbox.people.staff_says(seller, buyers[0], "有返现")
    assert sandbox.ledger.count("interception.stopped") == 2


def test_a_rule_is_for_its_range_and_for_members_only(
    api: Api, sandbox: SandboxServer, rule: dict[str, Any], seller: str, buyers: list[str]
) -> None:
    world = sandbox.world
    other = next(m for m in world.present_members() if m.userid != seller and m.can_follow)
    stranger = world.customers_of(other.userid)[0].external_userid
    api.ok(ADD, **rule)

    assert sandbox.people.staff_says(other.userid, stranger, "有返现")
    assert sandbox.people.customer_says(buyers[0], seller, "有返现吗")
    everybody = {"department_list": [1]}
    api.ok(ADD, **(rule | {"rule_name": "全员", "applicable_range": everybody}))
    assert not sandbox.people.staff_says(other.userid, stranger, "有返现")
