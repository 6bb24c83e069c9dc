"""The addresses of sessions, clients and money. Each module of ``views`` brings its own.

``sessions/new/`` and its like come before ``sessions/<code>/``.
"""

from sessions_app.views import (
    clients,
    commissions,
    homes,
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
    shoot,
    statements,
    till,
)

urlpatterns = [
    *homes.urlpatterns,
    *listing.urlpatterns,
    *requests.urlpatterns,
    *clients.urlpatterns,
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
    *page.urlpatterns,
]
