"""Accounts and the audit log."""

from __future__ import annotations

from typing import Any, Self

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models

from doudi.contexts.accounts.policies import Role
from doudi.house.fields import BlindIndexField, SealedTextField


class User(AbstractUser):
    """An account (账号): one person, one role, one area, for a department user one department."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    display_name = models.CharField("姓名", max_length=60)
    role = models.CharField("角色", max_length=20, choices=[(role.value, role.label) for role in Role])
    region_code = models.CharField(
        "辖区", max_length=12, blank=True, help_text="行政区划代码前缀，空为全部", db_index=True
    )
    department = models.CharField("部门", max_length=40, blank=True)
    organisation = models.CharField(
        "所属组织", max_length=40, blank=True, db_index=True, help_text="成员单位、慈善组织或助餐点的编号"
    )
    must_change_password = models.BooleanField(
        "须改密码", default=False, help_text="密码由他人设定，本人登录后先改"
    )
    second_factor = models.BooleanField("已启用动态口令", default=False)
    REQUIRED_FIELDS = ["display_name", "role"]
    objects = UserManager()  # type: ignore[misc]
    office_hand = False
    """True on the command line's own hand alone, which is no row of this table."""
    narrowed_to: frozenset[str] | None = None
    """The acts an API key leaves to its holder; None for a person at the workbench. Never stored."""
    of_request: dict[str, Any] | None = None
    """What was read for the request that the account came with and holds until its end; None outside a request."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.narrowed_to is not None:
            raise TypeError("an account narrowed by an API key is not saved")
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return f"{self.display_name}（{Role(self.role).label}）"


class AppendOnly(models.Model):
    """Rows that are written once: changing or removing one is refused in every road through the model."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk and not kwargs.get("force_insert") and type(self).objects.filter(pk=self.pk).exists():  # type: ignore[attr-defined]
            raise TypeError(f"{type(self).__name__} is append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{type(self).__name__} is append-only")


class TimelineLine(AppendOnly):
    """One line of a case's timeline (时间线): who did what, when. A context adds what the line belongs to."""

    at = models.DateTimeField("时间", auto_now_add=True)
    actor = models.CharField("办理人", max_length=150)
    actor_name = models.CharField("姓名", max_length=80)
    kind = models.CharField("事项", max_length=20)
    text = models.TextField("内容")

    class Meta:
        abstract = True
        ordering = ["at", "pk"]

    @classmethod
    def write(cls, *, by: User, kind: str, text: str, **belongs_to: Any) -> Self:
        """Write one line in the name of ``by``."""
        line = cls(
            actor=by.username, actor_name=by.display_name or by.username, kind=kind, text=text, **belongs_to
        )
        line.save()
        return line


class AuditEntry(AppendOnly):
    """One look, change, export or decision, linked to the entry before it (审计日志)."""

    number = models.BigIntegerField("序号", primary_key=True)
    at = models.DateTimeField("时间", db_index=True)
    actor = models.CharField("账号", max_length=150, db_index=True)
    role = models.CharField("角色", max_length=20, blank=True)
    act = models.CharField("事项", max_length=40, db_index=True)
    subject = models.CharField("对象", max_length=120, blank=True, db_index=True)
    region_code = models.CharField("行政区划代码", max_length=12, blank=True)
    reason = models.CharField("事由", max_length=300, blank=True)
    detail = models.JSONField("详情", default=dict)
    previous = models.BinaryField("上条摘要", max_length=32)
    digest = models.BinaryField("摘要", max_length=32)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.number} {self.actor} {self.act} {self.subject}"


class AuditHead(models.Model):
    """The end of the chain; its row is the lock that orders the entries of concurrent writers."""

    number = models.BigIntegerField(default=0)
    digest = models.BinaryField(max_length=32, default=b"\x00" * 32)
    seal = models.BinaryField(
        max_length=32, default=b"", help_text="末端封印：删去末尾几条再改回末端会被发现"
    )


class AuditAnchor(AppendOnly):
    """The signed end of the chain on a day (日志锚点): printed or sent away it proves what the log said then."""

    on = models.DateField("日期", unique=True)
    number = models.BigIntegerField("末条序号")
    digest = models.CharField("末条摘要", max_length=64)
    made_at = models.DateTimeField("制作时间")
    public_key = models.CharField("公钥", max_length=64)
    signature = models.CharField("签名", max_length=128)

    class Meta:
        ordering = ["-on"]


