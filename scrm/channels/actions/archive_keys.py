"""The private keys of the chat archive: added, replaced, never shown."""

from datetime import datetime
from typing import NoReturn

from django.db import transaction
from django.utils.translation import gettext as _

from scrm.audit.actions.recording import Actor, record
from scrm.channels.models import ArchiveKey
from scrm.channels.wecom.archive import read_private_key
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

_BITS = 2048
_LONGEST_PEM = 10_000
_LAST_VERSION = 2**31 - 1


@transaction.atomic
def add_archive_key(
    corp: Corp, *, version: int, private_key: str, actor: Actor, now: datetime
) -> ArchiveKey:
    """Keep the private key of a version of the archive's key pair, in place of an earlier one.

    What could not be opened for want of it is read again with the next pull, as far back as the
    platform keeps messages. Raises InvalidInput.
    """
    pem = private_key.strip().replace("\r\n", "\n") + "\n"
    _check(version, pem)
    key, is_new = ArchiveKey.objects.update_or_create(
        corp=corp, version=version, defaults={"private_key": pem, "created_at": now}
    )
    # Which version, never the key.
    data = {"version": version, "replaced": not is_new}
    record("archive.key_added", actor=actor, corp=corp, subject=key, now=now, data=data)
    return key


def _check(version: int, pem: str) -> None:
    if not 1 <= version <= _LAST_VERSION:
        _refuse("version", _("The version is the number the console shows beside the public key."))
    if len(pem) > _LONGEST_PEM:
        _refuse("private_key", _("This is no private key in PEM form."))
    try:
        key = read_private_key(pem)
    except ValueError as error:
        _refuse("private_key", str(error))
    if key.key_size != _BITS:
        _refuse("private_key", _("The archive takes RSA keys of 2048 bits only."))


def _refuse(field: str, message: str) -> NoReturn:
    raise InvalidInput(message, errors=(FieldProblem(f"/{field}", "invalid", message),))
