"""`/tags/batch/`: up to 500 rows in a handful of statements, each row with its own answer."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from customers.actions.tagging import tag_customers
from customers.models import Customer, Tag, TagKind
from scrm.audit.actions.recording import Actor
from scrm.common.errors import FieldProblem
from scrm.tenancy.models import Corp


@dataclass
class Row:
    """One row of the batch and what became of it."""

    position: int
    external_userid: str
    add: list[int]
    remove: list[int]
    until: datetime | None = None
    status: int = 200
    errors: list[FieldProblem] = field(default_factory=list)

    def refuse(self, status: int, path: str, code: str, message: str) -> None:
        if not self.errors:
            self.status = status
        problem = FieldProblem(f"/items/{self.position}/{path}", code, message)
        self.errors.append(problem)


# Tag → whether it is to be carried, and until when.
Wishes = dict[int, tuple[bool, datetime | None]]
# Tags to add, tags to remove, until when.
Set = tuple[tuple[int, ...], tuple[int, ...], datetime | None]


@transaction.atomic
def tag_batch(
    items: list[dict[str, Any]], *, corp: Corp, actor: Actor, now: datetime
) -> list[dict[str, Any]]:
    """Tag and untag row by row in meaning, set by set in fact; results are in the rows' order.

    Of two rows that say something else about the same customer and tag, the later one counts.
    """
    rows = [Row(position=position, **item) for position, item in enumerate(items)]
    customers = _customers_of(rows, corp=corp)
    tags = _tags_of(rows, corp=corp)
    for row in rows:
        _check(row, customers=customers, tags=tags, now=now)
    for (add, remove, until), ids in _sets_of(rows, customers=customers, tags=tags).items():
        chosen = Customer.objects.for_corp(corp).filter(pk__in=ids)
        tag_customers(
            chosen,
            corp=corp,
            actor=actor,
            now=now,
            add=[tags[tag_id] for tag_id in add],
            remove=[tags[tag_id] for tag_id in remove],
            until=until,
        )
    return [_answer(row) for row in rows]


def _customers_of(rows: list[Row], *, corp: Corp) -> dict[str, Customer]:
    named = {row.external_userid for row in rows}
    found = Customer.objects.for_corp(corp).filter(external_userid__in=named)
    return {customer.external_userid: customer for customer in found}


def _tags_of(rows: list[Row], *, corp: Corp) -> dict[int, Tag]:
    named = {tag_id for row in rows for tag_id in (*row.add, *row.remove)}
    return Tag.objects.for_corp(corp).current().select_related("group").in_bulk(named)


def _check(
    row: Row, *, customers: dict[str, Customer], tags: dict[int, Tag], now: datetime
) -> None:
    customer = customers.get(row.external_userid)
    if customer is None:
        row.refuse(404, "external_userid", "not_found", _("There is no such customer."))
    _check_tags(row, tags)
    if row.until is not None and row.until <= now:
        message = _("The tag would have ended before it is given: choose a later time.")
        row.refuse(422, "until", "past", message)
    if row.errors or customer is None:
        return
    if any(tags[tag_id].kind == TagKind.WECOM for tag_id in (*row.add, *row.remove)):
        _check_platform_row(row, customer)


def _check_tags(row: Row, tags: dict[int, Tag]) -> None:
    for name, tag_ids in (("add", row.add), ("remove", row.remove)):
        for index, tag_id in enumerate(tag_ids):
            if tag_id not in tags:
                row.refuse(422, f"{name}/{index}", "unknown", _("There is no such tag."))
    for index, tag_id in enumerate(row.remove):
        if tag_id in row.add:
            message = _("This tag is to be added and removed at once.")
            row.refuse(422, f"remove/{index}", "conflict", message)
    groups: dict[int, int] = {}
    for index, tag_id in enumerate(row.add):
        group = tags[tag_id].group if tag_id in tags else None
        if group and group.is_exclusive and groups.setdefault(group.pk, tag_id) != tag_id:
            message = _("Tag %(id)s excludes another one of the list: give one of them.")
            row.refuse(422, f"add/{index}", "exclusive", message % {"id": tag_id})


def _check_platform_row(row: Row, customer: Customer) -> None:
    # The platform keeps its tags on the relation of a member of staff with the customer.
    if customer.live_follows:
        row.status = 202
    else:
        message = _("Nobody follows this customer: a platform tag has nowhere to be.")
        row.refuse(409, "external_userid", "no_live_follow", message)


def _sets_of(
    rows: list[Row], *, customers: dict[str, Customer], tags: dict[int, Tag]
) -> dict[Set, list[int]]:
    """(tags to add, tags to remove, until) → customers; by tag where that makes fewer sets."""
    last_word: dict[int, Wishes] = defaultdict(dict)
    for row in rows:
        if not row.errors:
            wishes = last_word[customers[row.external_userid].pk]
            for rival in _rivals(row, wishes, tags):
                del wishes[rival]
            wishes |= dict.fromkeys(row.remove, (False, None))
            wishes |= dict.fromkeys(row.add, (True, row.until))
    by_wish: dict[Any, list[int]] = defaultdict(list)
    by_tag: dict[Any, list[int]] = defaultdict(list)
    for customer_id, wishes in last_word.items():
        for part in _parts(wishes):
            by_wish[part].append(customer_id)
        for tag_id, wish in wishes.items():
            by_tag[_parts({tag_id: wish})[0]].append(customer_id)
    return min(by_wish, by_tag, key=len)


def _rivals(row: Row, wishes: Wishes, tags: dict[int, Tag]) -> list[int]:
    """Tags that an earlier row gives and this one excludes."""
    groups = {tags[tag_id].group_id for tag_id in row.add if tags[tag_id].group.is_exclusive}
    given = [tag_id for tag_id, (is_wanted, _until) in wishes.items() if is_wanted]
    return [tag_id for tag_id in given if tags[tag_id].group_id in groups - {None}]


def _parts(wishes: Wishes) -> list[Set]:
    """One set for what is taken and what is given without an end, one for each end."""
    remove = tuple(
        sorted(tag_id for tag_id, (is_wanted, _until) in wishes.items() if not is_wanted)
    )
    by_end: dict[datetime | None, list[int]] = defaultdict(list)
    for tag_id, (is_wanted, until) in wishes.items():
        if is_wanted:
            by_end[until].append(tag_id)
    first = next(iter(by_end), None)
    ends = by_end or ({None: []} if remove else {})
    return [(tuple(sorted(ends[until])), remove if until == first else (), until) for until in ends]


def _answer(row: Row) -> dict[str, Any]:
    return {
        "external_userid": row.external_userid,
        "status": row.status,
        "errors": [
            {"path": each.path, "code": each.code, "message": each.message} for each in row.errors
        ],
    }
