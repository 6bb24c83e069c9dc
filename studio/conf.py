"""The studio's business constants, typed and read once from the environment.

No Django in here, so that the pure modules of every package may take their defaults from it
(`business rules 7`; the constants that are ours are explained where they are declared).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import environ

LANGUAGES = ("es", "en")


class WrongSetting(ValueError):
    """A constant of the studio has a value that cannot be meant; the sentence names it."""


@dataclass(frozen=True)
class StudioConf:
    """What the studio decides once. The environment variable is the upper-case name of the field.

    The first five are called STUDIO_NAME, STUDIO_TIME_ZONE, ... in the environment.
    """

    name: str = field(default="Atelier", metadata={"env": "STUDIO_NAME"})
    time_zone: str = field(default="America/Guatemala", metadata={"env": "STUDIO_TIME_ZONE"})
    currency: str = field(default="Q", metadata={"env": "STUDIO_CURRENCY"})
    language: str = field(default="es", metadata={"env": "STUDIO_LANGUAGE"})

    # Days that a client has for the deposit, from Pre-scheduled on (D3).
    payment_deadline_days: int = 5
    # Days before the session until which the client may change it (D4).
    changes_deadline_days: int = 7
    default_editing_days: int = 5
    # Ours: days that a request or a negotiation holds its room and people before it is asked about.
    hold_days: int = 7
    default_deposit_percentage: int = 50

    # Percentages of what was paid, net (D18).
    refund_within_deadline: int = 100
    refund_after_deadline: int = 50
    refund_force_majeure: int = 100
    refund_client_after_assigned: int = 0

    remote_transportation_cost: Decimal = Decimal("200.00")
    # 0 means no limit (D11).
    max_concurrent_editing_sessions: int = 10

    # Ours: completing refuses a session that is not paid in full (D37).
    require_full_payment: bool = False
    # Ours: minutes that a room stays taken after a session, for clearing it.
    room_turnaround_minutes: int = 0
    # Ours: minutes that the way takes between a session out of the house and the next one, where nothing else is said.
    travel_minutes: int = 30
    # Ours: minutes of a slot in an artist's day, and the local hours that the day shows when nothing lies outside.
    appointment_slot_minutes: int = 30
    appointment_day_begins: int = 9
    appointment_day_ends: int = 20
    # Ours: payments above this amount are written to the audit log.
    audited_payment_amount: Decimal = Decimal("10000.00")
    # Ours: the longest session that is believed (D2).
    max_session_hours: int = 24

    def __post_init__(self) -> None:
        for name, value in ((each.name, getattr(self, each.name)) for each in fields(self)):
            _check(name, value)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which dates, deadlines and jobs are reckoned (D1)."""
        return ZoneInfo(self.time_zone)

    @contextmanager
    def overridden(self, **values: Any) -> Iterator[StudioConf]:
        """Other values for a while, for the whole process. For tests."""
        known = {each.name for each in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise AttributeError(f"The studio has no setting {name!r}.")
            _check(name, value)
        before = {name: getattr(self, name) for name in values}
        try:
            for name, value in values.items():
                object.__setattr__(self, name, value)
            yield self
        finally:
            for name, value in before.items():
                object.__setattr__(self, name, value)


def env_name(name: str) -> str:
    """The environment variable that sets the field `name`."""
    for each in fields(StudioConf):
        if each.name == name:
            return str(each.metadata.get("env", name.upper()))
    raise AttributeError(f"The studio has no setting {name!r}.")


def read(environment: Mapping[str, str] | None = None) -> StudioConf:
    """The constants as `environment` says (the process's own when it is not given).

    Raises WrongSetting, with a sentence for the person who installs, instead of starting with
    a value that would bill or cancel wrongly.
    """
    source = os.environ if environment is None else environment
    env = _EnvOf(source)
    values: dict[str, Any] = {}
    for each in fields(StudioConf):
        variable = env_name(each.name)
        if not str(source.get(variable, "")).strip():
            continue
        default = each.default
        try:
            if isinstance(default, bool):
                values[each.name] = _yes_or_no(env.str(variable))
            elif isinstance(default, int):
                values[each.name] = env.int(variable)
            elif isinstance(default, Decimal):
                values[each.name] = _amount(env.str(variable))
            else:
                values[each.name] = env.str(variable).strip()
        except (ValueError, InvalidOperation) as wrong:
            kind = "yes or no" if isinstance(default, bool) else "a number"
            raise WrongSetting(f"{variable} is {source[variable]!r}, but has to be {kind}.") from wrong
    return StudioConf(**values)


class _EnvOf(environ.Env):
    """django-environ over a given mapping instead of the process's environment."""

    def __init__(self, source: Mapping[str, str]) -> None:
        super().__init__()
        self.ENVIRON = dict(source)


def _yes_or_no(text: str) -> bool:
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on", "y", "t"}:
        return True
    if word in {"0", "false", "no", "off", "n", "f"}:
        return False
    raise ValueError(text)


def _amount(text: str) -> Decimal:
    if not re.fullmatch(r"\s*-?\d+(\.\d{1,2})?\s*", text):
        raise ValueError(text)
    return Decimal(text.strip()).quantize(Decimal("0.01"))


_PERCENTAGES = {
    "default_deposit_percentage",
    "refund_within_deadline",
    "refund_after_deadline",
    "refund_force_majeure",
    "refund_client_after_assigned",
}
# From 5 to 60, such that an hour is full of them.
SLOT_MINUTES = (5, 10, 15, 20, 30, 60)
# An upper bound is there to catch a misplaced figure, not to rule how a studio works.
_LARGEST = {
    "payment_deadline_days": 365,
    "changes_deadline_days": 365,
    "default_editing_days": 365,
    "hold_days": 365,
    "room_turnaround_minutes": 24 * 60,
    "travel_minutes": 12 * 60,
    "max_concurrent_editing_sessions": 100_000,
}


def _check(name: str, value: Any) -> None:
    """Refuse a value that cannot be meant, naming the environment variable."""
    variable = env_name(name)
    if name == "time_zone":
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as unknown:
            raise WrongSetting(
                f"{variable} is {value!r}, which is not a time zone such as America/Guatemala."
            ) from unknown
    elif name == "language":
        if value not in LANGUAGES:
            raise WrongSetting(f"{variable} is {value!r}, but has to be one of: es, en.")
    elif isinstance(value, bool):
        return
    elif isinstance(value, str):
        if not value.strip() or any(ord(letter) < 32 for letter in value):
            raise WrongSetting(f"{variable} has to be a line of text that is not empty.")
    elif name in _PERCENTAGES:
        if not 0 <= value <= 100:
            raise WrongSetting(f"{variable} is {value}, but a percentage lies from 0 to 100.")
    elif value < 0:
        raise WrongSetting(f"{variable} is {value}, but may not be negative.")
    elif name == "max_session_hours":
        if not 1 <= value <= 24:
            raise WrongSetting(f"{variable} is {value}, but a session lasts from 1 to 24 hours.")
    elif name == "appointment_slot_minutes":
        if value not in SLOT_MINUTES:
            raise WrongSetting(f"{variable} is {value}, but has to be one of: {', '.join(map(str, SLOT_MINUTES))}.")
    elif name in ("appointment_day_begins", "appointment_day_ends"):
        if value > 24:
            raise WrongSetting(f"{variable} is {value}, but an hour of the day lies from 0 to 24.")
    elif name == "default_editing_days" and value == 0:
        raise WrongSetting(f"{variable} is 0, but editing takes at least one day.")
    elif name in _LARGEST and value > _LARGEST[name]:
        raise WrongSetting(f"{variable} is {value}; the most that is accepted is {_LARGEST[name]}.")


STUDIO = read()
