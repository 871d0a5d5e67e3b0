"""Stage rules: where a customer stands, by facts.

The rules have an order; the first one that means a customer decides. Whom none means keeps the
stage. They range over everybody who is followed or was (so that «lost» can be said), and leave
alone for a while what a person or the brand's own system has set (`Customer.stage_held_until`).
They are judged for single customers when they come or go, and for all at night.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.utils.translation import gettext as _

from customers.actions.segments import CompiledRule, describe_rule, validate_rule
from customers.models import Customer, CustomerQuerySet, Follow, Stage, StageRule
from customers.segments.sql import Translator
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.jobs.actions.running import Outcome, note_progress, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

RUNNING = "stage-rules.run"
# So many ids that a step takes a second or so, whatever the rules ask.
_IDS_A_STEP = 20_000
_NIGHTLY_HOURS = range(4, 8)
_NIGHTLY_EVERY = timedelta(hours=20)


@dataclass(frozen=True)
class Counted:
    """For how many customers a rule decides, and how many of them it would move."""

    rule: StageRule
    words: str
    problem: str
    customers: int
    moving: int


@dataclass(frozen=True)
class _Readable:
    rule: StageRule
    compiled: CompiledRule


def judge_stages(customer_ids: Iterable[int], *, corp_id: int, now: datetime) -> int:
    """Put single customers, locked by the caller, where the active rules say; return how many moved."""
    ids = sorted(set(customer_ids))
    if not ids:
        return 0
    rules = _active(corp_id)
    if not rules:
        return 0
    chosen = Customer.objects.filter(pk__in=ids)
    return _move(chosen, _readable(rules), corp=rules[0].corp, now=now)


@transaction.atomic
def save_stage_rule(  # noqa: PLR0913 (a rule, spelled out)
    rule: StageRule | None,
    *,
    stage: Stage,
    condition: Mapping[str, Any],
    order: int,
    is_active: bool,
    corp: Corp,
    actor: Actor,
    now: datetime,
) -> StageRule:
    """Make a rule or change it; raises InvalidInput that names what is wrong with the condition."""
    validate_rule(condition, corp=corp)
    if stage.corp_id != corp.pk:
        message = _("There is no such stage.")
        raise InvalidInput(message, errors=(FieldProblem("/stage", "unknown", message),))
    saved = rule or StageRule(corp=corp)
    verb = "changed" if saved.pk else "created"
    saved.stage, saved.rule, saved.order, saved.is_active = stage, dict(condition), order, is_active
    saved.save()
    data = {"stage": stage.key, "rule": saved.rule, "order": order, "is_active": is_active}
    record(f"stage_rules.{verb}", actor=actor, corp=corp, subject=saved, now=now, data=data)
    return saved


@transaction.atomic
def delete_stage_rule(rule: StageRule, *, actor: Actor, now: datetime) -> None:
    """Delete a rule; whoever stands at its stage stays there."""
    data = {"stage": rule.stage.key, "rule": rule.rule}
    record("stage_rules.deleted", actor=actor, corp=rule.corp, subject=rule, now=now, data=data)
    rule.delete()


def problem_of(rule: StageRule) -> str:
    """Why a saved rule is passed over, such as a tag that was deleted since; empty when it is not."""
    try:
        validate_rule(rule.rule, corp=rule.corp)
    except InvalidInput as error:
        return str(error.detail)
    return ""


def preview_stage_rules(rules: Sequence[StageRule], *, corp: Corp, now: datetime) -> list[Counted]:
    """What these rules, in their order and whether switched on or not, would decide now."""
    readable = _readable(rules)
    counts: dict[int, tuple[int, int]] = {}
    if readable:
        rows = _judged(Customer.objects.for_corp(corp), readable, corp=corp, now=now)
        free = Q(stage_held_until__isnull=True) | Q(stage_held_until__lte=now)
        wanted = Case(
            *(When(decides=each.rule.pk, then=Value(each.rule.stage_id)) for each in readable),
            output_field=IntegerField(),
        )
        elsewhere = Q(stage__isnull=True) | ~Q(stage_id=F("wanted"))
        counted = (
            rows.annotate(wanted=wanted)
            .order_by()
            .values("decides")
            .annotate(customers=Count("pk"), moving=Count("pk", filter=free & elsewhere))
        )
        counts = {row["decides"]: (row["customers"], row["moving"]) for row in counted}
    return [
        Counted(rule, _words(rule), problem_of(rule), *counts.get(rule.pk, (0, 0)))
        for rule in rules
    ]


def meant_by(condition: object, *, corp: Corp, now: datetime) -> CustomerQuerySet:
    """Whom a condition means among those that rules range over, whatever other rules say."""
    node = validate_rule(condition, corp=corp).node
    return _ranged(Customer.objects.for_corp(corp)).filter(Translator(corp, now).q(node))


def start_stage_run(corp: Corp, *, now: datetime) -> Job:
    """Judge everybody by the active rules; done by a job, in steps."""
    return start_job(RUNNING, corp=corp, now=now)


def start_nightly_runs(*, now: datetime) -> int:
    """Start a run for every corp with rules whose night it is and whose last one is a day old."""
    started = 0
    with_rules = StageRule.objects.filter(is_active=True).values("corp")
    for corp in Corp.objects.filter(pk__in=with_rules).order_by("pk"):
        runs = Job.objects.for_corp(corp).filter(kind=RUNNING, created_at__gt=now - _NIGHTLY_EVERY)
        if now.astimezone(corp.zone).hour in _NIGHTLY_HOURS and not runs.exists():
            start_stage_run(corp, now=now)
            started += 1
    return started


def register_jobs() -> None:
    register_job(RUNNING, _run)


def _run(job: Job, clock: Callable[[], datetime]) -> Outcome:
    everybody = Customer.objects.for_corp(job.corp)
    until = everybody.aggregate(last=Max("pk"))["last"] or 0
    state: dict[str, int] = job.state or {"after": 0, "moved": 0}
    total = job.total if job.total is not None else everybody.count()
    while state["after"] < until:
        first, last = state["after"], state["after"] + _IDS_A_STEP
        step = everybody.filter(pk__gt=first, pk__lte=last)
        with transaction.atomic():
            # Read anew for each step: somebody may switch a rule off while a long run goes on.
            rules = _readable(_active(job.corp_id))
            moved = _move(step, rules, corp=job.corp, now=clock())
            state = {"after": last, "moved": state["moved"] + moved}
            done = job.done + step.count()
            note_progress(job, now=clock(), done=done, total=total, state=state)
    passed_over = [
        {"message": f"{rule.order}: {problem}"}
        for rule in _active(job.corp_id)
        if (problem := problem_of(rule))
    ]
    return Outcome({"customers": job.done, "moved": state["moved"]}, tuple(passed_over))


def _active(corp_id: int) -> list[StageRule]:
    rules = StageRule.objects.filter(corp=corp_id, is_active=True)
    return list(rules.select_related("corp", "stage").order_by("order", "pk"))


def _readable(rules: Sequence[StageRule]) -> list[_Readable]:
    """Without rules that have lost their meaning; `problem_of` tells of them."""
    readable = []
    for rule in rules:
        try:
            readable.append(_Readable(rule, validate_rule(rule.rule, corp=rule.corp)))
        except InvalidInput:
            continue
    return readable


def _judged(
    customers: CustomerQuerySet, rules: Sequence[_Readable], *, corp: Corp, now: datetime
) -> QuerySet[Any, Any]:
    """The customers that rules range over, with the rule that decides, or None, as `decides`."""
    translator = Translator(corp, now)
    cases = [When(translator.q(each.compiled.node), then=Value(each.rule.pk)) for each in rules]
    decides = Case(*cases, output_field=IntegerField())
    return _ranged(customers).annotate(decides=decides)


def _ranged(customers: CustomerQuerySet) -> CustomerQuerySet:
    """Who is followed, or was; not who is known from a group chat only."""
    return customers.filter(Exists(Follow.objects.filter(customer=OuterRef("pk"))))


def _move(
    customers: CustomerQuerySet, rules: Sequence[_Readable], *, corp: Corp, now: datetime
) -> int:
    if not rules:
        return 0
    judged = _judged(customers.for_corp(corp), rules, corp=corp, now=now)
    sql, params = judged.order_by().values("pk", "updated_at", "decides").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH judged (id, updated_at, rule_id) AS ({sql}),
            moving AS MATERIALIZED (
                SELECT c.id, c.stage_id AS before, r.stage_id AS after, r.id AS rule_id
                FROM judged j
                JOIN customers_stagerule r ON r.id = j.rule_id
                JOIN customers_customer c ON c.id = j.id
                WHERE c.stage_id IS DISTINCT FROM r.stage_id
                  AND (c.stage_held_until IS NULL OR c.stage_held_until <= %s)
                  -- Whoever changed while we looked was judged by then, or will be next time.
                  AND c.updated_at = j.updated_at
                ORDER BY c.id FOR NO KEY UPDATE OF c
            ), moved AS (
                UPDATE customers_customer c SET stage_id = moving.after, updated_at = %s
                FROM moving WHERE c.id = moving.id
            ), noted AS (
                INSERT INTO customers_timelineentry
                    (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
                SELECT %s, moving.id, 'stage.changed', %s,
                    jsonb_build_object('from', b.key, 'to', a.key,
                        'reason', 'stage_rule', 'stage_rule', moving.rule_id),
                    'rule', %s, false
                FROM moving
                JOIN customers_stage a ON a.id = moving.after
                LEFT JOIN customers_stage b ON b.id = moving.before
            )
            SELECT count(*) FROM moving
            """,  # noqa: S608
            [*params, now, now, corp.pk, now, now],
        )
        return int(cursor.fetchone()[0])


def _words(rule: StageRule) -> str:
    try:
        return describe_rule(rule.rule, corp=rule.corp)
    except InvalidInput:
        return "—"
