"""Who agreed that her messages are archived: asked of the platform, changed by what it tells.

Text is kept only of conversations whose outsider agreed:
- of a single chat, both sides' words once she agreed with this member of staff;
- in a room, an outsider's words by her own agreement, and those of staff once anybody in the room
  agreed: the platform says "Disagree" of everybody who was not asked yet, and a newcomer must not
  hide from review what staff say to the others.
Words from before an agreement are not kept, nor any from the moment we know of a refusal. What was
kept while she agreed stays.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from risk.models import Agreement
from scrm.channels.base import Agreement as AgreementRecord
from scrm.channels.base import ArchiveSource
from scrm.tenancy.models import Corp

# What staff say in a busy room is kept on an agreement that was asked for so long before.
_ROOM_KNOWN_FOR = timedelta(minutes=1)

# `excluded` must not be older than what is known: an answer may have been overtaken by an event.
# Answers tell the second of a change, messages its millisecond.
_UPSERT = """
INSERT INTO risk_agreement AS known
       (corp_id, userid, external_userid, room_id, is_agreed, changed_at, checked_at)
SELECT DISTINCT ON (userid, external_userid, room_id) %(corp)s, * FROM unnest(
    %(userids)s::varchar[], %(outsiders)s::varchar[], %(rooms)s::varchar[],
    %(agreed)s::boolean[], %(changed)s::timestamptz[], %(checked)s::timestamptz[]
) AS said (userid, external_userid, room_id, is_agreed, changed_at, checked_at)
 ORDER BY userid, external_userid, room_id, checked_at DESC, changed_at DESC NULLS LAST
ON CONFLICT (corp_id, external_userid, userid, room_id) DO UPDATE
   SET is_agreed = excluded.is_agreed, changed_at = excluded.changed_at,
       checked_at = excluded.checked_at
 WHERE known.checked_at <= excluded.checked_at
   AND coalesce(date_trunc('second', known.changed_at) <= excluded.changed_at, true)
