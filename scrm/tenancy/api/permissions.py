"""What a key may do: the scope that an endpoint asks for."""

from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from scrm.common.errors import DomainError
from scrm.tenancy.models import ApiKey

if TYPE_CHECKING:
    # Imported at run time it would be a circle: DRF loads this module while it loads its views.
    from rest_framework.views import APIView


class MissingScope(DomainError):
    code = "missing_scope"
    status: ClassVar[int] = 403


class HasScope(BasePermission):
    """Ask the view for `required_scopes`, any of which will do; a view without is closed."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            raise NotAuthenticated(_("Send a key: Authorization: Bearer <key>."))
        scopes: tuple[str, ...] | None = getattr(view, "required_scopes", None)
        if scopes is None:
            return False
        if scopes and not any(key.allows(scope) for scope in scopes):
            message = _("This key lacks the scope %(scopes)s.")
            raise MissingScope(message % {"scopes": " / ".join(scopes)})
        return True
