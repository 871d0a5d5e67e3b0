"""The callback address of each corp."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from scrm.channels.models import InboundEvent
from scrm.channels.waking import wake_inbox_worker
from scrm.channels.wecom.callback import (
    OversizedCallback,
    read_event_delivery,
    read_verification,
    take_in,
)
from scrm.channels.wecom.crypto import ForgedCallback, MalformedCallback
from scrm.channels.wecom.receivers import kept_receiver, read_receiver
from scrm.channels.wecom.xml import UnreadableXml


@csrf_exempt
@require_http_methods(["GET", "POST"])
def receive_callback(request: HttpRequest, corp_id: str) -> HttpResponse:
    """Answer the console's verification (GET); take an event in (POST)."""
    answer = _verify if request.method == "GET" else _receive
    try:
        return answer(request, corp_id)
    except OversizedCallback:
        return _plain(b"too large", status=413)
    except ForgedCallback:
        return _plain(b"wrong signature", status=403)
    except (MalformedCallback, UnreadableXml):
        return _plain(b"malformed", status=400)


def _verify(request: HttpRequest, corp_id: str) -> HttpResponse:
    receiver = read_receiver(corp_id)
    if receiver is None:
        return _plain(b"unknown corp", status=404)
    return _plain(read_verification(request).open(receiver))


def _receive(request: HttpRequest, corp_id: str) -> HttpResponse:
    if kept_receiver(corp_id) is None:
        return _plain(b"unknown corp", status=404)
    status = take_in(read_event_delivery(request), corp_id=corp_id, now=timezone.now())
    if status == InboundEvent.Status.RECEIVED:
        transaction.on_commit(wake_inbox_worker)
    return _plain(b"success")


def _plain(content: bytes, status: int = 200) -> HttpResponse:
    # Its length is said here: callbacks pass by the middleware that would say it, and an answer
    # without one is sent in chunks.
    headers = {"Content-Length": str(len(content)), "Content-Type": "text/plain; charset=utf-8"}
    return HttpResponse(content, status=status, headers=headers)
