"""From when until when somebody carried a tag: the present, the past, and what is asked of both."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import connection

# A row of the past is made of the present row and of who ended it, in the statement that ends it.
PAST_COLUMNS = (
    "corp_id, customer_id, tag_id, follow_id, since, source, why, ended_at, ended_source, ended_why"
)
ENDED_COLUMNS = "corp_id, customer_id, tag_id, follow_id, since, source, why"

# (customer_id, tag_id) carried at `%(at)s`; a platform tag counts while its follow was live.
CARRIED_AT = """
    SELECT a.customer_id, a.tag_id FROM customers_tagassignment a
    LEFT JOIN customers_follow f ON f.id = a.follow_id
    WHERE a.customer_id = ANY(%(customers)s::bigint[]) AND a.since <= %(at)s
      AND (f.id IS NULL OR f.status = 'live' OR f.ended_at > %(at)s)
    UNION
    SELECT p.customer_id, p.tag_id FROM customers_pasttagassignment p
    LEFT JOIN customers_follow f ON f.id = p.follow_id
    WHERE p.customer_id = ANY(%(customers)s::bigint[])
      AND p.since <= %(at)s AND %(at)s < p.ended_at
      AND (f.id IS NULL OR f.status = 'live' OR f.ended_at > %(at)s)
"""


def tags_at(customer_ids: Iterable[int], moment: datetime) -> dict[int, set[int]]:
    """The ids of the tags that these customers carried at a moment; who carried none is left out.

    Tags that were deleted since are among them.
    """
    found: dict[int, set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(CARRIED_AT, {"customers": sorted(set(customer_ids)), "at": moment})
        for customer_id, tag_id in cursor.fetchall():
            found[customer_id].add(tag_id)
    return dict(found)
