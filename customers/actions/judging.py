"""Something was told of customers: what the rules of operators make of it, at once."""

from collections.abc import Iterable
from datetime import datetime

from customers.actions.stage_rules import judge_stages
from customers.actions.tag_rules import judge_tags


def judge_customers(customer_ids: Iterable[int], *, corp_id: int, now: datetime) -> None:
    """Automatic tags, then the stage, which may ask for them; customers locked by the caller.

    The night judges everybody again: what only time has changed is found there.
    """
    ids = sorted(set(customer_ids))
    judge_tags(ids, corp_id=corp_id, now=now)
    judge_stages(ids, corp_id=corp_id, now=now)
