"""A small brand behind a running sandbox."""

from collections.abc import Iterator

import pytest

from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options
from scrm.sandbox.server import SandboxServer
from tests.sandbox.client import Api, Receiver


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    options = Options(callback_retry_spacing=0)
    world = build_world(7, staff=8, customers=240, groups=5, options=options)
    with SandboxServer(world) as server:
        yield server


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[Api]:
    api = Api(sandbox)
    yield api
    api.close()


@pytest.fixture
def receiver(sandbox: SandboxServer) -> Iterator[Receiver]:
    """Something that listens to the sandbox's callbacks."""
    with Receiver(sandbox.credentials) as receiver:
        sandbox.callbacks.configure(receiver.url)
        yield receiver


@pytest.fixture
def seller(sandbox: SandboxServer) -> str:
    """The member with the most customers."""
    world = sandbox.world
    return max(world.members, key=lambda userid: len(world.customers_of(userid)))


@pytest.fixture
def buyers(sandbox: SandboxServer, seller: str) -> list[str]:
    """The customers whom nobody but the seller follows."""
    world = sandbox.world
    return [
        relation.external_userid
        for relation in world.customers_of(seller)
        if len(world.followers_of(relation.external_userid)) == 1
    ]
