"""What a person is known by outside the platform: phones, unionids, member numbers.

**The blind index.** A phone is kept encrypted, and so cannot be searched for. Beside it stands a
digest: HMAC-SHA256 over corp, kind and the normalised value, with a key that HKDF derives from
the *last*, the oldest, key of `SCRM_FIELD_KEYS`. Without that key a copy of the database does not
even tell whether a phone that somebody guesses is in it.

A new key is put in front of the list, so the index key stays what it was. **The last key must stay
in the list for good**: with another one in its place nobody is found by phone, unionid or member
number any more, what waits for somebody waits for ever, and linking a phone again makes a second
identity beside the first. Put back, everything is found again.
"""

import hashlib
import hmac
import re
import unicodedata
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import phonenumbers
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from customers.actions.arrivals import adopt, anything_waits, lately_arrived
from customers.actions.derived import lock_customers
from customers.models import Customer, Identity, IdentityKind
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp, Scope

# What the platform calls a person; not an identity of ours, but one can wait for it all the same.
EXTERNAL_USERID = "external_userid"
# From the surest to the least sure: a phone can be a family's.
KINDS = (EXTERNAL_USERID, IdentityKind.UNIONID, IdentityKind.MEMBER_ID, IdentityKind.PHONE)
_MAX_LENGTH = 64
_CUSTOMERS_AT_ONCE = 1000
_HOME = "CN"
# Newer than any table of numbers that a library can have: carriers get further beginnings.
_MOBILE_IN_CHINA = re.compile(r"\+861[3-9]\d{9}")
_SHORTENED = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")

# What somebody is known by: a word of `KINDS` and a value, as it was given.
Ref = tuple[str, str]


class IdentityTaken(DomainError):
    """The phone or number is another customer's; moving it is `merging.move_identity`."""

    code = "identity_taken"
    status = 409

    def __init__(self, holder: Customer, *, seen_by: Scope | None) -> None:
        # Whoever may not see the other customer learns that there is one, and no more.
        self.holder = holder if seen_by is not None and _sees(seen_by, holder) else None
        if self.holder is None:
            super().__init__(_("This already belongs to another customer."))
        else:
            words = {"customer": self.holder.external_userid}
            super().__init__(_("This already belongs to the customer %(customer)s.") % words)


def normalise(kind: str, value: str) -> str:
    """The one way of writing a value: phones as E.164, numbers without blanks around them.

    Raises InvalidInput, with the kind as path.
    """
    text = value.strip()
    if kind in {IdentityKind.PHONE, IdentityKind.MEMBER_ID} and _SHORTENED.fullmatch(text):
        raise refused_number(kind, text)
    if kind == IdentityKind.PHONE:
        return _normalise_phone(text)
    if not 0 < len(text) <= _MAX_LENGTH or not text.isprintable():
        message = _("Give 1 to %(limit)d characters that can be printed.") % {"limit": _MAX_LENGTH}
        raise InvalidInput(message, errors=(FieldProblem(f"/{kind}", "invalid", message),))
    return text


def refused_number(name: str, text: str) -> InvalidInput:
    """The refusal of what a spreadsheet has made of a long number."""
    message = _(
        "A spreadsheet has shortened this number to %(text)s and its digits are lost: format the "
        "column as text, enter the numbers again and save."
    ) % {"text": text[:32]}
    return InvalidInput(message, errors=(FieldProblem(f"/{name}", "shortened_number", message),))


def digest_of(kind: str, value: str, *, corp: Corp) -> bytes:
    """The blind index of a value (32 bytes); raises InvalidInput like `normalise`."""
    return _digest(kind, normalise(kind, value), corp=corp)


def mask(kind: str, value: str) -> str:
    """A value as people see it who need not know it: 138****5678."""
    shown = value.removeprefix("+86") if kind == IdentityKind.PHONE else value
    head = 3 if len(shown) > 9 else 1 if len(shown) > 4 else 0
    tail = 4 if len(shown) > 9 else 2 if len(shown) > 4 else 1
    return f"{shown[:head]}****{shown[-tail:]}"


def find_customers(refs: Iterable[Ref], *, corp: Corp) -> dict[Ref, int]:
    """Whom these name: (kind, value) → id of the customer; who is not known is not in it.

    At most three queries. A value that cannot be one finds nobody.
    """
    wanted: dict[str, dict[str, list[Ref]]] = defaultdict(lambda: defaultdict(list))
    for ref in set(refs):
        try:
            wanted[ref[0]][normalise(*ref)].append(ref)
        except InvalidInput:
            continue
    found = _find_by_digest(wanted, corp=corp)
    # What the platform says weighs more than what was linked by hand.
    for kind in (IdentityKind.UNIONID, EXTERNAL_USERID):
        if named := wanted.get(kind):
            rows = Customer.objects.for_corp(corp).filter(**{f"{kind}__in": list(named)})
            for pk, value in rows.order_by("-pk").values_list("pk", kind):
                found |= dict.fromkeys(named[value], pk)
    return found


