"""Giving one of our tags to every tenth customer, with history, beside the bare INSERT … SELECT.

The limit writes the assignments alone. Ours writes them, the tag arrays that segments are answered
from, the timelines, when each customer changed, and one audit entry, and locks the customers
against other writers. `limit_with_history_s` is the bare way to write assignments and history.
"""

import time

from benchmarks.harness import Case, execute, run, scale_corp

ROUNDS = 3


def prepare(customers: int) -> Case:
    from django.utils import timezone

    from customers.actions.tagging import tag_customers
    from customers.models import Customer, Tag
    from scrm.audit.actions.recording import SYSTEM

    corp, now = scale_corp(customers), timezone.now()
    tag, _ = Tag.objects.get_or_create(
        corp=corp,
        kind="system",
        name="Benchmark",
        defaults={"group": Tag.objects.for_corp(corp).earliest("pk").group},
    )
    chosen = Customer.objects.for_corp(corp).filter(external_userid__endswith="0")
    given = {"corp": corp.pk, "tag": tag.pk, "now": now}

    def reset() -> None:
        for statement in _RESET:
            execute(statement, given)
        for table in ("customer", "tagassignment", "customertagset", "timelineentry"):
            execute(f"VACUUM customers_{table}")

    def ours() -> None:
        tag_customers(chosen, corp=corp, actor=SYSTEM, now=now, add=[tag])

    def limit() -> None:
        execute(_BARE, given)

    with_history = []
    for _ in range(ROUNDS):
        reset()
        started = time.perf_counter()
        execute(_BARE_WITH_HISTORY, given)
        with_history.append(time.perf_counter() - started)
    notes = {
        "tagged": chosen.count(),
        "limit_with_history_s": round(sorted(with_history)[ROUNDS // 2], 4),
    }
    return Case(limit, ours, reset=reset, notes=notes)


_CHOSEN = "FROM customers_customer WHERE corp_id = %(corp)s AND external_userid LIKE '%%0'"

_BARE = f"""
    INSERT INTO customers_tagassignment (corp_id, customer_id, tag_id, since)
    SELECT %(corp)s, id, %(tag)s, %(now)s {_CHOSEN}"""

_BARE_WITH_HISTORY = f"""
    WITH given AS ({_BARE} RETURNING customer_id)
    INSERT INTO customers_timelineentry
        (corp_id, customer_id, type, at, data, source, recorded_at, is_fresh)
    SELECT %(corp)s, customer_id, 'tag.added', %(now)s, '{{}}', 'system', %(now)s, true
    FROM given"""  # noqa: S608

_RESET = (
    "DELETE FROM customers_tagassignment WHERE corp_id = %(corp)s AND tag_id = %(tag)s",
    "DELETE FROM customers_timelineentry WHERE corp_id = %(corp)s",
    """UPDATE customers_customertagset SET tag_ids = array_remove(tag_ids, %(tag)s::int)
    WHERE corp_id = %(corp)s AND tag_ids @> ARRAY[%(tag)s::int]""",
    "DELETE FROM customers_customertagset WHERE corp_id = %(corp)s AND tag_ids = '{}'",
)


def ratios(limit: float, ours: float, peer: float | None) -> dict[str, float]:
    return {"to_limit": ours / limit}


if __name__ == "__main__":
    run("tagging", prepare, ratios)
