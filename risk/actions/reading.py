"""Turning archived records into rows, as far as consent allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Lower

from risk.actions.consent import Consents, Said, Talk, learn_agreements, said_of
from risk.models import ArchivedMessage
from scrm.channels.base import ArchivedRecord, ArchiveSource
from scrm.tenancy.models import Corp, Staff

State = ArchivedMessage.TextState

# Ids of outsiders; robots begin with wb, and staff have what name the brand chose.
_OUTSIDERS = ("wm", "wo")


@dataclass(frozen=True)
class People:
    """Who of the ids in some messages is staff, by userid in lower case."""

    staff: dict[str, Staff]

    def is_outsider(self, who: str) -> bool:
        return who.startswith(_OUTSIDERS) and who.lower() not in self.staff

    def find_staff(self, who: str) -> Staff | None:
        return self.staff.get(who.lower())


def people_of(records: Sequence[ArchivedRecord | ArchivedMessage], *, corp: Corp) -> People:
    # Userids are case-insensitive, and the platform's answers differ in case.
    ids = {who.lower() for one in records for who in (one.sender, *one.receivers) if who}
    rows = Staff.objects.for_corp(corp).annotate(lower=Lower("userid"))
    return People({staff.userid.lower(): staff for staff in rows.filter(lower__in=ids)})


class PageReader:
    """Reads the records of a page one after the other: what they say of consent holds from there.

    `learn` asks the platform for agreements: call it outside transactions.
    """

    def __init__(self, records: Sequence[ArchivedRecord], *, corp: Corp, now: datetime) -> None:
        self._records = records
        self._corp = corp
        self._now = now
        self._people = people_of(records, corp=corp)
        self._consents = Consents()
        # What the messages themselves say about being archived.
        self.said: list[Said] = []

    def learn(self, source: ArchiveSource) -> None:
        talks = [(talk, one.sent_at) for one in self._records for talk in self._talks(one)]
        self._consents = learn_agreements(source, talks, corp=self._corp, now=self._now)

    def read(self, one: ArchivedRecord) -> ArchivedMessage:
        if one.agreement and one.agreement.external_userid:
            said = said_of(one.agreement, room_id=one.room_id, now=self._now)
            self._consents.note(said)
            self.said.append(said)
        state = self._state_of(one)
        text = one.text if state == State.KEPT else ""
        return ArchivedMessage(
            corp=self._corp,
            seq=one.seq,
            msgid=(one.msgid or f"seq:{one.seq}")[:128],
            key_version=max(one.key_version, 0),
            action=one.action[:8],
            kind=one.kind[:32],
            sender=one.sender[:64],
            is_from_staff=bool(one.sender) and not self._people.is_outsider(one.sender),
            receivers=[who[:64] for who in one.receivers],
            room_id=one.room_id[:64],
            conversation=self._conversation_of(one),
            sent_at=one.sent_at,
            text=text,
            text_length=len(text),
            text_state=state,
            payload=one.payload if self._may_keep(one) else "",
            problem=one.problem or one.remark,
            pulled_at=self._now,
        )

    def _talks(self, one: ArchivedRecord) -> list[Talk]:
        """Whose agreement the message needs: an outsider's, or anybody's of the room."""
        if not (one.text or one.payload) or self._is_internal(one):
            return []
        if one.room_id:
            outsider = one.sender if self._people.is_outsider(one.sender) else ""
            return [Talk(one.room_id, "", outsider)]
        return [Talk("", userid, outsider) for userid, outsider in self._pairs(one)]

    def _pairs(self, one: ArchivedRecord) -> list[tuple[str, str]]:
        everybody = [who for who in (one.sender, *one.receivers) if who]
        outsiders = [who for who in everybody if self._people.is_outsider(who)]
        colleagues = [who.lower() for who in everybody if who not in outsiders]
        return [(userid, outsider) for userid in colleagues for outsider in outsiders]

    def _is_internal(self, one: ArchivedRecord) -> bool:
        # The platform marks the ids of messages with outsiders; who takes part says it too.
        if one.msgid.endswith("_external"):
            return False
        return not any(map(self._people.is_outsider, (one.sender, *one.receivers)))

    def _state_of(self, one: ArchivedRecord) -> State:
        if one.problem:
            return State.UNREADABLE
        if not one.text:
            return State.NO_TEXT
        if self._is_internal(one):
            return State.INTERNAL
        return State.KEPT if self._may_keep(one) else State.NO_CONSENT

    def _may_keep(self, one: ArchivedRecord) -> bool:
        """Whether there is something to keep, and those who talk agreed."""
        consents, talks = self._consents, self._talks(one)
        if one.room_id and talks and not talks[0].external_userid:
            return consents.is_anybody_agreed(one.room_id, sent_at=one.sent_at)
        return bool(talks) and all(consents.is_agreed(talk, sent_at=one.sent_at) for talk in talks)

    def _conversation_of(self, one: ArchivedRecord) -> str:
        """One form for both directions; userids in lower case, outsiders' ids as they are."""
        if one.room_id:
            return f"room:{one.room_id}"[:140]
        if not one.sender or not one.receivers:
            return ""
        everybody = (one.sender, *one.receivers)
        names = [who if self._people.is_outsider(who) else who.lower() for who in everybody]
        return "|".join(sorted(names))[:140]
