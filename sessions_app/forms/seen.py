"""Forms of pages that several people may have open."""

from typing import Any

from django import forms


class SeenForm(forms.Form):
    """What comes back as the page showed it (``seen-...``) is no change, and takes nobody else's change back."""

    def seen(self) -> list[tuple[str, Any]]:
        """The hidden fields: what the page shows of what is saved."""
        return [(f"seen-{self.add_prefix(name)}", self.initial[name]) for name in self.fields]

    def as_seen(self, name: str) -> Any:
        """What the page showed; None where a machine does not say."""
        return self.data.get(f"seen-{self.add_prefix(name)}")

    def is_untouched(self, name: str, value: Any) -> bool:
        seen = self.as_seen(name)
        if seen is None:
            return False
        try:
            return self.fields[name].clean(seen) == value
        except forms.ValidationError:
            return False

    def show_as_saved(self, name: str) -> None:
        """What they left as they saw it comes back as it is saved now: the form that is sent again undoes nothing."""
        saved = self.initial[name]
        if not self.is_sent(name) or self.fields[name].clean(self.as_seen(name)) == saved:
            return
        self.data = self.data.copy()
        self.data[self.add_prefix(name)] = "" if saved is None else str(saved)

    def is_sent(self, name: str) -> bool:
        return self.add_prefix(name) in self.data
