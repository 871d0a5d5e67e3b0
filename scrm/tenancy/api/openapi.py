"""How the OpenAPI description tells of keys and scopes."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from scrm.common.api.openapi import ApiSchema


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "scrm.tenancy.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key of one corp, made in the admin or by `create_api_key`.",
        }


class KeyedSchema(ApiSchema):
    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular calls it
        scopes = " or ".join(f"`{scope}`" for scope in getattr(self.view, "required_scopes", ()))
        return f"{super().get_description()}\n\nScope: {scopes}".strip()
