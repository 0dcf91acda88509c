"""The addresses of the API and of the figures for Prometheus."""

from __future__ import annotations

from django.urls import URLPattern, include, path, re_path

from doudi.api.description import api
from doudi.api.door import said_as_problem
from doudi.api.metrics import metrics
from doudi.api.problems import not_found

_patterns, _app, _namespace = api().urls
_guarded = [
    URLPattern(found.pattern, said_as_problem(found.callback), found.default_args, found.name)
    for found in _patterns
    if isinstance(found, URLPattern)
]

urlpatterns = [
    path("api/v1/", include((_guarded, _app), namespace=_namespace)),
    # whatever else begins so, a line break in it too, which <path:…> does not match
    re_path("^api/", said_as_problem(not_found)),
    path("hsds/", include("doudi.api.hsds")),
    path("dci/", include("doudi.api.dci")),
    path("metrics", metrics, name="metrics"),
]
