"""A table of figures, printed at the end of the run."""

from dataclasses import dataclass, field


@dataclass
class Table:
    title: str
    columns: tuple[str, ...]
    lines: list[tuple[str, ...]] = field(default_factory=list)

    def line(self, *cells: object) -> None:
        self.lines.append(tuple(str(cell) for cell in cells))

    def as_text(self) -> list[str]:
        rows = [self.columns, *self.lines]
        widths = [max(len(row[n]) for row in rows) for n in range(len(self.columns))]
        return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
