"""What the brand's shops tell of orders: the latest state of each, whatever order they come in.

A row tells a whole state. `changed_at`, by the brand's clock, says which state is the later one: an
earlier one that comes later changes nothing (except what was not known at all). Without it a row
counts as told now and can only lead forwards: paid, shipped, completed, refunded or closed.

Orders set nothing off. They feed figures, segments, stages and the timeline; whether one is news is
told by `paid_at` beside `received_at`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from customers.actions.derived import lock_customers
from customers.actions.identities import Ref, find_customers
from customers.actions.judging import judge_customers
from customers.actions.rows_told import RowReader, check_refs, refuse_nameless
from customers.models import Customer, Order
from scrm.audit.actions.recording import Actor
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

MAX_ROWS = 500
MAX_FEN = 10**12
_MAX_ITEMS = 200
_RANK: dict[str, int] = {
    Order.Status.PAID: 0,
    Order.Status.SHIPPED: 1,
    Order.Status.COMPLETED: 2,
    Order.Status.REFUNDED: 3,
    Order.Status.CLOSED: 3,
}
FIELDS = (
    "shop_id", "order_no", "status", "amount_fen", "refunded_fen", "paid_at", "refunded_at",
    "changed_at", "items", "external_userid", "unionid", "member_id", "phone",
)  # fmt: skip
_FIELDS = frozenset(FIELDS)
# So often two batches may meet at the same new order; the third time something else is wrong.
_TRIES = 3
_WRITTEN = [
    "customer", "awaited_kind", "awaited_digest", "status", "amount_fen", "refunded_fen",
    "paid_at", "refunded_at", "items", "changed_at",
]  # fmt: skip

Key = tuple[str, str]


@dataclass(frozen=True)
class Told:
    """One row that could be read; None is what it does not say."""

    key: Key
    status: str
    amount_fen: int
    refunded_fen: int | None
    paid_at: datetime | None
    refunded_at: datetime | None
    changed_at: datetime | None
    items: list[Any] | None
    refs: tuple[Ref, ...] = ()
    awaited: tuple[str, bytes | None] = ("", None)
    customer_id: int | None = None


@dataclass(frozen=True)
class OrderAnswer:
    """What became of a row: `created`, `updated`, `unchanged`, `stale` or `refused`.

    `order` is the order as it is now, or, in a dry run, would be; None when the row was refused.
    """

    shop_id: str
    order_no: str
    outcome: str
    order: Order | None = None
    errors: tuple[FieldProblem, ...] = ()

    @property
    def matched(self) -> bool:
        return self.order is not None and self.order.customer_id is not None


def put_orders(
    rows: Sequence[Mapping[str, Any]],
    *,
    corp: Corp,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
) -> list[OrderAnswer]:
    """Take up to 500 states of orders in; the answers are in the order of the rows.

    A row is a JSON object with the `FIELDS`; what is wrong with one is said in its answer, and the
    others are taken all the same. As many statements for five hundred rows as for one, unless
    several tell of the same order. `actor` is who is asking; the orders themselves are the log.
    Raises InvalidInput for more than 500 rows.
    """
    if len(rows) > MAX_ROWS:
        message = _("Send at most %(limit)d rows in one call.") % {"limit": MAX_ROWS}
        raise InvalidInput(message, errors=(FieldProblem("/items", "too_many", message),))
    read = [_read(row, corp=corp, now=now) for row in rows]
    told = _with_customers([each for each in read if isinstance(each, Told)], corp=corp)
    outcomes = iter(_apply_again_and_again(told, corp=corp, now=now, dry_run=dry_run))
    return [next(outcomes) if isinstance(each, Told) else each for each in read]


def fold(order: Order, told: Told, *, now: datetime) -> str:
    """Bring an order, or the empty one of a new key, to what was told; say what changed."""
    if not order.status:
        _overwrite(order, told, moment=told.changed_at or now)
        return "created"
    before, changed_at = _content_of(order), order.changed_at
    is_later = _is_later(order, told)
    if is_later:
        # Said without a time, it is no earlier than what is known.
        _overwrite(order, told, moment=told.changed_at or max(now, changed_at))
    else:
        _complete(order, told)
    if _content_of(order) == before:
        # Told once more without a time: the row is left alone.
        order.changed_at = told.changed_at if is_later and told.changed_at else changed_at
    if (_content_of(order), order.changed_at) != (before, changed_at):
        return "updated"
    return "unchanged" if is_later else "stale"


def _apply_again_and_again(
    told: list[Told], *, corp: Corp, now: datetime, dry_run: bool
) -> list[OrderAnswer]:
    for _attempt in range(_TRIES - 1):
        try:
            with transaction.atomic():
                return _apply(told, corp=corp, now=now, dry_run=dry_run)
        except IntegrityError:
            # Somebody else made one of the new orders in between: now it is there to be read.
            continue
    with transaction.atomic():
        return _apply(told, corp=corp, now=now, dry_run=dry_run)


def _read(row: Mapping[str, Any], *, corp: Corp, now: datetime) -> Told | OrderAnswer:
    reader = RowReader(row, now=now)
    reader.refuse_unknown(_FIELDS)
    refs = reader.refs()
    items = reader.structure("items", list, default=lambda: None)
    told = Told(
        key=(reader.text("shop_id", limit=64), reader.text("order_no", limit=64)),
        status=reader.choice("status", list(Order.Status.values)),
        amount_fen=reader.whole("amount_fen", most=MAX_FEN, is_required=True) or 0,
        refunded_fen=reader.whole("refunded_fen", most=MAX_FEN),
        paid_at=reader.moment("paid_at"),
        refunded_at=reader.moment("refunded_at"),
        changed_at=reader.moment("changed_at"),
        items=items,
        refs=refs,
        awaited=check_refs(reader, refs, corp=corp),
    )
    if (told.refunded_fen or 0) > told.amount_fen and not reader.problems:
        message = _("More is given back than was paid; give the total of all refunds.")
        reader.refuse("refunded_fen", "too_much", message)
    _check_items(reader, items)
    if not reader.problems:
        return told
    # What the row says it is, as far as it says it.
    named = (str(row.get("shop_id", ""))[:64], str(row.get("order_no", ""))[:64])
    return OrderAnswer(*named, "refused", errors=tuple(reader.problems))


def _check_items(reader: RowReader, items: list[Any] | None) -> None:
    if items is None:
        return
    if len(items) > _MAX_ITEMS:
        message = _("An order has at most %(limit)d items.") % {"limit": _MAX_ITEMS}
        reader.refuse("items", "too_many", message)
    for number, item in enumerate(items[:_MAX_ITEMS]):
        if not isinstance(item, dict):
            message = _("This is to be an object.")
            reader.problems.append(FieldProblem(f"/items/{number}", "invalid", message))


def _with_customers(told: list[Told], *, corp: Corp) -> list[Told]:
    """Each row with whom it names: of several names the surest that is known."""
    known = find_customers((ref for each in told for ref in each.refs), corp=corp)
    return [
        replace(each, customer_id=next((known[ref] for ref in each.refs if ref in known), None))
        for each in told
    ]


def _apply(told: list[Told], *, corp: Corp, now: datetime, dry_run: bool) -> list[OrderAnswer]:
    # Customers before orders, as whoever adopts what waits does: so neither waits for the other.
    named = {each.customer_id for each in told if each.customer_id is not None}
    lock_customers(Customer.objects.filter(pk__in=named))
    orders = _lock_orders({each.key for each in told}, corp=corp)
    new: dict[Key, Order] = {}
    changed: dict[Key, Order] = {}
    touched: set[int] = set()
    answers = []
    for each in told:
        order = orders.get(each.key) or new.get(each.key)
        if order is None:
            if not each.refs:
                answers.append(_nameless(each, now=now))
                continue
            order = new[each.key] = Order(
                corp=corp, shop_id=each.key[0], order_no=each.key[1], received_at=now
            )
        holder = order.customer_id
        outcome = fold(order, each, now=now)
        if outcome in {"created", "updated"}:
            touched |= {pk for pk in (holder, order.customer_id) if pk is not None}
            if each.key not in new:
                changed[each.key] = order
        answers.append(OrderAnswer(*each.key, outcome, order))
    if not dry_run:
        _write(new, changed, touched, corp=corp, now=now)
    return answers


def _write(
    new: dict[Key, Order],
    changed: dict[Key, Order],
    touched: set[int],
    *,
    corp: Corp,
    now: datetime,
) -> None:
    # In one order: two batches that make the same orders wait for each other, never both ways.
    Order.objects.bulk_create([new[key] for key in sorted(new)])
    if changed:
        Order.objects.bulk_create(
            changed.values(), update_conflicts=True, unique_fields=["id"], update_fields=_WRITTEN
        )
    judge_customers(touched, corp_id=corp.pk, now=now)


def _nameless(told: Told, *, now: datetime) -> OrderAnswer:
    reader = RowReader({}, now=now)
    refuse_nameless(reader)
    return OrderAnswer(*told.key, "refused", errors=tuple(reader.problems))


def _lock_orders(keys: set[Key], *, corp: Corp) -> dict[Key, Order]:
    if not keys:
        return {}
    shops, numbers = zip(*sorted(keys), strict=True)
    rows = Order.objects.raw(
        "SELECT o.* FROM customers_order o"
        " JOIN unnest(%s::text[], %s::text[]) AS k (shop_id, order_no)"
        " ON o.shop_id = k.shop_id AND o.order_no = k.order_no"
        " WHERE o.corp_id = %s ORDER BY o.id FOR NO KEY UPDATE OF o",
        [list(shops), list(numbers), corp.pk],
    )
    return {(order.shop_id, order.order_no): order for order in rows}


def _is_later(order: Order, told: Told) -> bool:
    """Whether the state told is at least as late as the one that is known."""
    refunded = order.refunded_fen if told.refunded_fen is None else told.refunded_fen
    if told.changed_at is None:
        return _RANK[told.status] >= _RANK[order.status] and refunded >= order.refunded_fen
    if told.changed_at == order.changed_at:
        # Whichever comes first, the same of two states of one moment stays.
        place = (refunded, _RANK[told.status], told.status)
        return place >= (order.refunded_fen, _RANK[order.status], order.status)
    return told.changed_at > order.changed_at


def _overwrite(order: Order, told: Told, *, moment: datetime) -> None:
    is_first = not order.status
    refunded = _refunded_of(order, told)
    told_at = (told.refunded_at or moment) if refunded else None
    is_same = refunded > 0 and not is_first and refunded == order.refunded_fen
    order.refunded_at = _earliest(told_at, order.refunded_at if is_same else None)
    order.status, order.amount_fen, order.refunded_fen = told.status, told.amount_fen, refunded
    order.paid_at = told.paid_at or order.paid_at
    if order.paid_at is None and told.status != Order.Status.CLOSED:
        # It was paid, and nobody said when.
        order.paid_at = moment
    if told.items is not None or is_first:
        order.items = told.items or []
    order.changed_at = moment
    if told.refs and (told.customer_id is not None or order.customer_id is None):
        _give(order, told)


def _refunded_of(order: Order, told: Told) -> int:
    if told.refunded_fen is not None:
        return told.refunded_fen
    if told.status == Order.Status.REFUNDED and not order.refunded_fen:
        return told.amount_fen
    return min(order.refunded_fen, told.amount_fen)


def _complete(order: Order, told: Told) -> None:
    """Take from an earlier state only what nobody has said of the order so far."""
    if order.customer_id is None and told.customer_id is not None:
        _give(order, told)
    if told.status != Order.Status.CLOSED:
        order.paid_at = order.paid_at or told.paid_at
    if told.refunded_fen and told.refunded_fen == order.refunded_fen:
        # The same refund, told first: that is when it was.
        order.refunded_at = _earliest(order.refunded_at, told.refunded_at or told.changed_at)


def _give(order: Order, told: Told) -> None:
    order.customer_id = told.customer_id
    order.awaited_kind, order.awaited_digest = told.awaited


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)


def _content_of(order: Order) -> tuple[Any, ...]:
    """All but the moment of the state: told again, it is no change."""
    digest = order.awaited_digest
    return (
        order.customer_id, order.awaited_kind, bytes(digest) if digest else None, order.status,
        order.amount_fen, order.refunded_fen, order.paid_at, order.refunded_at, order.items,
    )  # fmt: skip
