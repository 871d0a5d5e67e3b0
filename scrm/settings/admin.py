"""Looks of the admin (django-unfold) and its exports."""

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("SCRM private traffic"),
    "SITE_HEADER": _("SCRM private traffic"),
    "SITE_SUBHEADER": _("Customers of WeCom"),
    "SITE_SYMBOL": "forum",
    "SITE_URL": reverse_lazy("admin:index"),
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda _request: static("dashboard/favicon.svg"),
        }
    ],
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "8px",
    "DASHBOARD_CALLBACK": "scrm.dashboard.views.add_home",
    "STYLES": [lambda _request: static("dashboard/scrm.css")],
    "SCRIPTS": [lambda _request: static("dashboard/scrm.js")],
    "SIDEBAR": {"navigation": "scrm.dashboard.navigation.sections"},
    # A calm green-blue instead of unfold's purple.
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .013 200)",
            "100": "oklch(94.5% .03 200)",
            "200": "oklch(89.5% .055 200)",
            "300": "oklch(82% .085 200)",
            "400": "oklch(72% .105 200)",
            "500": "oklch(62% .105 205)",
            "600": "oklch(53% .095 210)",
            "700": "oklch(46% .082 213)",
            "800": "oklch(39.5% .068 215)",
            "900": "oklch(34% .055 217)",
            "950": "oklch(25.5% .042 220)",
        }
    },
}

FORMAT_MODULE_PATH = "scrm.common.formats"

# A cell that begins with = + - @ would be run as a formula by whoever opens the file.
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
