"""The addresses of sessions, clients and money. Each module of ``views`` brings its own.

``sessions/new/`` and its like come before ``sessions/<code>/``.
"""

from sessions_app.views import (
    appointment_pages,
    appointments,
    clients,
    closures,
    commissions,
    homes,
    imports,
    lines,
    listing,
    money,
    moves,
    page,
    people,
    quotes,
    receipts,
    reports,
    requests,
    series,
    shoot,
    statements,
    till,
    time_off,
)

urlpatterns = [
    *homes.urlpatterns,
    *listing.urlpatterns,
    *requests.urlpatterns,
    *series.urlpatterns,
    *appointments.urlpatterns,
    *time_off.urlpatterns,
    *closures.urlpatterns,
    *clients.urlpatterns,
    *imports.urlpatterns,
    *money.urlpatterns,
    *till.urlpatterns,
    *receipts.urlpatterns,
    *statements.urlpatterns,
    *reports.urlpatterns,
    *commissions.urlpatterns,
    *lines.urlpatterns,
    *quotes.urlpatterns,
    *people.urlpatterns,
    *moves.urlpatterns,
    *shoot.urlpatterns,
    *appointment_pages.urlpatterns,
    *page.urlpatterns,
]