"""


@dataclass(frozen=True)
class Talk:
    """A conversation in which an outsider's words may be kept: a room's, or with a colleague.

    In a room without an outsider's id: whether anybody there agreed. Userids in lower case.
    """

    room_id: str
    userid: str
    external_userid: str


@dataclass(frozen=True)
class Said:
    """What is known of one agreement."""

    talk: Talk
    is_agreed: bool
    changed_at: datetime | None
    checked_at: datetime

    def covers(self, sent_at: datetime | None) -> bool:
        if not self.is_agreed or self.changed_at is None:
            return self.is_agreed
        # A time in whole seconds may mean any moment of its second.
        since = self.changed_at + timedelta(seconds=0 if self.changed_at.microsecond else 1)
        return sent_at is not None and sent_at >= since

    def is_later_than(self, other: "Said") -> bool:
        if self.changed_at is None or other.changed_at is None:
            return False
        return self.changed_at.replace(microsecond=0) > other.changed_at


class Consents:
    """What outsiders said, as far as a page of messages needs it; it changes with the messages."""

    def __init__(self, said: Iterable[Said] = ()) -> None:
        # By room; "" holds the single chats.
        self._said: dict[str, dict[Talk, Said]] = {}
        for each in said:
            self.note(each)

    def note(self, said: Said) -> None:
        """Take a statement over, unless a later one is known."""
        in_room = self._said.setdefault(said.talk.room_id, {})
        known = in_room.get(said.talk)
        if known and known.is_later_than(said):
            return
        in_room[said.talk] = said

    def is_agreed(self, talk: Talk, *, sent_at: datetime | None) -> bool:
        said = self._said.get(talk.room_id, {}).get(talk)
        return said is not None and said.covers(sent_at)

    def knows_agreed(self, talk: Talk) -> bool:
        said = self._said.get(talk.room_id, {}).get(talk)
        return said is not None and said.is_agreed

    def is_anybody_agreed(self, room_id: str, *, sent_at: datetime | None) -> bool:
        return any(said.covers(sent_at) for said in self._said.get(room_id, {}).values())

    def is_sure(self, talk: Talk, *, sent_at: datetime | None) -> bool:
        """Whether what is known was learnt after the message; else the platform is asked."""
        if sent_at is None:
            return False
        in_room = self._said.get(talk.room_id, {})
        if talk.room_id and not talk.external_userid:
            # A room is asked by itself, so a busy one is not asked for each page.
            return any(
                said.is_agreed and said.checked_at > sent_at - _ROOM_KNOWN_FOR
                for said in in_room.values()
            )
        said = in_room.get(talk)
        return said is not None and said.checked_at > sent_at


def learn_agreements(
    source: ArchiveSource,
    talks: Iterable[tuple[Talk, datetime | None]],
    *,
    corp: Corp,
    now: datetime,
) -> Consents:
    """What is known about the talks, after asking the platform what it has to be asked.

    Talks come with the time of their message. Asks the platform: call it outside transactions. A
    platform that does not answer raises: nothing is stored without knowing.
    """
    latest: dict[Talk, datetime | None] = {}
    for talk, sent_at in talks:
        known = latest.get(talk, sent_at)
        latest[talk] = max(known, sent_at) if known and sent_at else None
    consents = Consents(_known(latest, corp=corp))
    unsure = [
        talk for talk, sent_at in latest.items() if not consents.is_sure(talk, sent_at=sent_at)
    ]
    said = _ask(source, unsure, now=now)
    answered = {each.talk for each in said}
    said += [
        Said(talk, is_agreed=False, changed_at=None, checked_at=now)
        for talk in unsure
        # Of relations that have ended the platform says nothing: who had agreed until then has
        # not refused, and staff must not escape review by deleting the customer.
        if talk.external_userid and talk not in answered and not consents.knows_agreed(talk)
    ]
    record_agreements(said, corp=corp)
    for each in said:
        consents.note(each)
    return consents


def record_agreements(said: Collection[Said], *, corp: Corp) -> None:
    """Keep what is newer than what is known."""
    if not said:
        return
    columns: dict[str, Any] = {
        "userids": [each.talk.userid for each in said],
        "outsiders": [each.talk.external_userid for each in said],
        "rooms": [each.talk.room_id for each in said],
        "agreed": [each.is_agreed for each in said],
        "changed": [each.changed_at for each in said],
        "checked": [each.checked_at for each in said],
    }
    with connection.cursor() as cursor:
        cursor.execute(_UPSERT, columns | {"corp": corp.pk})


def said_of(record: AgreementRecord, *, room_id: str = "", now: datetime) -> Said:
    """What the platform, an event or a message says of an agreement."""
    userid = "" if room_id else record.userid.lower()
    talk = Talk(room_id, userid, record.external_userid)
    return Said(talk, record.is_agreed, record.changed_at, now)


def _known(talks: Collection[Talk], *, corp: Corp) -> Iterator[Said]:
    rooms = {talk.room_id for talk in talks if talk.room_id}
    outsiders = {talk.external_userid for talk in talks if not talk.room_id}
    rows = Agreement.objects.for_corp(corp)
    single = rows.filter(room_id="", external_userid__in=outsiders) if outsiders else ()
    for row in (*single, *(rows.filter(room_id__in=rooms) if rooms else ())):
        talk = Talk(row.room_id, row.userid, row.external_userid)
        yield Said(talk, row.is_agreed, row.changed_at, row.checked_at)


def _ask(source: ArchiveSource, talks: Collection[Talk], *, now: datetime) -> list[Said]:
    pairs = [(talk.userid, talk.external_userid) for talk in talks if not talk.room_id]
    answers = [(answer, "") for answer in source.agreements(pairs)] if pairs else []
    for room_id in sorted({talk.room_id for talk in talks if talk.room_id}):
        answers += [(answer, room_id) for answer in source.room_agreements(room_id)]
    return [said_of(answer, room_id=room_id, now=now) for answer, room_id in answers]
