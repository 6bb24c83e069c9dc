"""The studio's constants (business rules 7)."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from decimal import Decimal

import pytest

from studio.conf import STUDIO, StudioConf, WrongSetting, env_name, read


def test_defaults_are_those_of_the_business_rules():
    conf = read({})
    assert conf.payment_deadline_days == 5
    assert conf.changes_deadline_days == 7
    assert conf.default_editing_days == 5
    assert conf.default_deposit_percentage == 50
    assert conf.refund_within_deadline == 100
    assert conf.refund_after_deadline == 50
    assert conf.refund_force_majeure == 100
    assert conf.refund_client_after_assigned == 0
    assert conf.remote_transportation_cost == Decimal("200.00")
    assert conf.max_concurrent_editing_sessions == 10
    assert conf.time_zone == "America/Guatemala"
    assert str(conf.zone) == "America/Guatemala"


def test_environment_overrides_each_kind():
    conf = read(
        {
            "PAYMENT_DEADLINE_DAYS": "3",
            "REMOTE_TRANSPORTATION_COST": "125.5",
            "REQUIRE_FULL_PAYMENT": "yes",
            "STUDIO_NAME": " Foto Luz ",
            "STUDIO_TIME_ZONE": "Europe/Madrid",
            "STUDIO_LANGUAGE": "en",
        }
    )
    assert conf.payment_deadline_days == 3
    assert conf.remote_transportation_cost == Decimal("125.50")
    assert conf.require_full_payment is True
    assert conf.name == "Foto Luz"
    assert conf.zone.key == "Europe/Madrid"
    assert conf.language == "en"


def test_empty_variables_mean_the_default():
    assert read({"PAYMENT_DEADLINE_DAYS": "", "STUDIO_NAME": " "}) == StudioConf()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PAYMENT_DEADLINE_DAYS", "-1"),
        ("PAYMENT_DEADLINE_DAYS", "five"),
        ("PAYMENT_DEADLINE_DAYS", "1e3"),
        ("DEFAULT_EDITING_DAYS", "0"),
        ("DEFAULT_DEPOSIT_PERCENTAGE", "101"),
        ("REFUND_AFTER_DEADLINE", "-5"),
        ("REMOTE_TRANSPORTATION_COST", "12.345"),
        ("REMOTE_TRANSPORTATION_COST", "NaN"),
        ("REQUIRE_FULL_PAYMENT", "perhaps"),
        ("STUDIO_TIME_ZONE", "America/Nowhere"),
        ("STUDIO_TIME_ZONE", "../etc/passwd"),
        ("STUDIO_LANGUAGE", "fr"),
        ("STUDIO_NAME", "two\nlines"),
        ("MAX_SESSION_HOURS", "0"),
        ("ROOM_TURNAROUND_MINUTES", "99999"),
    ],
)
def test_wrong_value_is_refused_with_a_sentence_that_names_it(variable, value):
    with pytest.raises(WrongSetting) as refused:
        read({variable: value})
    assert variable in str(refused.value)
    assert str(refused.value).endswith(".")


def test_wrong_value_stops_the_start():
    ran = subprocess.run(
        [sys.executable, "-c", "import studio.conf"],
        env={"REFUND_AFTER_DEADLINE": "150", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "REFUND_AFTER_DEADLINE is 150" in ran.stderr


def test_overridden_restores_the_values_also_after_an_error():
    before = STUDIO.payment_deadline_days
    with pytest.raises(RuntimeError), STUDIO.overridden(payment_deadline_days=99):
        assert STUDIO.payment_deadline_days == 99
        raise RuntimeError
    assert STUDIO.payment_deadline_days == before


def test_overridden_checks_values_and_names():
    with pytest.raises(WrongSetting), STUDIO.overridden(refund_after_deadline=200):
        pass
    with pytest.raises(AttributeError), STUDIO.overridden(unknown=1):
        pass


def test_every_setting_has_a_variable_of_its_own():
    names = [env_name(each.name) for each in fields(StudioConf)]
    assert len(names) == len(set(names))
    assert all(name == name.upper() for name in names)


def test_importing_the_constants_does_not_need_settings():
    code = "import studio.conf; from django.conf import settings; assert not settings.configured"
    subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
