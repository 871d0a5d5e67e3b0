"""Rules about what members must not write to customers."""

from typing import Any, TypeVar

from scrm.sandbox.call import Call, to_integer, to_texts
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.interception import InterceptRule, InterceptType, Meaning, count_members

Item = TypeVar("Item", bound=str | int)

NAME_LENGTH = 20
WORDS, WORD_LENGTH = 300, 32
RANGE_ITEMS = 1000
MEMBERS = 10_000


@endpoint("POST", "externalcontact/add_intercept_rule")
def add_rule(call: Call) -> Answer:
    world = call.world
    rule = InterceptRule(
        "",
        _read_name(call),
        _read_words(call),
        _read_meanings(call.parameters.get("semantics_list")),
        _read_type(call),
        *_read_range(call, "applicable_range"),
        call.now,
    )
    _check_range(call, rule)
    if len(world.interception.living()) >= world.options.intercept_rule_limit:
        raise Refused(41069)
    rule.rule_id = world.mint_id("ir")
    world.interception.rules[rule.rule_id] = rule
    _note(call, "added", rule)
    return {"rule_id": rule.rule_id}


@endpoint("GET", "externalcontact/get_intercept_rule_list")
def list_rules(call: Call) -> Answer:
    rows = [
        {"rule_id": rule.rule_id, "rule_name": rule.name, "create_time": rule.create_time}
        for rule in call.world.interception.living()
    ]
    return {"rule_list": rows}


@endpoint("POST", "externalcontact/get_intercept_rule")
def get_rule(call: Call) -> Answer:
    rule = _find(call)
    return {
        "rule": {
            "rule_id": rule.rule_id,
            "rule_name": rule.name,
            "word_list": rule.words,
            "semantics_list": [int(meaning) for meaning in rule.meanings],
            "intercept_type": int(rule.type),
            "applicable_range": {
                "user_list": rule.userids,
                "department_list": rule.department_ids,
            },
        }
    }


@endpoint("POST", "externalcontact/update_intercept_rule")
def update_rule(call: Call) -> Answer:
    """Change what is given; everything is checked before anything changes."""
    rule = _find(call)
    extra = call.mapping("extra_rule")
    added = _read_range(call, "add_applicable_range")
    removed = _read_range(call, "remove_applicable_range")
    given = call.parameters
    changed = InterceptRule(
        rule.rule_id,
        _read_name(call, rule) if "rule_name" in given else rule.name,
        _read_words(call) if "word_list" in given else rule.words,
        _read_meanings(extra["semantics_list"]) if "semantics_list" in extra else rule.meanings,
        _read_type(call) if "intercept_type" in given else rule.type,
        _merge(rule.userids, added[0], removed[0]),
        _merge(rule.department_ids, added[1], removed[1]),
        rule.create_time,
    )
    _check_range(call, changed)
    call.world.interception.rules[rule.rule_id] = changed
    _note(call, "updated", changed)
    return {}


@endpoint("POST", "externalcontact/del_intercept_rule")
def delete_rule(call: Call) -> Answer:
    rule = _find(call)
    rule.is_deleted = True
    _note(call, "deleted", rule)
    return {}


def _find(call: Call) -> InterceptRule:
    rule = call.world.interception.rules.get(call.text("rule_id", missing=41070))
    if rule is None:
        raise Refused(41070)
    if rule.is_deleted:
        raise Refused(41071)
    return rule


def _read_name(call: Call, own: InterceptRule | None = None) -> str:
    name = call.text("rule_name", missing=41077)
    if len(name) > NAME_LENGTH:
        raise Refused(41077, f"exceeds {NAME_LENGTH} characters")
    other = call.world.interception.find_name(name)
    if other is not None and other is not own:
        raise Refused(41077, f"{name} exists")
    return name


def _read_words(call: Call) -> list[str]:
    words = list(dict.fromkeys(call.texts("word_list")))
    if not words:
        raise Refused(40063, "word_list")
    if len(words) > WORDS:
        raise Refused(41068)
    for word in words:
        if not 1 <= len(word) <= WORD_LENGTH:
            raise Refused(41083, word)
    return words


def _read_meanings(value: object) -> list[Meaning]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(40058, "semantics_list")
    numbers = [to_integer(number, "semantics_list") for number in value]
    if not set(numbers) <= set(Meaning):
        raise Refused(41084)
    return [Meaning(number) for number in dict.fromkeys(numbers)]


def _read_type(call: Call) -> InterceptType:
    number = call.integer("intercept_type")
    if number not in set(InterceptType):
        raise Refused(40058, "intercept_type")
    return InterceptType(number)


def _read_range(call: Call, name: str) -> tuple[list[str], list[int]]:
    """Return members and departments of the corp; 41076 for others."""
    given = call.mapping(name)
    userids = to_texts(given.get("user_list") or [], "user_list")
    departments: Any = given.get("department_list") or []
    if not isinstance(departments, list):
        raise Refused(40058, "department_list")
    numbers = [to_integer(number, "department_list") for number in departments]
    if max(len(userids), len(numbers)) > RANGE_ITEMS:
        raise Refused(41076, f"more than {RANGE_ITEMS}")
    members = [call.world.find_member(userid) for userid in userids]
    if None in members or not set(numbers) <= call.world.departments.keys():
        raise Refused(41076, "unknown member or department")
    known = [member.userid for member in members if member is not None]
    return list(dict.fromkeys(known)), list(dict.fromkeys(numbers))


def _check_range(call: Call, rule: InterceptRule) -> None:
    if not rule.userids and not rule.department_ids:
        raise Refused(41076, "nobody")
    if count_members(call.world, rule) > MEMBERS:
        raise Refused(41076, f"more than {MEMBERS} members")


def _merge(now: list[Item], added: list[Item], removed: list[Item]) -> list[Item]:
    merged = dict.fromkeys([*now, *added])
    for item in removed:
        merged.pop(item, None)
    return list(merged)


def _note(call: Call, what: str, rule: InterceptRule) -> None:
    call.world.ledger.append(f"intercept_rule.{what}", rule_id=rule.rule_id, rule_name=rule.name)
