from django.urls import path

from scrm.channels.views import receive_callback

app_name = "channels"
urlpatterns = [
    path("wecom/callback/<slug:corp_id>/", receive_callback, name="callback"),
    # As many type it into the console; the platform follows no redirect.
    path("wecom/callback/<slug:corp_id>", receive_callback),
]
