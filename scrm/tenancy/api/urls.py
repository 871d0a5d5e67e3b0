from django.urls import path

from scrm.tenancy.api.views import CorpView

urlpatterns = [path("corp/", CorpView.as_view({"get": "show"}), name="corp")]
