from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "doudi.contexts.accounts"
    label = "accounts"
