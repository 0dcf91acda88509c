"""Where the faces hang: named by their modules' names, as the settings name the applications."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("doudi.web.urls")),
    path("", include("doudi.api.urls")),
]

handler400 = "doudi.web.views.errors.bad_request"
handler403 = "doudi.web.views.errors.forbidden"
handler404 = "doudi.web.views.errors.not_found"
handler500 = "doudi.web.views.errors.server_error"