@transaction.atomic
def link_identity(  # noqa: PLR0913 (an identity, spelled out)
    customer: Customer,
    *,
    kind: str,
    value: str,
    actor: Actor,
    now: datetime,
    why: Mapping[str, Any] | None = None,
    seen_by: Scope | None = None,
) -> Identity:
    """Note that the customer is known by this; what waited for it becomes hers.

    Linking again changes nothing. Raises InvalidInput, and IdentityTaken when it is somebody
    else's, who is named only to whom `seen_by` shows her.
    """
    if kind not in IdentityKind.values:
        message = _("An identity is a phone, a unionid or a member number.")
        raise InvalidInput(message, errors=(FieldProblem("/kind", "unknown", message),))
    corp = customer.corp
    try:
        written = normalise(kind, value)
    except InvalidInput as error:
        problems = tuple(FieldProblem("/value", each.code, each.message) for each in error.errors)
        raise InvalidInput(error.detail, errors=problems) from None
    lock_customers(Customer.objects.filter(pk=customer.pk))
    if kind == IdentityKind.UNIONID:
        _check_unionid(customer, written, seen_by=seen_by)
    identity, is_new = Identity.objects.select_related("customer").get_or_create(
        corp=corp,
        kind=kind,
        digest=_digest(kind, written, corp=corp),
        defaults={
            "customer": customer,
            "value": written,
            "linked_at": now,
            "why": dict(why or {"by": actor.name, "source": actor.kind}),
        },
    )
    if identity.customer_id != customer.pk:
        raise IdentityTaken(identity.customer, seen_by=seen_by)
    if is_new:
        # Neither the value nor anything that could be tried out against it.
        data = {"kind": kind, "identity": identity.pk}
        record("identities.linked", actor=actor, corp=corp, subject=customer, now=now, data=data)
        adopt_waiting([customer.pk], corp=corp, now=now)
    return identity


@transaction.atomic
def unlink_identity(identity: Identity, *, actor: Actor, now: datetime) -> None:
    """Forget that the customer is known by this; what came by it stays hers."""
    data = {"kind": identity.kind, "identity": identity.pk}
    record(
        "identities.unlinked",
        actor=actor,
        corp=identity.corp,
        subject=identity.customer,
        now=now,
        data=data,
    )
    identity.delete()


def adopt_waiting(customer_ids: Iterable[int], *, corp: Corp, now: datetime) -> None:
    """What waited for these customers, locked by the caller, becomes theirs.

    Call it once for a whole batch: after customers were made, after a unionid was learnt. It costs
    one statement when nothing waits in the corp, and a handful otherwise.
    """
    ids = sorted(set(customer_ids))
    if ids and anything_waits(corp):
        adopt(ids, _names_of(ids, corp=corp), corp=corp, now=now)


def adopt_lately_arrived(*, now: datetime) -> int:
    """Match what was told in the very moment in which its customer arrived; return the customers.

    Neither transaction saw the other's row then, and nothing else would bring them together.
    """
    looked_at = 0
    for corp in Corp.objects.order_by("pk"):
        arrived = lately_arrived(corp, now=now) if anything_waits(corp) else []
        for start in range(0, len(arrived), _CUSTOMERS_AT_ONCE):
            chunk = arrived[start : start + _CUSTOMERS_AT_ONCE]
            with transaction.atomic():
                lock_customers(Customer.objects.filter(pk__in=chunk))
                adopt_waiting(chunk, corp=corp, now=now)
        looked_at += len(arrived)
    return looked_at


def _names_of(ids: list[int], *, corp: Corp) -> list[tuple[str, bytes, int]]:
    """(kind, digest, customer) of everything that these customers are known by."""
    identities = Identity.objects.for_corp(corp).filter(customer__in=ids)
    names = [
        (kind, bytes(digest), customer_id)
        for kind, digest, customer_id in identities.values_list("kind", "digest", "customer")
    ]
    customers = Customer.objects.for_corp(corp).filter(pk__in=ids)
    for pk, external_userid, unionid in customers.values_list("pk", "external_userid", "unionid"):
        names.append((EXTERNAL_USERID, _digest(EXTERNAL_USERID, external_userid, corp=corp), pk))
        if unionid:
            names.append(
                (IdentityKind.UNIONID, _digest(IdentityKind.UNIONID, unionid, corp=corp), pk)
            )
    return names


def _find_by_digest(wanted: Mapping[str, Mapping[str, list[Ref]]], *, corp: Corp) -> dict[Ref, int]:
    by_digest = {
        (kind, _digest(kind, value, corp=corp)): refs
        for kind, values in wanted.items()
        if kind in IdentityKind.values
        for value, refs in values.items()
    }
    if not by_digest:
        return {}
    rows = Identity.objects.for_corp(corp).filter(
        kind__in={kind for kind, _ in by_digest},
        digest__in=[digest for _, digest in by_digest],
    )
    return {
        ref: customer_id
        for kind, digest, customer_id in rows.values_list("kind", "digest", "customer")
        for ref in by_digest.get((kind, bytes(digest)), ())
    }


def _normalise_phone(text: str) -> str:
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", text)[:40], _HOME)
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        number, written = None, ""
    if number is None or not (
        phonenumbers.is_valid_number(number) or _MOBILE_IN_CHINA.fullmatch(written)
    ):
        # Without the number: refusals end up in logs and files of errors.
        message = _(
            "This is no phone number. One from outside China begins with + and its country."
        )
        raise InvalidInput(message, errors=(FieldProblem("/phone", "invalid_phone", message),))
    return written


def _digest(kind: str, written: str, *, corp: Corp) -> bytes:
    # Each corp has digests of its own: that two brands have a customer in common shows nowhere.
    message = f"{corp.pk}\0{kind}\0{written}".encode()
    return hmac.digest(_index_key(settings.FIELD_KEYS[-1]), message, hashlib.sha256)


@lru_cache(maxsize=4)
def _index_key(field_key: str) -> bytes:
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"scrm identities blind index 1")
    return derive.derive(urlsafe_b64decode(field_key))


def _check_unionid(customer: Customer, unionid: str, *, seen_by: Scope | None) -> None:
    known = Customer.objects.for_corp(customer.corp).filter(unionid=unionid)
    holder = known.exclude(pk=customer.pk).first()
    if holder is not None and customer.unionid != unionid:
        raise IdentityTaken(holder, seen_by=seen_by)


def _sees(scope: Scope, customer: Customer) -> bool:
    return Customer.objects.in_scope(scope).filter(pk=customer.pk).exists()
