from django.apps import AppConfig


class VerificationConfig(AppConfig):
    name = "doudi.contexts.verification"
    label = "verification"
