"""Foreign keys that point up a layer: allowed as data, each named here; code may not (import-linter)."""

from django.apps import apps
from django.db.models import Field, Model

LAYER = {"sessions_app": 2, "payments": 1, "scheduling": 1, "catalog": 1, "studio": 0}

# Children of the aggregate. A new one is a decision: say here why it cannot point down.
UPWARD = {
    # What is earned with a session goes with it, as the payments do (D30).
    "payments.CommissionLine.session -> sessions_app.Session",
    "payments.Payment.session -> sessions_app.Session",
    "scheduling.RoomReservation.session -> sessions_app.Session",
    "scheduling.StaffReservation.session -> sessions_app.Session",
}


def relations() -> list[tuple[type[Model], Field]]:
    return [
        (model, field)
        for model in apps.get_models()
        if model._meta.app_label in LAYER
        for field in model._meta.get_fields(include_hidden=False)
        if field.is_relation and field.concrete and field.related_model is not None
    ]


def test_foreign_keys_that_point_up_are_the_listed_ones():
    upward = {
        f"{model._meta.app_label}.{model.__name__}.{field.name} -> {field.related_model._meta.label}"
        for model, field in relations()
        if LAYER.get(field.related_model._meta.app_label, -1) > LAYER[model._meta.app_label]
    }
    assert upward == UPWARD


def test_siblings_do_not_point_at_each_other():
    sideways = {
        f"{model._meta.label}.{field.name}"
        for model, field in relations()
        if (other := field.related_model._meta.app_label) != model._meta.app_label
        and LAYER.get(other) == LAYER[model._meta.app_label]
    }
    assert sideways == set()
