"""What a client's record says about the next booking (business rules 10.5; D24, D35)."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from sessions_app.models import Client, Session
from studio.conf import STUDIO


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
        """More than half cancelled, and more than two (D24)."""
        return self.cancellations > 2 and self.cancellations * 2 > self.sessions

    @property
    def deposit_percentage(self) -> int:
        """What a new session asks for as its deposit: of a high-risk client the whole price (D24)."""
        return 100 if self.is_high_risk else STUDIO.default_deposit_percentage


def record_of(client: Client) -> Record:
    row = Client.objects.filter(pk=client.pk).with_record().get()
    return Record(row.sessions_count, row.own_cancellations, row.no_shows)


@dataclass(frozen=True, slots=True)
class Risk:
    """A high-risk client, in words, wherever a coordinator books for them (D24)."""

    text: str
    why: str


def risk_of(session: Session, record: Record | None = None) -> Risk | None:
    """What to know of the client, and what deposit is asked for because of it; one query without ``record``."""
    record = record or record_of(session.client)
    if not record.is_high_risk:
        return None
    text = _("High risk: %(canceled)d of the client's %(all)d sessions were canceled.") % {
        "canceled": record.cancellations,
        "all": record.sessions,
    }
    if session.deposit_percentage == 100:
        return Risk(text, _("The whole price is asked for as the deposit; asking for less needs a note."))
    if session.deposit_note:
        why = _("The deposit was lowered to %(percentage)d %%: %(note)s")
    else:
        why = _("The deposit is %(percentage)d %%, and no note says why not the whole price.")
    return Risk(text, why % {"percentage": session.deposit_percentage, "note": session.deposit_note})
