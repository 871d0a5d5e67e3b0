"""Who receives callbacks: the corps' seals, kept in the process and checked when they are used."""

from dataclasses import dataclass

from django.db.models import TextField
from django.db.models.functions import Cast

from scrm.channels.wecom.crypto import Seal
from scrm.common.encryption import decrypt
from scrm.tenancy.models import Corp


@dataclass(frozen=True)
class Receiver:
    """A corp's seal as it was read, and the encrypted columns that tell whether it still holds.

    The inbox compares them in its one INSERT, so a kept receiver costs no query of its own, and
    a token or key that was changed in the admin is not used any more.
    """

    corp_pk: int
    stored_token: str
    stored_aes_key: str
    seal: Seal


_kept: dict[str, Receiver] = {}


def kept_receiver(corp_id: str) -> Receiver | None:
    """The receiver as it was last read, else as it is; None for an unknown corp."""
    return _kept.get(corp_id) or read_receiver(corp_id)


def read_receiver(corp_id: str) -> Receiver | None:
    """The receiver as it is in the database now."""
    columns = {
        "stored_token": Cast("callback_token", TextField()),
        "stored_aes_key": Cast("callback_aes_key", TextField()),
    }
    corps = Corp.objects.filter(corp_id=corp_id).annotate(**columns)
    row = corps.values_list("pk", *columns).first()
    if row is None:
        _kept.pop(corp_id, None)
        return None
    pk, token, aes_key = row
    seal = Seal(token=decrypt(token), aes_key=decrypt(aes_key), receive_id=corp_id)
    _kept[corp_id] = Receiver(pk, token, aes_key, seal)
    return _kept[corp_id]
