"""Words that the platform itself intercepts [doc 95097]."""

from collections.abc import Sequence
from typing import Any

from scrm.channels.base import InterceptRuleLine, InterceptRuleRecord, InterceptRuleWish
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.checks import at_most

_WORDS, _CHARACTERS = 300, 32
_NAME = 20
_RANGE = 1000
_BLOCKS, _WARNS = 1, 2


class WeComWords:
    def __init__(self, contact: Asker) -> None:
        self._contact = contact

    def create(self, wish: InterceptRuleWish) -> str:
        reach = _range(wish.userids, wish.department_ids)
        body = _body(wish) | {
            "semantics_list": [int(each) for each in wish.meant],
            "applicable_range": reach,
        }
        answer = self._contact.post("add_intercept_rule", body)
        return parsing.required_text(answer, "rule_id")

    def rules(self) -> Sequence[InterceptRuleLine]:
        answer = self._contact.get("get_intercept_rule_list")
        return [_line_of(row) for row in parsing.rows(answer, "rule_list")]

    def rule(self, rule_id: str) -> InterceptRuleRecord:
        answer = self._contact.post("get_intercept_rule", {"rule_id": rule_id})
        return _rule_of(rule_id, parsing.part(answer, "rule"))

    def update(self, rule_id: str, wish: InterceptRuleWish) -> None:
        known = self.rule(rule_id)
        body = _body(wish) | {
            "rule_id": rule_id,
            "extra_rule": {"semantics_list": [int(each) for each in wish.meant]},
        }
        added = _range(
            _without(wish.userids, known.userids),
            _without(wish.department_ids, known.department_ids),
        )
        removed = _range(
            _without(known.userids, wish.userids),
            _without(known.department_ids, wish.department_ids),
        )
        ranges = {"add_applicable_range": added, "remove_applicable_range": removed}
        body |= {name: reach for name, reach in ranges.items() if any(reach.values())}
        self._contact.post("update_intercept_rule", body)

    def delete(self, rule_id: str) -> None:
        self._contact.post("del_intercept_rule", {"rule_id": rule_id})


def _body(wish: InterceptRuleWish) -> dict[str, Any]:
    at_most(wish.name, _NAME, "rule_name")
    at_most(wish.words, _WORDS, "word_list")
    for word in wish.words:
        at_most(word, _CHARACTERS, word)
    return {
        "rule_name": wish.name,
        "word_list": list(wish.words),
        "intercept_type": _BLOCKS if wish.is_blocking else _WARNS,
    }


def _range(userids: Sequence[str], department_ids: Sequence[int]) -> dict[str, list[Any]]:
    at_most(userids, _RANGE, "user_list")
    at_most(department_ids, _RANGE, "department_list")
    return {"user_list": list(userids), "department_list": list(department_ids)}


def _without(all_of: Sequence[Any], known: Sequence[Any]) -> list[Any]:
    return [each for each in all_of if each not in set(known)]


def _line_of(row: parsing.Json) -> InterceptRuleLine:
    return InterceptRuleLine(
        rule_id=parsing.required_text(row, "rule_id"),
        name=parsing.text(row.get("rule_name")),
        created_at=parsing.moment(row.get("create_time")),
    )


def _rule_of(rule_id: str, row: parsing.Json) -> InterceptRuleRecord:
    reach = parsing.optional_part(row, "applicable_range")
    return InterceptRuleRecord(
        rule_id=rule_id,
        name=parsing.text(row.get("rule_name")),
        words=parsing.names(row, "word_list"),
        userids=parsing.names(reach, "user_list"),
        department_ids=parsing.numbers(reach, "department_list"),
        meant=parsing.numbers(row, "semantics_list"),
        is_blocking=parsing.number(row.get("intercept_type")) == _BLOCKS,
    )
