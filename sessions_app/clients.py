"""What a client's record says about the next booking (business rules 10.5; D24, D35)."""

from dataclasses import dataclass

from sessions_app.models import Client


@dataclass(frozen=True, slots=True)
class Record:
    """``cancellations`` counts the client's own and the system's unpaid ones, not the studio's (D35).

    ``no_shows`` are those of them to which the client did not come (D29).
    """

    sessions: int
    cancellations: int
    no_shows: int = 0

    @property
    def is_high_risk(self) -> bool:
        return self.cancellations > 2 and self.cancellations * 2 > self.sessions


def record_of(client: Client) -> Record:
    row = Client.objects.filter(pk=client.pk).with_record().get()
    return Record(row.sessions_count, row.own_cancellations, row.no_shows)


def is_high_risk(client: Client) -> bool:
    """More than half cancelled, and more than two (D24)."""
    return record_of(client).is_high_risk
