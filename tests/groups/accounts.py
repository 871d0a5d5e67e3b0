"""Both sides of a sync as plain values: what the platform has, and what we have."""

from typing import Any

from django.db import connection

from customers.models import Customer, Follow, Tag
from groups.models import GroupChat, Membership
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff

DOMAIN = (
    "tenancy_department",
    "tenancy_staff",
    "tenancy_staff_departments",
    "customers_taggroup",
    "customers_tag",
    "customers_customer",
    "customers_follow",
    "customers_tagassignment",
    "customers_customertagset",
    "groups_groupchat",
    "groups_membership",
    "groups_membermove",
    "customers_timelineentry",
)


def dump_domain() -> dict[str, list[str]]:
    """Every row of every table a sync writes, with PostgreSQL's row version (`xmin`)."""
    with connection.cursor() as cursor:
        tables = {}
        for table in DOMAIN:
            cursor.execute(f"SELECT xmin::text || t::text FROM {table} t ORDER BY t::text")  # noqa: S608
            tables[table] = [row for (row,) in cursor.fetchall()]
    return tables


def truth(sandbox: SandboxServer) -> dict[str, Any]:
    """What exists on the platform, read from the sandbox's world and not through its API."""
    world = sandbox.world
    with world.lock:
        friends = [
            relation
            for relation in world.relations()
            if relation.is_friendship and world.members[relation.userid].can_follow
        ]
        return {
            "staff": {
                (m.userid, m.name, m.can_follow, frozenset(m.departments))
                for m in world.present_members()
            },
            "tags": {
                (tag.id, tag.name, world.tags.groups[tag.group_id].name)
                for tag in world.tags.living_tags()
            },
            "customers": {
                (p.external_userid, p.name, p.gender, p.unionid)
                for p in world.persons.values()
                if any(f.external_userid == p.external_userid for f in friends)
            },
            "follows": {
                (
                    f.userid,
                    f.external_userid,
                    f.createtime,
                    f.remark,
                    f.state,
                    frozenset(world.tags.carried(f.tag_ids)),
                )
                for f in friends
            },
            "groups": {
                (chat.chat_id, chat.name, chat.owner, frozenset(chat.members))
                for chat in world.chats.values()
                if chat.dismissed_at is None
            },
        }


def account(corp: Corp) -> dict[str, Any]:
    """The same from our tables."""
    tags = dict(Tag.objects.for_corp(corp).values_list("pk", "wecom_id"))
    follows = Follow.objects.for_corp(corp).live().exclude(staff__status="left")
    follows = follows.select_related("staff", "customer").prefetch_related("tag_assignments")
    staff = Staff.objects.for_corp(corp).employed().prefetch_related("departments")
    chats = GroupChat.objects.for_corp(corp).existing().select_related("owner")
    return {
        "staff": {
            (
                s.userid,
                s.name,
                s.has_customer_contact,
                frozenset(d.department_id for d in s.departments.all()),
            )
            for s in staff
        },
        "tags": set(
            Tag.objects.for_corp(corp)
            .current()
            .filter(kind="wecom")
            .values_list("wecom_id", "name", "group__name")
        ),
        "customers": set(
            Customer.objects.for_corp(corp)
            .filter(pk__in=[follow.customer_id for follow in follows])
            .values_list("external_userid", "name", "gender", "unionid")
        ),
        "follows": {
            (
                f.staff.userid,
                f.customer.external_userid,
                int(f.added_at.timestamp()),
                f.remark,
                f.state,
                frozenset(tags[a.tag_id] for a in f.tag_assignments.all()),
            )
            for f in follows
        },
        "groups": {
            (
                chat.chat_id,
                chat.name,
                chat.owner.userid if chat.owner else "",
                frozenset(
                    Membership.objects.present()
                    .filter(chat=chat)
                    .values_list("member_id", flat=True)
                ),
            )
            for chat in chats
        },
    }


def check_derived(corp: Corp) -> None:
    """Assert that counters, dates and tag arrays say what follows and assignments say."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.external_userid, c.live_follows, c.added_at, s.tag_ids,
                (SELECT count(*) FROM customers_follow f
                 WHERE f.customer_id = c.id AND f.status = 'live'),
                (SELECT min(added_at) FROM customers_follow f
                 WHERE f.customer_id = c.id AND f.status = 'live'),
                (SELECT array_agg(DISTINCT a.tag_id ORDER BY a.tag_id)
                 FROM customers_tagassignment a
                 LEFT JOIN customers_follow f ON f.id = a.follow_id
                 WHERE a.customer_id = c.id AND (a.follow_id IS NULL OR f.status = 'live'))
            FROM customers_customer c
            LEFT JOIN customers_customertagset s ON s.customer_id = c.id
            WHERE c.corp_id = %s
            """,
            [corp.pk],
        )
        for external_userid, count, first, tags, true_count, true_first, true_tags in cursor:
            assert (count, first, tags) == (true_count, true_first, true_tags), external_userid
