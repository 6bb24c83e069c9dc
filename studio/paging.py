"""Pages of long lists."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """As Django's, without counting a million rows for the number of the last one."""

    number: int
    has_next: bool

    @property
    def has_previous(self) -> bool:
        return self.number > 1

    @property
    def previous_page_number(self) -> int:
        return self.number - 1

    @property
    def next_page_number(self) -> int:
        return self.number + 1
