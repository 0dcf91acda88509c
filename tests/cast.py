"""The fixed cast: one account per role in the small county, a second township, and a stranger who must see nothing."""

from __future__ import annotations

from dataclasses import dataclass, fields

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role, User
from tests.small_county import TOWNSHIP_A, TOWNSHIP_B

PASSWORD = "a-long-test-password"
DEPARTMENT = "医保"
UNION, CHARITY, CANTEEN = "union-520102", "53520102MJ00000014", "CT-520102-1"
ORGANISATIONS = {
    "member": UNION,
    "charity": CHARITY,
    "canteen": CANTEEN,
    "courier": CANTEEN,
    "volunteer": CANTEEN,
}


@dataclass(frozen=True)
class Cast:
    """Everybody who plays a part; ``stranger`` is a county officer of another county."""

    county: User
    township: User
    other_township: User
    department: User
    director: User
    auditor: User
    admin: User
    verifier: User
    member: User
    charity: User
    canteen: User
    courier: User
    volunteer: User
    stranger: User

    def everybody(self) -> list[User]:
        return [getattr(self, part.name) for part in fields(self)]


def assemble() -> Cast:
    """Open the accounts of the cast."""
    parts = {
        "county": (Role.COUNTY, "520102", "陈县办", ""),
        "township": (Role.TOWNSHIP, TOWNSHIP_A, "李乡办", ""),
        "other_township": (Role.TOWNSHIP, TOWNSHIP_B, "吴乡办", ""),
        "department": (Role.DEPARTMENT, "520102", "王医保", DEPARTMENT),
        "director": (Role.DIRECTOR, "520102", "赵局长", ""),
        "auditor": (Role.AUDITOR, "520102", "孙审计", ""),
        "admin": (Role.ADMIN, "", "周管理", ""),
        "verifier": (Role.VERIFIER, "520102", "钱核对", ""),
        "member": (Role.MEMBER, "520102", "郑工会", ""),
        "charity": (Role.CHARITY, "520102", "冯慈善", ""),
        "canteen": (Role.CANTEEN, "520102", "褚食堂", ""),
        "courier": (Role.COURIER, "520102", "卫送餐", ""),
        "volunteer": (Role.VOLUNTEER, "520102", "蒋志愿", ""),
        "stranger": (Role.COUNTY, "610102", "郑外县", ""),
    }
    return Cast(
        **{
            name: accounts.create_user(
                username=name,
                password=PASSWORD,
                display_name=shown,
                role=role,
                region_code=region,
                department=department,
                organisation=ORGANISATIONS.get(name, ""),
                by=accounts.system_user(),
            )
            for name, (role, region, shown, department) in parts.items()
        }
    )
