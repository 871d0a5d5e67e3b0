from django.urls import path

from scrm.channels.views import receive_callback

app_name = "channels"
urlpatterns = [path("wecom/callback/<str:corp_id>/", receive_callback, name="callback")]
