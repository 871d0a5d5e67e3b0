"""Connecting a corp: nothing is kept before the platform has said yes."""

from dataclasses import dataclass, fields, replace
from datetime import datetime

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from customers.actions.stages import ensure_stages
from scrm.audit.actions.recording import Actor, record
from scrm.channels.errors import ChannelError, Unreachable
from scrm.channels.opening import open_channel
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.actions.corps import CorpExists, CorpSettings, create_corp, prepare_corp
from scrm.tenancy.models import Corp


class ConnectionRefused(DomainError):
    """The platform does not accept these settings; the text names the one to change."""

    code = "connection_refused"
    status = 422


@dataclass(frozen=True)
class Credentials:
    """What may be exchanged on a connected corp; an empty text keeps what is there."""

    secret: str = ""
    contact_secret: str = ""
    archive_secret: str = ""
    callback_token: str = ""
    callback_aes_key: str = ""
    agent_id: str = ""
    base_url: str = ""


CREDENTIALS = tuple(each.name for each in fields(Credentials))


def connect_corp(typed: CorpSettings, *, actor: Actor, now: datetime) -> Corp:
    """Check the settings, by their form and at the platform, then keep the corp.

    Raises InvalidInput, CorpExists or ConnectionRefused; then nothing was kept. Talks to the
    platform: call it outside transactions.
    """
    corp = prepare_corp(typed, now=now)
    if Corp.objects.filter(corp_id=corp.corp_id).exists():
        raise CorpExists(_("Corp %(id)s is connected already.") % {"id": corp.corp_id})
    check_connection(corp)
    with transaction.atomic():
        create_corp(corp)
        ensure_stages(corp)
        record("corps.connected", actor=actor, corp=corp, subject=corp, now=now)
    return corp


def exchange_credentials(corp: Corp, *, typed: Credentials, actor: Actor, now: datetime) -> Corp:
    """Replace secrets or the address of a connected corp once the platform accepts them.

    Raises InvalidInput or ConnectionRefused; then everything stays as it was.
    """
    given = {name: getattr(typed, name) for name in CREDENTIALS if getattr(typed, name)}
    before = CorpSettings(
        corp_id=corp.corp_id,
        name=corp.name,
        time_zone=corp.time_zone,
        quota_mode=corp.quota_mode,
        **{name: getattr(corp, name) for name in CREDENTIALS},
    )
    wanted = prepare_corp(replace(before, **given), now=now)
    check_connection(wanted)
    with transaction.atomic():
        kept = Corp.objects.select_for_update().get(pk=corp.pk)
        for name in CREDENTIALS:
            setattr(kept, name, getattr(wanted, name))
        kept.save(update_fields=list(CREDENTIALS))
        # Which settings were exchanged, never what they are.
        data = {"exchanged": sorted(given)}
        record(
            "corps.credentials_changed", actor=actor, corp=kept, subject=kept, now=now, data=data
        )
    return kept


def check_connection(corp: Corp) -> None:
    """Ask the platform for tokens; raises ConnectionRefused with what to change."""
    try:
        open_channel(corp).check_credentials()
    except Unreachable as error:
        raise _refusal("base_url", error) from error
    except ChannelError as error:
        raise _refusal(_setting_of(corp, error), error) from error


def callback_path(corp: Corp) -> str:
    """The path the platform's console has to be given as the address of callbacks."""
    return reverse("channels:callback", args=[corp.corp_id])


def _setting_of(corp: Corp, error: ChannelError) -> str:
    # 40013: there is no such corp id; everything else gettoken refuses is about a secret.
    if error.errcode == 40013:
        return "corp_id"
    return "contact_secret" if corp.contact_secret and _is_app_secret_right(corp) else "secret"


def _is_app_secret_right(corp: Corp) -> bool:
    without = Corp(corp_id=corp.corp_id, base_url=corp.base_url, secret=corp.secret)
    try:
        open_channel(without).check_credentials()
    except ChannelError:
        return False
    return True


def _refusal(setting: str, error: ChannelError) -> ConnectionRefused:
    detail = error.detail
    if setting == "contact_secret":
        detail = _("The contact secret (--contact-secret) is refused: %(reason)s") % {
            "reason": detail
        }
    return ConnectionRefused(detail, errors=(FieldProblem(f"/{setting}", error.code, detail),))


__all__ = [
    "ConnectionRefused",
    "Credentials",
    "InvalidInput",
    "callback_path",
    "check_connection",
    "connect_corp",
    "exchange_credentials",
]
