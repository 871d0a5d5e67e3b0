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
from customers.models import Customer, HandoverItem
from customers.models.customers import CustomerQuerySet
from groups.models import GroupChat, GroupChatQuerySet
from scrm.tenancy.models import Corp, Staff

Audience = CustomerQuerySet | GroupChatQuerySet

# Which live follow speaks to the customer (api.md, exact meanings 9).
_FOLLOW_ORDER = {
    Campaign.SenderPolicy.LAST_CHAT: (
        "f.last_interaction_at DESC NULLS LAST, f.added_at DESC, f.id DESC"
    ),
    Campaign.SenderPolicy.OWNER: "f.is_owner DESC, f.added_at, f.id",
    # Of the named ones who can be asked (`_named_only` orders by that), whom she talked with last.
    Campaign.SenderPolicy.NAMED: "f.last_interaction_at DESC NULLS LAST, f.added_at DESC, f.id",
}

R = Recipient.Reason


@dataclass(frozen=True)
class Statement:
    sql: str
    params: tuple[Any, ...]


def audience_of(campaign: Campaign, *, now: datetime) -> Audience:
    """The customers, or the chats, the campaign is meant for, before exclusions.

    A submitted campaign uses the rule as it was when it was submitted.
    """
    if campaign.is_to_chats:
        chats = GroupChat.objects.for_corp(campaign.corp)
        return chats.filter(chat_id__in=campaign.chat_ids or [])
    customers = Customer.objects.for_corp(campaign.corp)
    if campaign.external_userids is not None:
        return customers.filter(external_userid__in=campaign.external_userids)
    rule = campaign.rule
    if rule is None and campaign.segment is not None:
        rule = campaign.segment.rule
    if rule is None:
        return customers.none()
    return customers_of(rule, corp=campaign.corp, now=now)


def verdicts_sql(campaign: Campaign, audience: Audience) -> Statement:
    """SELECT subject_id, staff_id, status, reason: one row for each of the audience."""
    judged = _judge_chats if campaign.is_to_chats else _judge_customers
    statement = judged(campaign, audience)
    sql = f"""
        SELECT subject_id, staff_id, reason,
               CASE WHEN reason = '' THEN %s ELSE %s END AS status
        FROM ({statement.sql}) AS judged"""  # noqa: S608 — made of our own constants
    return Statement(sql, (Recipient.Status.PLANNED, Recipient.Status.EXCLUDED, *statement.params))


def in_handover(corp: Corp, column: str) -> Statement:
    """SELECT the customers (`customer_id`) or chats (`chat_id`) being handed over now."""
    is_given = {"customer_id": "customer_id IS NOT NULL", "chat_id": "chat_id <> ''"}[column]
    sql = (
        f"SELECT DISTINCT {column} FROM customers_handoveritem"  # noqa: S608
        f" WHERE corp_id = %s AND status = ANY(%s) AND {is_given}"
    )
    return Statement(sql, (corp.pk, list(HandoverItem.UNDER_WAY)))


