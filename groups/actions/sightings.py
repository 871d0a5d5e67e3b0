"""Which group chats the syncs that are under way need not look for any more."""

from collections.abc import Iterable

from django.db import connection

from scrm.tenancy.models import Corp

SYNC_KINDS = ("sync", "sync.groups")


def note_chat_sightings(chat_ids: Iterable[str], *, corp: Corp) -> int:
    """Tell every unfinished sync of the corp that these chats exist; return how many were news.

    Not only the one that read them: a chat that an event brings in after a sync has passed its
    owner would have to be asked for again at the end.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO groups_chatsighting (job_id, chat_id)"
            " SELECT j.id, c.id FROM groups_groupchat c"
            " JOIN jobs_job j ON j.corp_id = c.corp_id"
            " AND j.kind = ANY(%s) AND j.status IN ('queued', 'running')"
            " WHERE c.corp_id = %s AND c.chat_id = ANY(%s::text[])"
            " ON CONFLICT (job_id, chat_id) DO NOTHING",
            [list(SYNC_KINDS), corp.pk, list(chat_ids)],
        )
        return int(cursor.rowcount)
