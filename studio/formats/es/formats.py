"""Spanish as figures are written in Guatemala: 1,250.00 (Django's Spanish is that of Spain)."""

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
