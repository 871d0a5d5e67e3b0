"""Which follows the syncs that are under way need not look for any more."""

from collections.abc import Iterable

from django.db import connection

from scrm.tenancy.models import Corp

SYNC_KINDS = ("sync", "sync.customers")


def note_sightings(pairs: Iterable[tuple[int, str]], *, corp: Corp) -> None:
    """Tell every unfinished sync of the corp that these (staff id, external_userid) exist.

    Not only the one that read them: a follow that an event or another sync brings in after a
    sync has passed its page would be taken for gone at the end.
    """
    seen = sorted(set(pairs))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO customers_syncsighting (job_id, follow_id)
            SELECT j.id, f.id
            FROM unnest(%(staff)s::bigint[], %(external_userids)s::text[])
                AS seen (staff_id, external_userid)
            JOIN customers_customer c
                ON c.corp_id = %(corp)s AND c.external_userid = seen.external_userid
            JOIN customers_follow f ON f.customer_id = c.id AND f.staff_id = seen.staff_id
            JOIN jobs_job j ON j.corp_id = %(corp)s
                AND j.kind = ANY(%(kinds)s) AND j.status IN ('queued', 'running')
            ON CONFLICT (job_id, follow_id) DO NOTHING
            """,
            {
                "corp": corp.pk,
                "kinds": list(SYNC_KINDS),
                "staff": [staff_id for staff_id, _ in seen],
                "external_userids": [external_userid for _, external_userid in seen],
            },
        )
