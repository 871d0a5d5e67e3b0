"""Tags for people who have not arrived yet: kept under a digest, given when they are there."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from customers.actions.identities import EXTERNAL_USERID, digest_of, find_customers
from customers.actions.tag_changes import UsableTag, read_usable_tags, second_of_a_group
from customers.actions.tagging import tag_customers
from customers.actions.timeline import by_whom, source_of
from customers.models import Customer, Follow, Identity, PreTag, Tag, TagKind, TimelineEntry
from scrm.audit.actions.recording import SYSTEM, Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

Source = TimelineEntry.Source


@dataclass
class PretagRow:
    """Who is meant, by one identity; which tags; and what became of it.

    `status`: 200 given, 202 waits for her or for the platform, 409 and 422 refused.
    """

    kind: str
    value: str
    tag_ids: Sequence[int]
    status: int = 200
    is_known: bool = False
    problems: list[FieldProblem] = field(default_factory=list)

    def refuse(self, status: int, problem: FieldProblem) -> None:
        self.status = status if not self.problems else self.status
        self.problems.append(problem)


@transaction.atomic
def save_pretags(rows: Sequence[PretagRow], *, corp: Corp, actor: Actor, now: datetime) -> None:
    """Give tags to who is known, and keep them for who is not; each row is told its own outcome.

    Problems have paths within the row. Saying the same again changes nothing.
    """
    usable = read_usable_tags((pk for row in rows for pk in row.tag_ids), corp=corp)
    digests = [_check(row, usable, corp=corp) for row in rows]
    sound = [(row, digest) for row, digest in zip(rows, digests, strict=True) if digest]
    known = find_customers(((row.kind, row.value) for row, _digest in sound), corp=corp)
    origin = source_of(actor), by_whom(actor)
    by_tags: dict[tuple[int, ...], dict[int, list[PretagRow]]] = defaultdict(
        lambda: defaultdict(list)
    )
    waiting: list[PreTag] = []
    for row, digest in sound:
        customer_id = known.get((row.kind, row.value))
        row.is_known = customer_id is not None
        if customer_id is not None:
            by_tags[tuple(sorted(set(row.tag_ids)))][customer_id].append(row)
        else:
            row.status = 202
            waiting += _waiting(row, digest, origin, corp=corp, now=now)
    PreTag.objects.bulk_create(waiting, ignore_conflicts=True)
    _give_at_once(by_tags, usable, corp=corp, actor=actor, now=now)
    if waiting:
        data = {"people": len({(each.identity_kind, each.identity_digest) for each in waiting})}
        record("pretags.kept", actor=actor, corp=corp, subject=corp, now=now, data=data)


def give_pretags(customer_ids: Iterable[int], *, corp: Corp, now: datetime) -> int:
    """Give what waits for these customers, locked by the caller; return how many tags were given.

    A platform tag goes on waiting while nobody follows her: it would have nowhere to be. So does a
    tag that is being changed just now: whoever changes it waits for the customers locked here.
    """
    ids = sorted(set(customer_ids))
    if not ids:
        return 0
    waiting = _waiting_for(ids, corp=corp)
    tag_ids = {tag_id for _pk, _customer, tag_id, *_ in waiting}
    usable = read_usable_tags(tag_ids, corp=corp, skip_locked=True)
    followed = set(
        Follow.objects.live().filter(customer__in=ids).values_list("customer", flat=True)
    )
    taken: list[int] = []
    wishes: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for pk, customer_id, tag_id, source, why in waiting:
        tag = usable.get(tag_id)
        if tag and (tag.kind != TagKind.WECOM or customer_id in followed):
            taken.append(pk)
            wishes[customer_id, source, json.dumps(why, sort_keys=True)].append(tag_id)
    groups: dict[tuple[str, str, tuple[int, ...]], list[int]] = defaultdict(list)
    for (customer_id, source, why), chosen in wishes.items():
        groups[source, why, _without_rivals(chosen, usable)].append(customer_id)
    tags = Tag.objects.in_bulk(usable)
    for (source, why, chosen_ids), customers in groups.items():
        tag_customers(
            Customer.objects.filter(pk__in=customers),
            corp=corp,
            actor=SYSTEM,
            now=now,
            add=[tags[pk] for pk in chosen_ids],
            source=Source(source),
            why=json.loads(why) | {"reason": "pretag"},
        )
    PreTag.objects.filter(pk__in=taken).delete()
    if taken:
        data = {"tags": len(taken), "customers": len({customer for customer, *_ in wishes})}
        record("pretags.given", actor=SYSTEM, corp=corp, subject=corp, now=now, data=data)
    return len(taken)


@transaction.atomic
def forget_pretags(pretag_ids: Sequence[int], *, corp: Corp, actor: Actor, now: datetime) -> int:
    """Nobody is to be given these any more; return how many waited."""
    count, _ = PreTag.objects.for_corp(corp).filter(pk__in=pretag_ids).delete()
    if count:
        data = {"tags": count}
        record("pretags.forgotten", actor=actor, corp=corp, subject=corp, now=now, data=data)
    return count


def count_waiting(corp: Corp) -> dict[str, int]:
    """How many people are waited for, by the kind of what they are known by."""
    rows = PreTag.objects.for_corp(corp).order_by().values_list("identity_kind")
    return dict(rows.annotate(Count("identity_digest", distinct=True)))


def _check(row: PretagRow, usable: Mapping[int, UsableTag], *, corp: Corp) -> bytes | None:
    """The digest of who is meant; None when the row is refused."""
    digest = None
    try:
        digest = digest_of(row.kind, row.value, corp=corp)
    except InvalidInput as error:
        for problem in error.errors:
            row.refuse(422, problem)
    for index, tag_id in enumerate(row.tag_ids):
        if tag_id not in usable:
            text = _("There is no such tag.")
            row.refuse(422, FieldProblem(f"/tags/{index}", "unknown", text))
        elif usable[tag_id].kind == TagKind.AUTO:
            text = _("This tag belongs to a rule: nobody gives it by hand.")
            row.refuse(422, FieldProblem(f"/tags/{index}", "automatic", text))
    if not row.problems:
        for index in second_of_a_group([usable[tag_id] for tag_id in row.tag_ids]):
            text = _("Tag %(id)s excludes another one of the list: give one of them.")
            text %= {"id": row.tag_ids[index]}
            row.refuse(422, FieldProblem(f"/tags/{index}", "exclusive", text))
    return None if row.problems else digest


def _waiting(
    row: PretagRow, digest: bytes, origin: tuple[str, dict[str, str]], *, corp: Corp, now: datetime
) -> list[PreTag]:
    source, why = origin
    return [
        PreTag(
            corp=corp,
            identity_kind=row.kind,
            identity_digest=digest,
            tag_id=tag_id,
            source=source,
            why=why,
            created_at=now,
        )
        for tag_id in dict.fromkeys(row.tag_ids)
    ]


def _give_at_once(
    by_tags: Mapping[tuple[int, ...], Mapping[int, Sequence[PretagRow]]],
    usable: Mapping[int, UsableTag],
    *,
    corp: Corp,
    actor: Actor,
    now: datetime,
) -> None:
    ids = {customer_id for people in by_tags.values() for customer_id in people}
    live = Follow.objects.live().filter(customer__in=ids).values_list("customer", flat=True)
    followed = set(live)
    tags = Tag.objects.in_bulk(usable)
    for tag_ids, people in by_tags.items():
        needs_follow = any(usable[pk].kind == TagKind.WECOM for pk in tag_ids)
        able = set(people) & followed if needs_follow else set(people)
        for customer_id, rows in people.items():
            for row in rows:
                _answer_known(row, needs_follow, is_able=customer_id in able)
        if able:
            tag_customers(
                Customer.objects.filter(pk__in=able),
                corp=corp,
                actor=actor,
                now=now,
                add=[tags[pk] for pk in tag_ids],
                why={"reason": "pretag"},
            )


def _answer_known(row: PretagRow, needs_follow: bool, *, is_able: bool) -> None:  # noqa: FBT001
    if not is_able:
        text = _("Nobody follows this customer: a platform tag has nowhere to be.")
        row.refuse(409, FieldProblem("/tags", "no_live_follow", text))
    elif needs_follow:
        row.status = 202


def _waiting_for(ids: list[int], *, corp: Corp) -> list[tuple[int, int, int, str, Any]]:
    """(pretag, customer, tag, source, why), in the order in which they were said."""
    names = _names_of(ids, corp=corp)
    if not names:
        return []
    kinds, digests, customers = zip(*names, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.id, n.customer, p.tag_id, p.source, p.why FROM customers_pretag p"
            " JOIN unnest(%s::text[], %s::bytea[], %s::bigint[]) AS n (kind, digest, customer)"
            " ON p.identity_kind = n.kind AND p.identity_digest = n.digest"
            " WHERE p.corp_id = %s ORDER BY p.created_at, p.id",
            [list(kinds), list(digests), list(customers), corp.pk],
        )
        return [(*row[:4], _loaded(row[4])) for row in cursor.fetchall()]


def _names_of(ids: list[int], *, corp: Corp) -> list[tuple[str, bytes, int]]:
    """(kind, digest, customer) of what these customers are known by."""
    identities = Identity.objects.for_corp(corp).filter(customer__in=ids)
    names = [
        (kind, bytes(digest), customer_id)
        for kind, digest, customer_id in identities.values_list("kind", "digest", "customer")
    ]
    customers = Customer.objects.for_corp(corp).filter(pk__in=ids)
    for pk, external_userid, unionid in customers.values_list("pk", "external_userid", "unionid"):
        names.append((EXTERNAL_USERID, digest_of(EXTERNAL_USERID, external_userid, corp=corp), pk))
        if unionid:
            names.append(("unionid", digest_of("unionid", unionid, corp=corp), pk))
    return names


def _without_rivals(tag_ids: Sequence[int], usable: Mapping[int, UsableTag]) -> tuple[int, ...]:
    """Of tags that exclude each other the one that was said last."""
    latest = [usable[pk] for pk in reversed(dict.fromkeys(tag_ids))]
    late = set(second_of_a_group(latest))
    return tuple(sorted(tag.id for place, tag in enumerate(latest) if place not in late))


def _loaded(value: Any) -> Any:
    # Raw cursors give jsonb as text: Django turns the parsing off for its own fields.
    return json.loads(value) if isinstance(value, str) else value
