"""The picture of a SOP: how far each step has come, and who was left out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from campaigns.actions.sops.dates import left_out
from campaigns.actions.sops.reading import StepFigures, enrolment_counts, figures_of
from campaigns.actions.sops.simulating import Simulation
from campaigns.admin.sop_words import (
    ENROLMENT_TONES,
    ICONS,
    RUN_TONES,
    SOP_TONES,
    Names,
    action_words,
    reason_words,
    rule_words,
    time_words,
    trigger_words,
)
from campaigns.models import Enrolment, Sop, Step, StepRun
from customers.models import Customer
from scrm.common.badges import badge, status_badge
from scrm.tenancy.models import Scope

_ASKED = _("asked, the platform has not answered")
_MOST_LEFT_OUT = 50
_COUNTED_LEFT_OUT = 10_000


@dataclass(frozen=True)
class Part:
    """One colour of a step's bar."""

    word: str
    name: Any
    tone: str
    count: int
    width: float
    link: str


@dataclass(frozen=True)
class Row:
    """A step as a line of the page."""

    step: Step
    icon: str
    when: str
    kind: str
    words: str
    condition: str
    parts: list[Part]
    total: int
    delivered: int | None
    reasons: list[tuple[Any, int]]


@dataclass(frozen=True)
class Picture:
    sop: Sop
    badge: SafeString
    trigger: str
    exit: str
    counts: list[tuple[Any, str, int, str]]
    rows: list[Row]
    left_out: list[Customer]
    left_out_count: int
    is_partial: bool


def picture_of(sop: Sop, *, scope: Scope) -> Picture:
    """Figures of what this person may see; three statements for any number of runs."""
    enrolments = Enrolment.objects.filter(sop=sop).in_scope(scope)
    counts = enrolment_counts(enrolments)
    figures = figures_of(sop, scope=scope)
    names = Names(sop.corp, [each.step for each in figures])
    strangers = left_out(sop).in_scope(scope)
    return Picture(
        sop=sop,
        badge=status_badge(sop, SOP_TONES),
        trigger=trigger_words(sop),
        exit=rule_words(sop.exit, sop.corp),
        counts=[
            (label, ENROLMENT_TONES[word], counts[word], enrolments_link(sop, status=word))
            for word, label in Enrolment.Status.choices
        ],
        rows=[_row(sop, each, names) for each in figures],
        left_out=list(strangers[:_MOST_LEFT_OUT]),
        left_out_count=strangers[:_COUNTED_LEFT_OUT].count(),
        is_partial=not scope.everything and sop.corp_id not in scope.corp_ids,
    )


def enrolments_link(sop: Sop, **filters: Any) -> str:
    query = urlencode({"sop": sop.pk, **filters})
    return f"{reverse('admin:campaigns_enrolment_changelist')}?{query}"


def runs_link(step: Step, **filters: Any) -> str:
    query = urlencode({"step": step.pk, **filters})
    return f"{reverse('admin:campaigns_steprun_changelist')}?{query}"


def _row(sop: Sop, figures: StepFigures, names: Names) -> Row:
    step = figures.step
    total = sum(getattr(figures, word) for word in _WORDS)
    return Row(
        step=step,
        icon=ICONS[Step.Action(step.action["kind"])],
        when=time_words(step),
        kind=str(Step.Action(step.action["kind"]).label),
        words=action_words(step, names=names),
        condition=rule_words(step.condition, sop.corp),
        parts=[_part(step, word, getattr(figures, word), total) for word in _WORDS],
        total=total,
        # Before anybody was asked nobody can say that nothing arrived.
        delivered=figures.delivered if figures.done else None,
        reasons=[
            (reason_words(word), count)
            for word, count in sorted(figures.reasons.items(), key=lambda pair: -pair[1])
        ],
    )


_WORDS = ("done", "asked", "pending", "skipped", "missed", "failed")


def _part(step: Step, word: str, count: int, total: int) -> Part:
    status = "pending" if word == "asked" else word
    name = _ASKED if word == "asked" else StepRun.Status(status).label
    tone = "teal" if word == "asked" else RUN_TONES[status]
    width = 100 * count / total if total else 0
    return Part(word, name, tone, count, width, runs_link(step, status=status))


@dataclass(frozen=True)
class SimulatedRun:
    when: str
    due_at: datetime
    words: str
    icon: str
    badge: SafeString


def simulated(simulation: Simulation) -> dict[str, Any]:
    steps = [run.step for run in simulation.runs]
    names = Names(steps[0].sop.corp, steps) if steps else None
    return {
        "anchor": simulation.anchor,
        "runs": [
            SimulatedRun(
                time_words(run.step),
                run.due_at,
                action_words(run.step, names=names) if names else "",
                ICONS[Step.Action(run.step.action["kind"])],
                badge(
                    reason_words(run.reason) if run.reason else StepRun.Status(run.status).label,
                    RUN_TONES[run.status],
                ),
            )
            for run in simulation.runs
        ],
    }
