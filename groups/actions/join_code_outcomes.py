"""What the platform answers about join codes, and their pictures."""

from datetime import datetime

from django.utils.translation import gettext as _

from groups.actions.join_code_requests import (
    ask_for_deletion,
    ask_for_update,
    code_id_of,
    payload_of,
)
from groups.models import JoinCode
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.base import Channel
from scrm.channels.errors import Stale
from scrm.channels.models import Operation, Refresh
from scrm.tenancy.models import Corp

Status = JoinCode.Status


def note_created_code(operation: Operation, now: datetime) -> None:
    """Keep the platform's id; what was wished meanwhile is asked for now."""
    code = _locked(operation)
    if code is None:
        return
    config_id = operation.result.get("config_id", "")
    if operation.status != Operation.Status.SUCCEEDED or not config_id:
        _note_refusal(code, operation)
        return
    code.config_id = config_id
    if code.status == Status.DELETED:
        ask_for_deletion(code, now=now)
    elif code.chats.exists():
        code.status = Status.ACTIVE
        if payload_of(code) != operation.payload:
            ask_for_update(code, now=now)
    else:
        code.status = Status.EMPTY
    code.save(update_fields=["config_id", "status"])
    if code.status != Status.DELETED:
        request_refresh(Refresh.Kind.JOIN_CODE, corp=code.corp, now=now, key=str(code.pk))


def note_updated_code(operation: Operation, now: datetime) -> None:
    """The platform keeps the code as it was when it refuses a change: say so."""
    code = _locked(operation)
    if code is None or operation.status == Operation.Status.SUCCEEDED:
        return
    reason = operation.error or _("The request was withdrawn.")
    code.problem = _("The last change has not reached WeCom: %(reason)s") % {"reason": reason}
    code.save(update_fields=["problem"])


def refresh_join_code(channel: Channel, corp: Corp, key: str, now: datetime) -> None:
    """Read a code's picture and keep it: our pages show nothing that another host serves."""
    codes = JoinCode.objects.for_corp(corp).current().exclude(config_id="")
    code = codes.filter(pk=int(key)).first()
    if code is None:
        return
    try:
        record = channel.groups.join_code(code.config_id)
    except Stale:
        codes.filter(pk=code.pk).update(problem=_("WeCom does not know this code any more."))
        raise
    picture_type, picture = channel.media.picture(record.qr_url)
    codes.filter(pk=code.pk).update(
        qr_url=record.qr_url[:512], picture=picture, picture_type=picture_type[:32]
    )


def _note_refusal(code: JoinCode, operation: Operation) -> None:
    if code.status == Status.DELETED:
        return
    code.status = Status.FAILED
    code.problem = operation.error or _("The request was withdrawn.")
    code.save(update_fields=["status", "problem"])


def _locked(operation: Operation) -> JoinCode | None:
    codes = JoinCode.objects.filter(corp_id=operation.corp_id, pk=code_id_of(operation))
    return codes.select_related("corp").select_for_update(of=["self"]).first()
