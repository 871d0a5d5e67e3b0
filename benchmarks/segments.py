"""Counting "any of A, B and all of C, D and not E, added in 365 days, women" over a whole corp,
and freezing most of its customers into a snapshot."""

from datetime import timedelta
from typing import Any

from benchmarks.harness import Case, execute, play, run, scale_corp

ROUNDS = 5
# bulk_create is slow: it is measured on so many rows and scaled up.
PEER_ROWS = 20_000
_freezing: dict[str, float] = {}


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

    freezing, frozen = _freeze_case(corp, tags[:3])
    seconds = play(freezing, ROUNDS)
    _freezing.update(seconds | {"peer": seconds["peer"] * freezing.peer_scale})
    notes = {f"freeze_{way}_s": round(took, 4) for way, took in _freezing.items()}
    return Case(limit, ours, peer, notes=notes | {"frozen": frozen})


def _freeze_case(corp: Any, tags: list[int]) -> tuple[Case, int]:
    """Three common tags: six in ten customers carry one of them."""
    from django.utils import timezone

    from customers.actions.segments import customers_of
    from customers.actions.snapshots import freeze
    from customers.models import Segment, SegmentSnapshot, SnapshotMember

    now = timezone.now()
    rule = {"all": [{"field": "tags", "op": "any_of", "value": tags}]}
    segment, _ = Segment.objects.get_or_create(
        corp=corp, name="Benchmark", defaults={"rule": rule, "created_at": now, "updated_at": now}
    )
    SegmentSnapshot.objects.filter(segment=segment).delete()
    snapshot = SegmentSnapshot.objects.create(
        corp=corp, segment=segment, rule=rule, version=1, as_of=now, taken_at=now, count=0
    )
    meant = customers_of(rule, corp=corp, now=now)
    count = meant.count()
    ids = list(meant.values_list("pk", flat=True)[:PEER_ROWS])

    def reset() -> None:
        execute("TRUNCATE customers_snapshotmember RESTART IDENTITY")

    def limit() -> None:
        execute(_BARE_FREEZE, [snapshot.pk, corp.pk, tags])

    def ours() -> None:
        freeze(snapshot, customers_of(rule, corp=corp, now=now))

    def peer() -> None:
        rows = [SnapshotMember(snapshot=snapshot, customer_id=pk) for pk in ids]
        SnapshotMember.objects.bulk_create(rows, batch_size=1000)

    return Case(limit, ours, peer, reset, peer_scale=count / max(1, len(ids))), count


_BARE = """
    SELECT count(*) FROM customers_customertagset t JOIN customers_customer c ON c.id = t.customer_id
    WHERE t.corp_id = %s AND t.tag_ids && %s::int[] AND t.tag_ids @> %s::int[]
      AND NOT t.tag_ids && %s::int[]
      AND c.live_follows > 0 AND c.gender = 2 AND c.added_at >= %s"""

_BARE_FREEZE = """
    INSERT INTO customers_snapshotmember (snapshot_id, customer_id)
    SELECT %s, c.id
    FROM customers_customertagset t JOIN customers_customer c ON c.id = t.customer_id
    WHERE t.corp_id = %s AND t.tag_ids && %s::int[] AND c.live_follows > 0"""

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
    return {
        "count_to_limit": ours / limit,
        "peer_to_count": (peer or 0) / ours,
        "freeze_to_limit": _freezing["ours"] / _freezing["limit"],
        "peer_to_freeze": _freezing["peer"] / _freezing["ours"],
    }


if __name__ == "__main__":
    run("segments", prepare, ratios)
