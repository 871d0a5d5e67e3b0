"""Lists of customers (静态人群包): who is on them is said by ids, phones or unionids."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from django.db import connection, transaction
from django.utils.translation import gettext as _

from customers.actions.identities import EXTERNAL_USERID, find_customers
from customers.actions.segments import checked_name, keep
from customers.models import IdentityKind, Segment, SegmentMember
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

MOST_AT_ONCE = 50_000
# Of those who are not known so many are told, the rest is counted.
MOST_TOLD = 200
_REFS_A_STEP = 5_000
_PHONE = re.compile(r"[+\d][\d\s()-]{5,}", re.ASCII)
_SHORTENED = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+", re.ASCII)
_HEADINGS = frozenset(
    {"external_userid", "unionid", "phone", "member_id", "id", "手机", "手机号", "会员号", "客户id"}
)


@dataclass(frozen=True)
class Unknown:
    """Somebody who was named and is not known; `line` counts from 1."""

    line: int
    text: str
    why: str

    def as_dict(self) -> dict[str, str | int]:
        return {"line": self.line, "text": self.text, "message": self.why}


@dataclass
class Filled:
    """What became of those who were named: `changed` came onto the list (or off it)."""

    changed: int = 0
    # Named twice, or on the list (or off it) before.
    unchanged: int = 0
    unknown_count: int = 0
    unknown: list[Unknown] = field(default_factory=list)


@transaction.atomic
def create_list(
    name: str, *, corp: Corp, members: Sequence[str], actor: Actor, now: datetime
) -> tuple[Segment, Filled]:
    """Make a list with these members: ids of the platform, unionids, member numbers or phones."""
    segment = Segment(
        corp=corp,
        name=checked_name(name),
        kind=Segment.Kind.LIST,
        rule={},
        created_at=now,
        updated_at=now,
    )
    keep(segment)
    # Its rule names the list itself, and so needs its id.
    segment.rule = {"field": "list", "op": "in", "value": [segment.pk]}
    segment.save(update_fields=["rule"])
    filled = _fill(segment, members, is_adding=True)
    data = {"kind": "list", "members": filled.changed, "unknown": filled.unknown_count}
    record("segments.created", actor=actor, corp=corp, subject=segment, now=now, data=data)
    return segment, filled


@transaction.atomic
def change_members(
    segment: Segment,
    *,
    actor: Actor,
    now: datetime,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
) -> tuple[Filled, Filled]:
    """Put customers on a list and take others off; returns what became of both.

    Another list is another version. Raises InvalidInput for a segment that is no list.
    """
    # Two uploads at once: the version of each counts.
    segment = Segment.objects.select_for_update(of=["self"]).select_related("corp").get(
        pk=segment.pk
    )  # fmt: skip
    if segment.kind != Segment.Kind.LIST:
        message = _("«%(name)s» is a rule: who it means follows from that.")
        text = message % {"name": segment.name}
        raise InvalidInput(text, errors=(FieldProblem("/add", "conflict", text),))
    removed = _fill(segment, remove, is_adding=False)
    added = _fill(segment, add, is_adding=True)
    if added.changed or removed.changed:
        segment.version += 1
        segment.updated_at = now
        segment.save(update_fields=["version", "updated_at"])
        data = {"added": added.changed, "removed": removed.changed}
        record(
            "segments.members_changed",
            actor=actor,
            corp=segment.corp,
            subject=segment,
            now=now,
            data=data,
        )
    return added, removed


def read_members(data: bytes) -> list[str]:
    """Who a text or CSV file names: the first cell of each line, without a heading.

    UTF-8, with or without a mark, or GB18030. Raises InvalidInput for anything else.
    """
    text = _decoded(data)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_mark_of(text)))
    except csv.Error as error:
        message = _("The file cannot be read as CSV: %(error)s.") % {"error": error}
        raise _wrong("invalid", message) from None
    cells = [next((cell.strip() for cell in row if cell.strip()), "") for row in rows]
    # A formula that keeps a spreadsheet from shortening a number: ="1380…"
    bare = [re.sub(r'^="(.*)"$', r"\1", cell).lstrip("'\t") for cell in cells]
    return bare[1:] if bare and bare[0].lower() in _HEADINGS else bare


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    message = _("The file is neither UTF-8 nor GB18030 throughout: save it in one of them.")
    raise _wrong("encoding", message)


def _mark_of(text: str) -> str:
    head = text[: text.find("\n")] if "\n" in text else text
    return max(",;\t", key=head.count)


def _fill(segment: Segment, members: Sequence[str], *, is_adding: bool) -> Filled:
    named = [(line, text.strip()) for line, text in enumerate(members, start=1) if text.strip()]
    if len(named) > MOST_AT_ONCE:
        message = _("At most %(most)s at once: split the file.") % {"most": f"{MOST_AT_ONCE:,}"}
        raise _wrong("too_many", message)
    filled = Filled()
    rest = iter(named)
    while step := list(islice(rest, _REFS_A_STEP)):
        found = _known(dict.fromkeys(text for _line, text in step), segment.corp)
        for line, text in step:
            if text not in found:
                filled.unknown_count += 1
                if len(filled.unknown) < MOST_TOLD:
                    filled.unknown.append(Unknown(line, text[:64], _why_unknown(text)))
        changed = _write(segment, sorted(set(found.values())), is_adding=is_adding)
        filled.changed += changed
        filled.unchanged += sum(text in found for _line, text in step) - changed
    return filled


def _known(texts: Iterable[str], corp: Corp) -> dict[str, int]:
    refs = [(kind, text) for text in texts for kind in _kinds_of(text)]
    found = find_customers(refs, corp=corp)
    # The surest kind first, whatever else the same text might be.
    return {text: found[kind, text] for kind, text in reversed(refs) if (kind, text) in found}


def _kinds_of(text: str) -> Iterator[str]:
    yield EXTERNAL_USERID
    yield IdentityKind.UNIONID
    yield IdentityKind.MEMBER_ID
    if _PHONE.fullmatch(text):
        yield IdentityKind.PHONE


def _why_unknown(text: str) -> str:
    if _SHORTENED.fullmatch(text):
        return _("A spreadsheet has shortened this number: format the column as text.")
    return _("No customer is known by this.")


def _write(segment: Segment, customer_ids: list[int], *, is_adding: bool) -> int:
    if not is_adding:
        members = SegmentMember.objects.filter(segment=segment, customer__in=customer_ids)
        return members.delete()[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_segmentmember (corp_id, segment_id, customer_id)"
            " SELECT %s, %s, id FROM unnest(%s::bigint[]) AS named (id)"
            " ON CONFLICT (segment_id, customer_id) DO NOTHING",
            [segment.corp_id, segment.pk, customer_ids],
        )
        return int(cursor.rowcount)


def _wrong(code: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=(FieldProblem("/members", code, message),))
