"""Model fields whose content is sealed at rest; in Python they are plain text."""

from __future__ import annotations

from typing import Any

from django.db import models

from doudi.house.keyring import keyring


class SealedTextField(models.BinaryField):  # type: ignore[type-arg]
    """Text that the database holds only encrypted (身份证号, 电话, 住址).

    It cannot be searched; a column of :class:`BlindIndexField` beside it can. ``purpose`` is bound into the seal.
    """

    def __init__(self, *args: Any, purpose: str, **kwargs: Any) -> None:
        self.purpose = purpose
        kwargs.setdefault("editable", True)
        super().__init__(*args, **kwargs)

    def _check_str_default_value(self) -> list[Any]:
        """A text default is right here, where Django expects bytes of a BinaryField."""
        return []

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs["purpose"] = self.purpose
        return name, path, args, kwargs

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None or value == "":
            return super().get_db_prep_value(b"", connection, prepared)
        return super().get_db_prep_value(
            keyring().seal(value.encode(), purpose=self.purpose), connection, prepared
        )

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> str:
        return keyring().open(bytes(value), purpose=self.purpose).decode() if value else ""

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> Any:
        return value

    def value_to_string(self, obj: Any) -> str:
        return str(self.value_from_object(obj))


class BlindIndexField(models.BinaryField):  # type: ignore[type-arg]
    """The keyed digest of a sealed value, for finding it by equality."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 16)
        kwargs.setdefault("db_index", True)
        super().__init__(*args, **kwargs)
