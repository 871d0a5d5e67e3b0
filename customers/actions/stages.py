"""Where customers stand in their life with the brand."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from customers.actions.timeline import Fact, by_whom, note_facts, source_of
from customers.models import Customer, Stage, StageRule, TimelineEntry
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

# Rows of the corp from the start on, so that operators may rename them.
DEFAULT_STAGES = {
    "aware": "认知",
    "interest": "兴趣",
    "purchase": "购买",
    "repeat": "复购",
    "advocate": "推广者",
    "at_risk": "流失预警",
    "lost": "流失",
}
# Rules to begin with, as far as facts exist; somebody looks at them before they are switched on.
SUGGESTED_RULES: dict[str, dict[str, Any]] = {
    "lost": {"all": [{"field": "staff", "op": "is_empty", "value": True}]},
    "interest": {"all": [{"field": "last_interaction_at", "op": "within_days", "value": 30}]},
    "aware": {
        "all": [
            {"field": "added_at", "op": "within_days", "value": 30},
            {"field": "last_interaction_at", "op": "is_empty", "value": True},
        ]
    },
}
# How long rules leave alone what somebody has said.
HOLD = timedelta(days=30)
_HOLDING = {TimelineEntry.Source.PERSON, TimelineEntry.Source.API}
_REASONS = {TimelineEntry.Source.PERSON: "by_hand", TimelineEntry.Source.API: "api"}


def ensure_stages(corp: Corp) -> None:
    """Give a corp that has no stages the default ones, with rules that are switched off.

    What operators made of theirs stays.
    """
    if Stage.objects.for_corp(corp).exists():
        return
    Stage.objects.bulk_create(
        [
            Stage(corp=corp, key=key, name=name, order=order)
            for order, (key, name) in enumerate(DEFAULT_STAGES.items(), start=1)
        ],
        ignore_conflicts=True,
    )
    stages = {stage.key: stage for stage in Stage.objects.for_corp(corp)}
    StageRule.objects.bulk_create(
        StageRule(corp=corp, stage=stages[key], rule=rule, order=order, is_active=False)
        for order, (key, rule) in enumerate(SUGGESTED_RULES.items(), start=1)
    )


@transaction.atomic
def set_stage(
    customer: Customer,
    *,
    key: str | None,
    actor: Actor,
    now: datetime,
    source: TimelineEntry.Source | None = None,
    why: Mapping[str, Any] | None = None,
) -> Stage | None:
    """Move a customer to the stage with this key; None takes the stage away.

    What a person or the brand's own system says is kept for a while: rules leave it alone.
    """
    stage = _find_stage(key, corp=customer.corp) if key is not None else None
    # Two operators at once: the second must record what the first made of it.
    locked = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    before = locked.stage
    source = source or source_of(actor)
    if source in _HOLDING:
        customer.stage_held_until = now + HOLD
        Customer.objects.filter(pk=customer.pk).update(stage_held_until=now + HOLD)
    if before != stage:
        Customer.objects.filter(pk=customer.pk).update(stage=stage, updated_at=now)
        data = {"from": before and before.key, "to": key}
        record(
            "customers.stage_changed",
            actor=actor,
            corp=customer.corp,
            subject=customer,
            now=now,
            data=data,
        )
        told = data | {"reason": _REASONS.get(source, source)} | by_whom(actor) | dict(why or {})
        fact = Fact(customer.pk, TimelineEntry.Type.STAGE_CHANGED, now, source, told)
        note_facts([fact], corp=customer.corp, now=now)
        customer.updated_at = now
    customer.stage = stage
    return stage


@transaction.atomic
def move_customers(
    customer_ids: Iterable[int],
    stage: Stage | None,
    *,
    corp: Corp,
    now: datetime,
    source: TimelineEntry.Source,
    why: Mapping[str, Any],
) -> int:
    """Move many customers to a stage, except those whom somebody keeps where they are."""
    ids = sorted(set(customer_ids))
    if not ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH moving AS MATERIALIZED (
                SELECT c.id, c.stage_id FROM customers_customer c
                WHERE c.corp_id = %(corp)s AND c.id = ANY(%(ids)s::bigint[])
                  AND c.stage_id IS DISTINCT FROM %(stage)s::bigint
                  AND (c.stage_held_until IS NULL OR c.stage_held_until <= %(now)s)
                ORDER BY c.id FOR NO KEY UPDATE
            ), moved AS (
                UPDATE customers_customer c
                SET stage_id = %(stage)s::bigint, updated_at = %(now)s
                FROM moving WHERE c.id = moving.id
            ), noted AS (
                INSERT INTO customers_timelineentry
                    (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
                SELECT %(corp)s, moving.id, 'stage.changed', %(now)s,
                    jsonb_build_object('from', s.key, 'to', %(key)s::text) || %(why)s::jsonb,
                    %(source)s, %(now)s, false
                FROM moving LEFT JOIN customers_stage s ON s.id = moving.stage_id
            )
            SELECT count(*) FROM moving
            """,
            {
                "corp": corp.pk,
                "ids": ids,
                "stage": stage.pk if stage else None,
                "key": stage.key if stage else None,
                "now": now,
                "why": json.dumps(dict(why)),
                "source": source,
            },
        )
        return int(cursor.fetchone()[0])


def _find_stage(key: str, *, corp: Corp) -> Stage:
    ensure_stages(corp)
    stages = {stage.key: stage for stage in Stage.objects.for_corp(corp)}
    if key not in stages:
        message = _("There is no stage %(key)s; there are: %(keys)s.") % {
            "key": key,
            "keys": ", ".join(sorted(stages)),
        }
        raise InvalidInput(message, errors=(FieldProblem("/stage", "unknown", message),))
    return stages[key]
