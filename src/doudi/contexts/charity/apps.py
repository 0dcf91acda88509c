from django.apps import AppConfig


class CharityConfig(AppConfig):
    name = "doudi.contexts.charity"
    label = "charity"
