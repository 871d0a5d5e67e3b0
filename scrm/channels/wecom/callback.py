"""What a request to the callback address brings: read, opened, taken in [doc 90930]."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest

from scrm.channels.actions.inbox import store_event
from scrm.channels.models import InboundEvent
from scrm.channels.wecom.crypto import ForgedCallback, MalformedCallback
from scrm.channels.wecom.receivers import Receiver, kept_receiver, read_receiver
from scrm.channels.wecom.xml import read_xml, text_in


class OversizedCallback(Exception):
    """A body larger than any callback."""


@dataclass(frozen=True)
class Delivery:
    """What came in, before anything of it is believed."""

    encrypted: str
    signature: str
    timestamp: str
    nonce: str

    def open(self, receiver: Receiver) -> bytes:
        """The sealed content; raises ForgedCallback or MalformedCallback."""
        return receiver.seal.open(
            self.encrypted, signature=self.signature, timestamp=self.timestamp, nonce=self.nonce
        )


def read_verification(request: HttpRequest) -> Delivery:
    """The console's question whether the address is ours; raises MalformedCallback."""
    # Base64 has no blanks: one was a "+" that somebody forgot to escape.
    return _delivery(request, request.GET.get("echostr", "").replace(" ", "+"))


def read_event_delivery(request: HttpRequest) -> Delivery:
    """An event; raises OversizedCallback, UnreadableXml or MalformedCallback."""
    limit = settings.CALLBACK_MAX_BYTES
    if _announced_length(request) > limit:
        raise OversizedCallback
    body = request.read(limit + 1)
    if len(body) > limit:
        raise OversizedCallback
    return _delivery(request, text_in(read_xml(body), "Encrypt"))


def take_in(delivery: Delivery, *, corp_id: str, now: datetime) -> InboundEvent.Status | None:
    """Open and store an event; None when it is there already.

    Raises ForgedCallback or MalformedCallback, and then has stored nothing.
    """
    refusal: Exception | None = None
    for receiver in _receivers_of(corp_id):
        try:
            content = delivery.open(receiver)
        except (ForgedCallback, MalformedCallback) as error:
            refusal = error
            continue
        refusal = None
        if status := store_event(content, receiver=receiver, now=now):
            return status
    if refusal:
        raise refusal
    return None


def _receivers_of(corp_id: str) -> Iterator[Receiver]:
    """The kept receiver, and the one of now if what was kept has changed meanwhile."""
    kept = kept_receiver(corp_id)
    if kept:
        yield kept
    current = read_receiver(corp_id)
    if current and current != kept:
        yield current


def _delivery(request: HttpRequest, encrypted: str) -> Delivery:
    if not encrypted:
        raise MalformedCallback("Nothing is sealed in the request.")
    query = request.GET
    return Delivery(
        encrypted=encrypted,
        signature=query.get("msg_signature", ""),
        timestamp=query.get("timestamp", ""),
        nonce=query.get("nonce", ""),
    )


def _announced_length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdecimal() else 0
