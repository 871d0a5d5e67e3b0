"""Counting "any of A, B and all of C, D and not E, added in 30 days, women" over a whole corp."""

from datetime import timedelta

from benchmarks.harness import Case, execute, run, scale_corp


def prepare(customers: int) -> Case:
    from django.utils import timezone

    from customers.actions.segments import customers_of
    from customers.models import Tag

    corp, now = scale_corp(customers), timezone.now()
    tags = list(Tag.objects.for_corp(corp).order_by("order").values_list("pk", flat=True))
    a, b, c, d, e = tags[0], tags[3], tags[1], tags[2], tags[5]
    rule = {
        "all": [
            {"field": "tags", "op": "any_of", "value": [a, b]},
            {"field": "tags", "op": "all_of", "value": [c, d]},
            {"field": "tags", "op": "none_of", "value": [e]},
            {"field": "added_at", "op": "within_days", "value": 365},
            {"field": "gender", "op": "eq", "value": 2},
        ]
    }
    since = now - timedelta(days=365)

    def limit() -> None:
        execute(_BARE, [corp.pk, [a, b], [c, d], [e], since])

    def ours() -> None:
        customers_of(rule, corp=corp, now=now).count()

    def peer() -> None:
        execute(_JOINED, [a, b, c, d, e, corp.pk, since])

    return Case(limit, ours, peer)


_BARE = """
    SELECT count(*) FROM customers_customertagset t JOIN customers_customer c ON c.id = t.customer_id
    WHERE t.corp_id = %s AND t.tag_ids && %s::int[] AND t.tag_ids @> %s::int[]
      AND NOT t.tag_ids && %s::int[]
      AND c.live_follows > 0 AND c.gender = 2 AND c.added_at >= %s"""

# What an ORM makes of filter(tags__in=…).filter(tags=…).filter(tags=…).exclude(tags=…).distinct().
_JOINED = """
    SELECT count(*) FROM (SELECT DISTINCT c.*
    FROM customers_customer c
    JOIN customers_tagassignment x ON x.customer_id = c.id AND x.tag_id IN (%s, %s)
    JOIN customers_tagassignment y ON y.customer_id = c.id AND y.tag_id = %s
    JOIN customers_tagassignment z ON z.customer_id = c.id AND z.tag_id = %s
    WHERE NOT EXISTS (SELECT 1 FROM customers_tagassignment n
                      WHERE n.customer_id = c.id AND n.tag_id = %s)
      AND c.corp_id = %s AND c.live_follows > 0 AND c.gender = 2 AND c.added_at >= %s) AS found"""


def ratios(limit: float, ours: float, peer: float | None) -> dict[str, float]:
    return {"count_to_limit": ours / limit, "peer_to_count": (peer or 0) / ours}


if __name__ == "__main__":
    run("segments", prepare, ratios)
