"""Facts that start SOPs: a customer was added, a tag was given, a group was joined.

The timeline's fresh entries are the queue. A batch is claimed, everybody it means is enrolled and
the entries are marked as seen in one transaction: a worker that dies leaves all of it to the next.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction

from campaigns.actions.sops.enrolling import enter_sop
from campaigns.actions.sops.holding import share_active
from campaigns.models import Sop
from customers.models import TimelineEntry
from scrm.channels.pace import BUDGET, clock_from

logger = logging.getLogger(__name__)

_AT_A_TIME = 2_000
Condition = tuple[str, dict[str, Any]]


def enrol_from_facts(*, now: datetime) -> int:
    """Enrol whom fresh facts mean, in every SOP that waits for such facts; return how many."""
    clock = clock_from(now)
    enrolled = 0
    while clock() < now + BUDGET:
        taken = _take_batch(now=clock())
        if taken is None:
            break
        enrolled += taken
    return enrolled


@transaction.atomic
def _take_batch(*, now: datetime) -> int | None:
    fresh = TimelineEntry.objects.filter(is_fresh=True).order_by("pk")
    claimed = fresh.select_for_update(of=["self"], skip_locked=True)[:_AT_A_TIME]
    facts = list(claimed.values_list("pk", "corp_id", "type"))
    if not facts:
        return None
    ids = [pk for pk, _corp, _type in facts]
    words = {_TRIGGER_OF[kind] for _pk, _corp, kind in facts if kind in _TRIGGER_OF}
    waiting = Sop.objects.active().filter(corp__in={corp for _pk, corp, _type in facts})
    sops = share_active(waiting.triggered_by(*sorted(words)))
    enrolled = sum(_enrol_safely(sop, ids, now=now) for sop in sops)
    TimelineEntry.objects.filter(pk__in=ids).update(is_fresh=False)
    return enrolled


def _enrol_safely(sop: Sop, fact_ids: list[int], *, now: datetime) -> int:
    try:
        with transaction.atomic():
            return len(_enrol(sop, fact_ids, now=now))
    except OperationalError:
        # A deadlock, a time-out: the facts stay fresh, and the next run takes them again.
        raise
    except Exception:
        # One SOP that takes nobody must not keep the others from it.
        logger.exception("Enrolling failed", extra={"sop": sop.pk})
        return 0


def _enrol(sop: Sop, fact_ids: list[int], *, now: datetime) -> list[int]:
    word = sop.trigger["type"]
    condition, params = _CONDITIONS[word](sop.trigger)
    # Facts of the platform come in whole seconds.
    since = sop.activated_at and sop.activated_at.replace(microsecond=0)
    given = {"facts": fact_ids, "type": _FACT_OF[word], "since": since, **params}
    return enter_sop(sop, _ENTRANTS + condition + _ONCE, given, trigger=word, now=now)


_ENTRANTS = """
    SELECT DISTINCT ON (t.customer_id) t.customer_id, t.at, s.id, t.id
    FROM customers_timelineentry t
    LEFT JOIN tenancy_staff s ON s.corp_id = t.corp_id AND s.userid = t.data ->> 'staff'
    WHERE t.id = ANY(%(facts)s) AND t.corp_id = %(corp)s AND t.type = %(type)s
        AND t.at >= %(since)s"""
_ONCE = """
        AND NOT EXISTS (
            SELECT FROM campaigns_enrolment x
            WHERE x.sop_id = %(sop)s AND x.customer_id = t.customer_id
        )
    ORDER BY t.customer_id, t.at, t.id"""


def _added(trigger: dict[str, Any]) -> Condition:
    condition, params = "", {}
    if staff := trigger.get("staff"):
        condition += " AND t.data ->> 'staff' = ANY(%(staff)s)"
        params["staff"] = staff
    if state := trigger.get("state"):
        test = "starts_with({0}, %(state)s)" if state.endswith("*") else "{0} = %(state)s"
        condition += " AND " + test.format("coalesce(t.data ->> 'state', '')")
        params["state"] = state.removesuffix("*")
    return condition, params


def _tagged(trigger: dict[str, Any]) -> Condition:
    return " AND t.data ->> 'tag' = %(tag)s", {"tag": str(trigger["tag"])}


def _joined(trigger: dict[str, Any]) -> Condition:
    if chat_ids := trigger.get("chat_ids"):
        return " AND t.data ->> 'chat' = ANY(%(chats)s)", {"chats": chat_ids}
    condition = """
        AND EXISTS (
            SELECT FROM groups_groupchat g
            JOIN groups_groupchat_tags gt ON gt.groupchat_id = g.id
            WHERE g.corp_id = t.corp_id AND g.chat_id = t.data ->> 'chat'
                AND gt.grouptag_id = %(group_tag)s
        )"""
    return condition, {"group_tag": trigger["tag"]}


_CONDITIONS: dict[str, Callable[[dict[str, Any]], Condition]] = {
    Sop.Trigger.CUSTOMER_ADDED: _added,
    Sop.Trigger.TAG_ADDED: _tagged,
    Sop.Trigger.GROUP_JOINED: _joined,
}
_FACT_OF = {
    Sop.Trigger.CUSTOMER_ADDED: TimelineEntry.Type.FOLLOW_ADDED,
    Sop.Trigger.TAG_ADDED: TimelineEntry.Type.TAG_ADDED,
    Sop.Trigger.GROUP_JOINED: TimelineEntry.Type.GROUP_JOINED,
}
_TRIGGER_OF: dict[str, str] = {str(fact): str(word) for word, fact in _FACT_OF.items()}
