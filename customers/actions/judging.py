"""Something was told of customers: what the rules of operators make of it, at once."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists

from customers.actions.stage_rules import judge_stages
from customers.actions.tag_rules import judge_tags
from customers.models import StageRule, TagRule
from scrm.tenancy.models import Corp


def judge_customers(customer_ids: Iterable[int], *, corp_id: int, now: datetime) -> None:
    """Automatic tags, then the stage, which may ask for them; customers locked by the caller.

    The night judges everybody again: what only time has changed is found there.
    """
    ids = sorted(set(customer_ids))
    if not ids:
        return
    # One look for both: most corps have rules of one kind or none.
    has_tag_rules, has_stage_rules = (
        Corp.objects.filter(pk=corp_id)
        .values_list(
            Exists(TagRule.objects.filter(corp=corp_id, is_active=True)),
            Exists(StageRule.objects.filter(corp=corp_id, is_active=True)),
        )
        .get()
    )
    if has_tag_rules:
        judge_tags(ids, corp_id=corp_id, now=now)
    if has_stage_rules:
        judge_stages(ids, corp_id=corp_id, now=now)
