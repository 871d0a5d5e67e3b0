"""Whom a campaign goes to, who is asked to send it to each, and who is left out and why.

One statement says it all (`verdicts_sql`); the preflight counts its rows and planning keeps them,
so that what was shown is what will be done.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet

from campaigns.models import Campaign, Recipient
from customers.actions.segments import customers_of
from customers.models import Customer
from customers.models.customers import CustomerQuerySet
from scrm.tenancy.models import Staff

# Which live follow speaks to the customer (api.md, exact meanings 9).
_FOLLOW_ORDER = {
    Campaign.SenderPolicy.LAST_CHAT: (
        "f.last_interaction_at DESC NULLS LAST, f.added_at DESC, f.id DESC"
    ),
    Campaign.SenderPolicy.OWNER: "f.is_owner DESC, f.added_at, f.id",
    # Of the named ones who can be asked, the one she talked with last.
    Campaign.SenderPolicy.NAMED: (
        "(s.status = 'active') DESC, f.last_interaction_at DESC NULLS LAST, f.added_at DESC, f.id"
    ),
}


@dataclass(frozen=True)
class Statement:
    sql: str
    params: tuple[Any, ...]


def audience_of(campaign: Campaign, *, now: datetime) -> CustomerQuerySet:
    """The customers the campaign is meant for, before exclusions.

    A submitted campaign uses the rule as it was when it was submitted.
    """
    customers = Customer.objects.for_corp(campaign.corp)
    if campaign.external_userids is not None:
        return customers.filter(external_userid__in=campaign.external_userids)
    rule = campaign.rule
    if rule is None and campaign.segment is not None:
        rule = campaign.segment.rule
    if rule is None:
        return customers.none()
    return customers_of(rule, corp=campaign.corp, now=now)


def verdicts_sql(campaign: Campaign, audience: CustomerQuerySet) -> Statement:
    """SELECT customer_id, staff_id, status, reason: one row for each customer of the audience."""
    members_sql, members_params = _members_sql(audience)
    senders_sql, senders_params = _named_only(campaign)
    order = _FOLLOW_ORDER[Campaign.SenderPolicy(campaign.sender_policy)]
    reason = """
        CASE WHEN c.is_blocked THEN %s
             WHEN c.live_follows = 0 THEN %s
             WHEN f.staff_id IS NULL THEN %s
             WHEN f.staff_status <> 'active' THEN %s
             ELSE '' END"""
    sql = f"""
        SELECT customer_id, staff_id, reason,
               CASE WHEN reason = '' THEN %s ELSE %s END AS status
        FROM (SELECT c.id AS customer_id, f.staff_id, {reason} AS reason
              FROM ({members_sql}) AS c (id, is_blocked, live_follows)
              LEFT JOIN LATERAL (
                  SELECT f.staff_id, s.status AS staff_status
                  FROM customers_follow f JOIN tenancy_staff s ON s.id = f.staff_id
                  WHERE f.corp_id = %s AND f.customer_id = c.id AND f.status = 'live' {senders_sql}
                  ORDER BY {order} LIMIT 1
              ) AS f ON true) AS judged"""  # noqa: S608 — made of our own constants
    reasons = Recipient.Reason
    params = (
        Recipient.Status.PLANNED,
        Recipient.Status.EXCLUDED,
        reasons.BLOCKED,
        reasons.NO_LIVE_FOLLOW,
        reasons.NOT_FOLLOWED_BY_SENDER,
        reasons.SENDER_INACTIVE,
        *members_params,
        campaign.corp_id,
        *senders_params,
    )
    return Statement(sql, params)


def _members_sql(audience: CustomerQuerySet) -> tuple[str, tuple[Any, ...]]:
    try:
        query = audience.order_by().values("pk", "is_blocked", "live_follows").query
        return query.sql_with_params()
    except EmptyResultSet:
        # Django knows without asking that nobody is meant (an empty list, `{"any": []}`).
        return "SELECT 0, false, 0 WHERE false", ()


def _named_only(campaign: Campaign) -> tuple[str, tuple[Any, ...]]:
    if campaign.sender_policy != Campaign.SenderPolicy.NAMED:
        return "", ()
    named = Staff.objects.filter(pk__in=campaign.senders.values("pk")).values_list("pk", flat=True)
    return "AND f.staff_id = ANY(%s)", (list(named),)
