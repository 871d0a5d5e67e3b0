"""Lexicons, rules and the check over REST."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from risk.models import Lexicon, Publication, RiskRule
from scrm.tenancy.models import Corp
from tests.api.conftest import client_of
from tests.factories import make_corp, make_department, make_lexicon, make_risk_rule

CHECK = "/api/v1/risk/check/"
LEXICONS = "/api/v1/risk/lexicons/"
RULES = "/api/v1/risk/rules/"
LEXICON = {
    "name": "Private contact",
    "category": "diversion",
    "severity": "high",
    "words": ["加微信", "私下转账"],
}


def paths(response: Any) -> list[str]:
    assert response.status_code == 422, response.json()
    return [error["path"] for error in response.json()["errors"]]


def test_a_lexicon_holds_as_soon_as_it_is_made(brand: APIClient) -> None:
    created = brand.post(LEXICONS, LEXICON)
    verdict = brand.post(CHECK, {"text": "可以加 我 吗？加　微🌸信"}).json()

    assert created.status_code == 201
    assert verdict == {
        "verdict": "block",
        "hits": [
            {
                "rule": "Private contact",
                "category": "diversion",
                "severity": "high",
                "start": 8,
                "end": 13,
                "text": "加　微🌸信",
            }
        ],
    }


def test_a_lexicon_is_shown_changed_and_deleted(brand: APIClient, corp: Corp) -> None:
    department = make_department(corp)
    asked = LEXICON | {
        "draft": True,
        "allow": ["企业微信"],
        "directions": ["staff"],
        "departments": [department.department_id],
        "options": ["repeats", "pinyin"],
    }
    created = brand.post(LEXICONS, asked).json()
    url = f"{LEXICONS}{created['id']}/"

    changed = brand.patch(url, {"words": ["飞单"], "draft": False})

    assert {name: created[name] for name in asked} == asked
    assert (created["version"], changed.json()["version"]) == (1, 2)
    assert brand.get(url).json() == changed.json()
    assert brand.get(LEXICONS).json()["results"] == [changed.json()]
    assert brand.get(f"{LEXICONS}?severity=low").json()["results"] == []
    assert brand.delete(url).status_code == 204
    assert brand.post(CHECK, {"text": "飞单"}).json() == {"verdict": "pass", "hits": []}


def test_words_that_mean_the_same_are_kept_once_and_told(brand: APIClient) -> None:
    words = ["加微信", "加微信", "加 微 信", "ＶＸ", "vx", "微信"]

    answer = brand.post(LEXICONS, LEXICON | {"words": words}).json()

    assert answer["words"] == ["加微信", "ＶＸ", "微信"]
    assert answer["merged_words"] == ["加微信", "加 微 信", "vx"]
    hits = brand.post(CHECK, {"text": "加微信"}).json()["hits"]
    assert [(hit["start"], hit["end"]) for hit in hits] == [(0, 3), (1, 3)]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"words": []}, "/words"),
        ({"words": ["好", " "]}, "/words/1"),
        ({"words": ["好", ""]}, "/words/1"),
        ({"words": ["，。🌸"]}, "/words/0"),
        ({"words": ["C++"]}, "/words/0"),
        ({"words": ["长" * 65]}, "/words/0"),
        ({"words": "加微信"}, "/words"),
        ({"words": [1, None]}, "/words/1"),
        ({"name": " "}, "/name"),
        ({"name": "n" * 65}, "/name"),
        ({"category": ""}, "/category"),
        ({"severity": "deadly"}, "/severity"),
        ({"directions": ["staff", "nobody"]}, "/directions/1"),
        ({"departments": [404]}, "/departments/0"),
        ({"options": ["everything"]}, "/options/0"),
        ({"allow": [" "]}, "/allow/0"),
        ({"draft": "perhaps"}, "/draft"),
    ],
)
def test_says_what_is_wrong_with_a_lexicon(
    brand: APIClient, corp: Corp, change: dict[str, Any], path: str
) -> None:
    kept = make_lexicon(corp)

    for response in (
        brand.post(LEXICONS, LEXICON | change),
        brand.patch(f"{LEXICONS}{kept.pk}/", change),
    ):
        assert path in paths(response)
    assert list(Lexicon.objects.values_list("words", flat=True)) == [["加微信"]]


def test_a_lexicon_of_more_words_than_can_be_is_refused(brand: APIClient) -> None:
    words = [f"词{number}" for number in range(100_001)]

    assert paths(brand.post(LEXICONS, LEXICON | {"words": words})) == ["/words"]


def test_a_lexicon_without_anything_is_refused_field_by_field(brand: APIClient) -> None:
    assert paths(brand.post(LEXICONS, {})) == ["/name", "/category", "/severity", "/words"]


def test_a_name_is_taken_once(brand: APIClient, corp: Corp) -> None:
    make_lexicon(make_corp(), name=LEXICON["name"])

    assert brand.post(LEXICONS, LEXICON).status_code == 201
    assert paths(brand.post(LEXICONS, LEXICON)) == ["/name"]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"kind": "semantic"}, "/kind"),
        ({"kind": "phone", "settings": {"hosts": []}}, "/settings/hosts"),
        ({"kind": "link", "settings": {"hosts": ["https://a.b/c"]}}, "/settings/hosts/0"),
        ({"kind": "link", "settings": {"hosts": "a.b"}}, "/settings/hosts"),
        ({"kind": "words_together"}, "/settings/words"),
        ({"kind": "words_together", "settings": {"words": [["加"]]}}, "/settings/words"),
        ({"kind": "words_together", "settings": {"words": [["加"], []]}}, "/settings/words/1"),
        ({"kind": "words_together", "settings": {"words": [["加"], ["…"]]}}, "/settings/words/1/0"),
        (
            {"kind": "words_together", "settings": {"words": [["加"], ["微"]], "within": -1}},
            "/settings/within",
        ),
    ],
)
def test_says_what_is_wrong_with_a_rule(brand: APIClient, rule: dict[str, Any], path: str) -> None:
    body = {"name": "r", "category": "c", "severity": "low"} | rule

    assert path in paths(brand.post(RULES, body))
    assert not RiskRule.objects.exists()


def test_a_rule_is_made_changed_and_deleted(brand: APIClient) -> None:
    body = {"name": "Links", "category": "contact", "severity": "medium", "kind": "link"}
    created = brand.post(RULES, body)
    url = f"{RULES}{created.json()['id']}/"

    assert created.status_code == 201
    assert brand.post(CHECK, {"text": "看www.brand.com/x"}).json()["verdict"] == "warn"
    brand.patch(url, {"settings": {"hosts": ["Brand.com"]}})
    assert brand.get(url).json()["settings"] == {"hosts": ["brand.com"]}
    assert brand.post(CHECK, {"text": "看www.brand.com/x"}).json()["verdict"] == "pass"
    assert brand.delete(url).status_code == 204


def test_asks_only_the_rules_of_the_direction(brand: APIClient, corp: Corp) -> None:
    make_lexicon(corp, ["最佳"], directions=["campaign"], severity="medium")
    make_risk_rule(corp, "phone", directions=["staff"], severity="high")
    text = "最佳，13800138000"

    def verdict(**more: Any) -> str:
        answer: str = brand.post(CHECK, {"text": text} | more).json()["verdict"]
        return answer

    assert verdict(direction="campaign") == "warn"
    assert verdict(direction="staff") == "block"
    assert verdict(direction="customer") == "pass"
    assert verdict() == "block"
    assert paths(brand.post(CHECK, {"text": text, "direction": "x"})) == ["/direction"]


def test_checks_with_the_right_to_read(corp: Corp) -> None:
    reader = client_of(corp, "risk:read")

    assert reader.post(CHECK, {"text": "好"}).status_code == 200
    assert reader.post(LEXICONS, LEXICON).status_code == 403


def test_another_corps_words_do_not_hold(brand: APIClient, mallory: APIClient, corp: Corp) -> None:
    lexicon = make_lexicon(corp)

    assert mallory.post(CHECK, {"text": "加微信"}).json()["hits"] == []
    assert mallory.patch(f"{LEXICONS}{lexicon.pk}/", {"name": "x"}).status_code == 404


def test_a_text_of_a_megabyte_is_screened_and_a_longer_one_refused(
    brand: APIClient, corp: Corp
) -> None:
    make_lexicon(corp)

    verdict = brand.post(CHECK, {"text": "早" * (2**20 - 3) + "加微信"}).json()

    assert [(hit["start"], hit["end"]) for hit in verdict["hits"]] == [(2**20 - 3, 2**20)]
    assert paths(brand.post(CHECK, {"text": "早" * (2**20 + 1)})) == ["/text"]
    assert brand.post(CHECK, {"text": "早" * 3_000_000}).status_code == 413


def test_an_empty_text_passes_and_a_missing_one_is_told(brand: APIClient) -> None:
    assert brand.post(CHECK, {"text": ""}).json() == {"verdict": "pass", "hits": []}
    assert brand.post(CHECK, {"text": " \n"}).json()["verdict"] == "pass"
    assert paths(brand.post(CHECK, {})) == ["/text"]


def test_a_draft_raises_no_version(brand: APIClient) -> None:
    url = f"{LEXICONS}{brand.post(LEXICONS, LEXICON | {'draft': True}).json()['id']}/"
    brand.patch(url, {"words": ["飞单"]})

    assert not Publication.objects.exists()
    brand.patch(url, {"draft": False})
    brand.patch(url, {"draft": False})
    assert Publication.objects.get().version == 1
    brand.patch(url, {"draft": True})
    assert Publication.objects.get().version == 2
