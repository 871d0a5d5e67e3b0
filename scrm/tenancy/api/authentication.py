"""Who calls: `Authorization: Bearer <key>`."""

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from scrm.tenancy.actions.api_keys import find_api_key
from scrm.tenancy.models import ApiKey


class KeyAuthentication(BaseAuthentication):
    """A brand's key; no session and no cookie ever counts here, so there is no CSRF either."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        scheme, _space, text = request.headers.get("Authorization", "").strip().partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer":
            raise AuthenticationFailed(_("Send the key as: Authorization: Bearer <key>."))
        key = find_api_key(text.strip(), now=timezone.now())
        if key is None:
            raise AuthenticationFailed(_("This key is unknown, expired or revoked."))
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