class ApiKey(models.Model):
    """A key with which a program acts for an account (接口密钥): some of its acts, in its area or less, for a time.

    Only the keyed digest is kept; the key itself is shown once, when it is made.
    """

    prefix = models.CharField("前缀", max_length=24, unique=True)
    digest = BlindIndexField("密钥摘要", db_index=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys", verbose_name="账号")
    label = models.CharField("用途", max_length=80)
    scopes = models.JSONField("事项", default=list)
    region_code = models.CharField("辖区", max_length=12, blank=True)
    created_at = models.DateTimeField("建立时间", auto_now_add=True)
    created_by = models.CharField("建立人", max_length=150)
    expires_at = models.DateTimeField("到期时间")
    last_used_at = models.DateTimeField("最近使用", null=True)
    revoked_at = models.DateTimeField("吊销时间", null=True)
    revoked_by = models.CharField("吊销人", max_length=150, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.prefix


class FirstAnswer(models.Model):
    """The first answer to a request that may be sent again (幂等键), written in the transaction of its act."""

    account = models.CharField("账号", max_length=150)
    key = models.CharField("幂等键", max_length=80)
    request = BlindIndexField("请求摘要", db_index=False)
    answer = SealedTextField("首次答复", purpose="api.first_answer")
    at = models.DateTimeField("时间", auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="one_answer_per_key_of_an_account")
        ]


class SecondFactor(models.Model):
    """The shared secret of an account's one-time codes (动态口令, RFC 6238), and the last code that was taken."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="factor", verbose_name="账号")
    secret = SealedTextField("密钥", purpose="accounts.totp")
    confirmed_at = models.DateTimeField("启用时间", null=True)
    last_step = models.BigIntegerField("最近用过的时间步", default=0)
    failures = models.IntegerField("连续错误次数", default=0)
    failed_at = models.DateTimeField("最近错误时间", null=True)


class RecoveryCode(models.Model):
    """A code that takes the place of the telephone once (恢复码); only its keyed digest is kept."""

    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="recovery_codes", verbose_name="账号"
    )
    digest = BlindIndexField("摘要", db_index=False)
    used_at = models.DateTimeField("使用时间", null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_row_per_recovery_code")]


class LinkedIdentity(models.Model):
    """The government's sign-on account that opens an account (统一身份认证绑定). What it is called there is not kept."""

    user = models.OneToOneField(
        User, on_delete=models.CASCADE, related_name="linked_identity", verbose_name="账号"
    )
    identity_blind = BlindIndexField("标识索引", unique=True, db_index=False)
    tail = models.CharField("标识末四位", max_length=4)
    linked_by = models.CharField("绑定人", max_length=150)
    linked_at = models.DateTimeField("绑定时间", auto_now=True)


class SignIn(models.Model):
    """A session of an account (登录会话): from where, since when, and when it ended."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins", verbose_name="账号")
    begun_at = models.DateTimeField("登录时间", auto_now_add=True)
    seen_at = models.DateTimeField("最近活动")
    address = models.CharField("网络地址", max_length=64, blank=True)
    device = models.CharField("设备", max_length=200, blank=True)
    ended_at = models.DateTimeField("结束时间", null=True)
    ended_how = models.CharField("怎样结束", max_length=20, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["user", "ended_at"], name="open_sessions_of_an_account")]


class OwnPerson(models.Model):
    """Whose file an account must not open: the officer's own and that of kin (回避). No number is kept, only its index."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="own_people", verbose_name="账号")
    id_blind = BlindIndexField("证件号索引")
    relation = models.CharField("关系", max_length=20)
    id_tail = models.CharField("证件号末四位", max_length=4)
    noted_by = models.CharField("登记人", max_length=150)
    noted_at = models.DateTimeField("登记时间", auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "id_blind"], name="one_row_per_own_person")]
        ordering = ["pk"]


# they stand on the bases above
from doudi.contexts.accounts.privacy_models import DataRequest, DataRequestLine, ImpactAssessment  # noqa: E402, F401
