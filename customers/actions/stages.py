"""Where customers stand in their life with the brand."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from customers.models import Customer, Stage
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


def ensure_stages(corp: Corp) -> None:
    """Give a corp that has no stages the default ones; what operators made of theirs stays."""
    if Stage.objects.for_corp(corp).exists():
        return
    Stage.objects.bulk_create(
        [
            Stage(corp=corp, key=key, name=name, order=order)
            for order, (key, name) in enumerate(DEFAULT_STAGES.items(), start=1)
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def set_stage(customer: Customer, *, key: str | None, actor: Actor, now: datetime) -> Stage | None:
    """Move a customer to the stage with this key; None takes the stage away."""
    stage = _find_stage(key, corp=customer.corp) if key is not None else None
    # Two operators at once: the second must record what the first made of it.
    locked = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
    before = locked.stage
    if before != stage:
        Customer.objects.filter(pk=customer.pk).update(stage=stage, updated_at=now)
        record(
            "customers.stage_changed",
            actor=actor,
            corp=customer.corp,
            subject=customer,
            now=now,
            data={"from": before and before.key, "to": key},
        )
        customer.updated_at = now
    customer.stage = stage
    return stage


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
