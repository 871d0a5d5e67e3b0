"""What a key may do: the scope that an endpoint asks for."""

from typing import ClassVar

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from scrm.common.errors import DomainError
from scrm.tenancy.models import ApiKey


class MissingScope(DomainError):
    code = "missing_scope"
    status: ClassVar[int] = 403


class HasScope(BasePermission):
    """Ask the view for `required_scope`; a view that names none is closed."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            raise NotAuthenticated(_("Send a key: Authorization: Bearer <key>."))
        scope = getattr(view, "required_scope", None)
        if scope is None:
            return False
        if scope and not key.allows(scope):
            message = _("This key lacks the scope %(scope)s.") % {"scope": scope}
            raise MissingScope(message)
        return True
