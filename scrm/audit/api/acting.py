"""The base of endpoints that change something: the key is recorded as who did it."""

from scrm.audit.actions.recording import Actor
from scrm.tenancy.api.base import ReadViewSet


class ActingViewSet(ReadViewSet):
    @property
    def actor(self) -> Actor:
        return Actor.of_key(self.api_key)