def _judge_customers(campaign: Campaign, audience: Audience) -> Statement:
    """Of her live follows those of leaving colleagues come last: they speak only to be refused.

    Staff are joined after the choice (OFFSET 0 keeps the planner from doing it before), and who is
    leaving is looked up once: otherwise all of them are read again for each customer.
    """
    members = _members_sql(audience, "is_blocked", "live_follows")
    moving = in_handover(campaign.corp, "customer_id")
    named = _named_only(campaign)
    order = _FOLLOW_ORDER[Campaign.SenderPolicy(campaign.sender_policy)]
    sql = f"""
        SELECT c.id AS subject_id, c.staff_id,
               CASE WHEN c.is_blocked THEN %s
                    WHEN c.live_follows = 0 THEN %s
                    WHEN h.customer_id IS NOT NULL THEN %s
                    WHEN c.staff_id IS NULL THEN %s
                    WHEN s.status <> 'active' THEN %s
                    WHEN s.leaving_since IS NOT NULL THEN %s
                    ELSE '' END AS reason
        FROM (
            SELECT m.*, f.staff_id FROM ({members.sql}) AS m (id, is_blocked, live_follows)
            LEFT JOIN LATERAL (
                SELECT f.staff_id FROM customers_follow f
                WHERE f.corp_id = %s AND f.customer_id = m.id AND f.status = 'live'
                    {named.members}
                ORDER BY f.staff_id = ANY(ARRAY(
                    SELECT id FROM tenancy_staff WHERE corp_id = %s AND leaving_since IS NOT NULL
                )), {named.order} {order} LIMIT 1
            ) AS f ON true
            OFFSET 0
        ) AS c
        LEFT JOIN ({moving.sql}) AS h ON h.customer_id = c.id
        LEFT JOIN tenancy_staff s ON s.id = c.staff_id"""  # noqa: S608 — made of our own constants
    reasons = (
        R.BLOCKED, R.NO_LIVE_FOLLOW, R.IN_HANDOVER, R.NOT_FOLLOWED_BY_SENDER, R.SENDER_INACTIVE,
        R.SENDER_LEAVING,
    )  # fmt: skip
    params = (
        *reasons, *members.params, campaign.corp_id, *named.params, campaign.corp_id,
        *named.order_params, *moving.params,
    )  # fmt: skip
    return Statement(sql, params)


def _judge_chats(campaign: Campaign, audience: Audience) -> Statement:
    """Only its owner can send to a chat."""
    members = _members_sql(audience, "chat_id", "status", "owner_id")
    moving = in_handover(campaign.corp, "chat_id")
    sql = f"""
        SELECT c.id AS subject_id, c.owner_id AS staff_id,
               CASE WHEN c.status = 'dismissed' THEN %s
                    WHEN c.owner_id IS NULL THEN %s
                    WHEN h.chat_id IS NOT NULL THEN %s
                    WHEN s.status <> 'active' THEN %s
                    WHEN s.leaving_since IS NOT NULL THEN %s
                    ELSE '' END AS reason
        FROM ({members.sql}) AS c (id, chat_id, status, owner_id)
        LEFT JOIN ({moving.sql}) AS h ON h.chat_id = c.chat_id
        LEFT JOIN tenancy_staff s ON s.id = c.owner_id"""  # noqa: S608
    reasons = (R.CHAT_DISMISSED, R.NO_OWNER, R.IN_HANDOVER, R.SENDER_INACTIVE, R.SENDER_LEAVING)
    return Statement(sql, (*reasons, *members.params, *moving.params))


def _members_sql(audience: Audience, *columns: str) -> Statement:
    try:
        query = audience.order_by().values("pk", *columns).query
        return Statement(*query.sql_with_params())
    except EmptyResultSet:
        # Django knows without asking that nobody is meant (an empty list, `{"any": []}`).
        nothing = ", ".join(["0", *(_NOTHING[column] for column in columns)])
        return Statement(f"SELECT {nothing} WHERE false", ())


_NOTHING = {
    "is_blocked": "false", "live_follows": "0", "chat_id": "''", "status": "''", "owner_id": "0",
}  # fmt: skip


@dataclass(frozen=True)
class _Named:
    members: str = ""
    params: tuple[Any, ...] = ()
    order: str = ""
    order_params: tuple[Any, ...] = ()


def _named_only(campaign: Campaign) -> _Named:
    if campaign.sender_policy != Campaign.SenderPolicy.NAMED:
        return _Named()
    named = Staff.objects.filter(pk__in=campaign.senders.values("pk"))
    statuses = dict(named.values_list("pk", "status"))
    active = [pk for pk, status in statuses.items() if status == Staff.Status.ACTIVE]
    return _Named(
        members="AND f.staff_id = ANY(%s)",
        params=(list(statuses),),
        order="(f.staff_id = ANY(%s)) DESC,",
        order_params=(active,),
    )
