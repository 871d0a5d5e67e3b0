from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from scrm.common.api.errors import unknown_address
from scrm.common.health import healthz, readyz

api: list[URLPattern | URLResolver] = [
    path("", include("scrm.tenancy.api.urls")),
    path("", include("scrm.jobs.api.urls")),
    path("", include("scrm.channels.api.urls")),
    path("", include("risk.api.urls")),
    path("", include("customers.api.urls")),
    path("", include("groups.api.urls")),
    path("", include("campaigns.api.urls")),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("api/v1/", include(api)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    # Whatever else is asked below /api/ is told so in JSON, with DEBUG too.
    re_path(r"^api(?:/|$)", unknown_address),
    path("", include("scrm.channels.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
]

handler400 = "scrm.common.api.errors.bad_request"
handler404 = "scrm.common.api.errors.page_not_found"
handler500 = "scrm.common.api.errors.server_error"
