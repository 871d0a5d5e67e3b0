import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import pytest
from django.utils import translation

from groups.actions.sync import start_sync
from scrm.channels.actions.inbox import store_event
from scrm.channels.wecom.crypto import Seal
from scrm.channels.wecom.receivers import read_receiver
from scrm.jobs.actions.running import claim_job, run_job
from scrm.jobs.models import Job
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.factories import NOW

Sync = Callable[..., Job]
Deliver = Callable[[Corp], int]


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def run_sync(corp: Corp, *parts: str, now: datetime = NOW) -> Job:
    """Start a sync and run it as a worker would, to its end or its failure."""
    job = claim_job(now=now, pk=start_sync(corp, now=now, only=parts).pk)
    assert job is not None
    return run_job(job, clock=lambda: now)


@pytest.fixture
def sync(brand: Corp) -> Sync:
    """Sync the sandbox's corp, all of it or the parts named."""
    return partial(run_sync, brand)


@pytest.fixture
def deliver(sandbox: SandboxServer) -> Deliver:
    """Put what the sandbox has told since into the inbox of a corp; return how many were new."""
    credentials = sandbox.credentials
    seal = Seal(credentials.callback_token, credentials.callback_aes_key, credentials.corp_id)
    told: list[bytes] = []

    def receive(query: dict[str, str], body: bytes) -> int:
        told.append(open_callback(seal, query, body))
        return 200

    def put(corp: Corp) -> int:
        receiver = read_receiver(corp.corp_id)
        assert receiver
        kept = [store_event(content, receiver=receiver, now=NOW) for content in told]
        told.clear()
        return sum(each is not None for each in kept)

    sandbox.callbacks.configure(receive)
    return put


def open_callback(seal: Seal, query: dict[str, str], body: bytes) -> bytes:
    encrypted = ET.fromstring(body).findtext("Encrypt") or ""  # noqa: S314 (our own sandbox's)
    return seal.open(
        encrypted,
        signature=query["msg_signature"],
        timestamp=query["timestamp"],
        nonce=query["nonce"],
    )
