"""Lexicons and rules in the admin: written, imported, published, tried, taken from a pack."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from risk.actions.packs import packs
from risk.actions.screening import screen_text
from risk.models import Lexicon, RiskRule
from scrm.audit.models import AuditEntry
from scrm.tenancy.models import Corp
from tests.admin.conftest import Enter, speak
from tests.admin.test_scope import page
from tests.factories import make_corp, make_department, make_lexicon, make_risk_rule

BENCH = "/admin/risk/lexicon/bench/"
LEXICON = {
    "name": "飞单",
    "category": "飞单",
    "severity": "high",
    "words": "加微信\n\n 私下转账 \n",
}
DIALOG = {"_form_submitted": "True"}


def press(client: Client, row: Lexicon | RiskRule, button: str) -> None:
    client.post(f"{page(type(row), 'changelist')}{row.pk}/{button}/", DIALOG)


def test_a_lexicon_is_written_one_word_a_line_and_holds(lin: Client, corp: Corp) -> None:
    lin.post(page(Lexicon, "add"), LEXICON | {"options": ["repeats"], "allow": "企业微信"})

    lexicon = Lexicon.objects.get()
    assert (lexicon.words, lexicon.allow) == (["加微信", "私下转账"], ["企业微信"])
    assert (lexicon.sees_repeats, lexicon.sees_pinyin) == (True, False)
    assert screen_text("加加微信", corp=corp).is_blocked


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_words_are_imported_from_a_file(lin: Client, corp: Corp, encoding: str) -> None:
    file = SimpleUploadedFile("words.txt", "扫我的码,\r\n私下转账\r\n\r\n".encode(encoding))

    lin.post(page(Lexicon, "add"), LEXICON | {"word_file": file})

    assert Lexicon.objects.get().words == ["加微信", "私下转账", "扫我的码"]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"words": ""}, "words"), ({"words": "好\n，，"}, "words"), ({"allow": "🌸"}, "allow")],
)
def test_what_is_wrong_is_told_beside_the_field(
    lin: Client, corp: Corp, change: dict[str, str], field: str
) -> None:
    answer = lin.post(page(Lexicon, "add"), LEXICON | change)

    assert field in answer.context["adminform"].form.errors
    assert not Lexicon.objects.exists()


def test_the_form_shows_what_is_kept_and_changes_it(lin: Client, corp: Corp) -> None:
    department = make_department(corp)
    lexicon = make_lexicon(
        corp,
        ["加微信"],
        options=["pinyin"],
        directions=["staff"],
        departments=[department.department_id],
    )
    address = page(Lexicon, "change", lexicon.pk)

    form = lin.get(address).context["adminform"].form
    shown = {name: form[name].value() for name in ("words", "options", "directions")}
    lin.post(address, LEXICON | {"words": "加微信\n飞单", "departments": [department.pk]})

    lexicon.refresh_from_db()
    assert shown == {"words": "加微信", "options": ["pinyin"], "directions": ["staff"]}
    assert (lexicon.words, lexicon.version) == (["加微信", "飞单"], 2)
    assert list(lexicon.departments.all()) == [department]
    assert AuditEntry.objects.get(action="lexicons.changed").data["added"] == ["飞单"]
    assert "飞单" in lin.get(address).content.decode()


def test_a_draft_is_published_and_taken_back(lin: Client, corp: Corp) -> None:
    lexicon = make_lexicon(corp, ["加微信"], is_draft=True)

    press(lin, lexicon, "publish")
    published = screen_text("加微信", corp=corp).is_blocked
    press(lin, lexicon, "withdraw")
    withdrawn = not screen_text("加微信", corp=corp).hits
    press(lin, lexicon, "remove")

    assert (published, withdrawn, Lexicon.objects.count()) == (True, True, 0)


def test_the_bench_marks_what_is_found_and_says_why(lin: Client, corp: Corp) -> None:
    lexicon = make_lexicon(corp, ["加微x信", "x信b号"], name="Private", is_draft=True)
    speak(lin, "en")

    def tried(**more: str) -> str:
        return lin.post(BENCH, {"text": "請加微 Ⓧ信<b>号"} | more).content.decode()

    assert "may be said" in tried()
    answer = tried(drafts="on")
    assert "is blocked" in answer
    assert reverse("admin:risk_lexicon_change", args=[lexicon.pk]) in answer
    assert '<mark class="scrm-mark scrm-red" title="Private">加微 </mark>' in answer
    assert "&lt;b&gt;" in answer
    assert "请加微x信b号" in answer


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("address", [BENCH, "/admin/risk/lexicon/packs/"])
def test_the_bench_and_the_packs_answer(
    lin: Client, corp: Corp, language: str, address: str
) -> None:
    make_corp(name="Other brand")
    answer = speak(lin, language).get(address, {"text": "好"})

    assert answer.status_code == 200
    assert "Other brand" in answer.content.decode()


def test_a_pack_becomes_a_draft(lin: Client, corp: Corp) -> None:
    address = "/admin/risk/lexicon/packs/"

    for key in packs():
        lin.post(address, {"pack": key, "corp": corp.pk})
        again = lin.post(address, {"pack": key, "corp": corp.pk}, follow=True)
        assert len(list(again.context["messages"])) >= 1

    assert Lexicon.objects.filter(corp=corp, is_draft=True).count() == len(packs()) == 5


def test_a_rule_is_written_and_holds(lin: Client, corp: Corp) -> None:
    rule = {"name": "加 … 微信", "category": "飞单", "severity": "medium"}
    words = {"first_words": "加\n添加", "second_words": "微信\nvx", "within": "6"}

    wrong = lin.post(page(RiskRule, "add"), rule | {"kind": "words_together"})
    lin.post(page(RiskRule, "add"), rule | {"kind": "words_together"} | words)
    kept = RiskRule.objects.get()
    lin.post(page(RiskRule, "change", kept.pk), rule | {"kind": "link", "hosts": "brand.com"})

    assert set(wrong.context["adminform"].form.errors) == {"first_words", "second_words"}
    assert kept.settings == {"words": [["加", "添加"], ["微信", "vx"]], "within": 6}
    kept.refresh_from_db()
    assert kept.settings == {"hosts": ["brand.com"]}


def test_who_sees_a_department_reads_the_rules_and_changes_none(corp: Corp, enter: Enter) -> None:
    lexicon, rule = make_lexicon(corp, ["加微信"]), make_risk_rule(corp)
    lead = enter("lead", corp=corp, departments=[make_department(corp)])

    for row in (lexicon, rule):
        address = page(type(row), "change", row.pk)
        assert lead.get(address).status_code == 200
        assert lead.post(address, LEXICON).status_code == 403
        press(lead, row, "withdraw")
        press(lead, row, "remove")
    lead.post(page(Lexicon, "add"), LEXICON)

    assert Lexicon.objects.get().is_draft is False
    assert RiskRule.objects.get().is_draft is False


def test_another_corps_rules_are_not_to_be_tried(mallory: Client, corp: Corp) -> None:
    make_lexicon(corp, ["加微信"])

    assert mallory.get(BENCH, {"corp": str(corp.pk), "text": "加微信"}).status_code == 404
    assert mallory.post("/admin/risk/lexicon/packs/", {"corp": corp.pk}).status_code == 404
