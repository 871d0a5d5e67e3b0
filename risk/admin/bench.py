"""The test bench: type a text and see what is wrong with it, where, and why."""

import itertools
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from risk.actions.screening import Direction, VerdictWord
from risk.actions.trying import Trial, try_text
from risk.admin.prohibitions import DIRECTION_WORDS
from risk.admin.words import SEVERITY_TONES, severity_badge
from risk.models import Severity
from risk.screening.engine import Found
from scrm.common.badges import badge
from scrm.tenancy.scoped_admin import visible_corps

VERDICT_WORDS: dict[str, tuple[Any, str]] = {
    VerdictWord.PASS: (_("may be said"), "green"),
    VerdictWord.WARN: (_("warns"), "amber"),
    VerdictWord.BLOCK: (_("is blocked"), "red"),
}
_MOST = 20_000
_ROWS = 100
_RANK = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2}


@dataclass(frozen=True)
class Piece:
    """A stretch of the text that is covered by the same passages."""

    text: str
    tone: str = ""
    rules: str = ""


def bench_view(request: HttpRequest, model_admin: "ModelAdmin[Any]") -> HttpResponse:
    """The page, or (by POST) what is to be said about the text as it stands."""
    corps = visible_corps(request)
    if not corps:
        return HttpResponseRedirect(reverse("admin:index"))
    given = request.POST if request.method == "POST" else request.GET
    chosen = given.get("corp") or str(corps[0].pk)
    corp = next((each for each in corps if str(each.pk) == chosen), None)
    if corp is None:
        raise Http404
    text = given.get("text", "")[:_MOST].replace("\r\n", "\n")
    direction = given.get("direction") or ""
    trial = try_text(
        text,
        corp=corp,
        direction=Direction(direction) if direction in set(Direction) else None,
        with_drafts=given.get("drafts") == "on",
    )
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _t("Test bench"),
        "page_title": _t("Test bench"),
        "opts": model_admin.opts,
        "corps": corps,
        "corp": corp,
        "directions": DIRECTION_WORDS.items(),
        "direction": direction,
        "drafts": trial.with_drafts,
        "most": _MOST,
        **_told(trial),
    }
    template = "bench_verdict" if request.method == "POST" else "bench"
    return TemplateResponse(request, f"admin/risk/{template}.html", context)


def _told(trial: Trial) -> dict[str, Any]:
    words, tone = VERDICT_WORDS[trial.word]
    return {
        "trial": trial,
        "verdict": badge(words, tone),
        "pieces": pieces_of(trial.text, trial.found),
        "rows": [_row(trial.text, each) for each in trial.found[:_ROWS]],
        "more": max(len(trial.found) - _ROWS, 0),
    }


def pieces_of(text: str, found: tuple[Found, ...]) -> list[Piece]:
    """The text cut wherever a passage begins or ends."""
    cuts = sorted({0, len(text), *(each.start for each in found), *(each.end for each in found)})
    pieces = []
    for start, end in itertools.pairwise(cuts):
        over = [each.rule for each in found if each.start <= start and end <= each.end]
        if not over:
            pieces.append(Piece(text[start:end]))
            continue
        worst = max(over, key=lambda rule: _RANK[Severity(rule.severity)])
        names = ", ".join(dict.fromkeys(rule.name for rule in over))
        tone = SEVERITY_TONES[Severity(worst.severity)]
        pieces.append(Piece(text[start:end], tone, names))
    return pieces


def _row(text: str, found: Found) -> dict[str, Any]:
    model, _, key = found.rule.key.partition(":")
    grade: SafeString = severity_badge(found.rule.severity)
    return {
        "rule": found.rule.name,
        "link": reverse(f"admin:risk_{model}_change", args=[key]),
        "category": found.rule.category,
        "grade": grade,
        "text": text[found.start : found.end],
        "start": found.start,
        "end": found.end,
    }
