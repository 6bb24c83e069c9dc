"""The records of money: payments, the till that closes its days, receipts, commissions."""

from payments.models.commission import CommissionLine, CommissionStatement
from payments.models.payment import Payment, PaymentMethod, PaymentQuerySet, PaymentStatus, PaymentType
from payments.models.receipt import Receipt, ReceiptSeries
from payments.models.till import CashClosing, Till

__all__ = [
    "CashClosing",
    "CommissionLine",
    "CommissionStatement",
    "Payment",
    "PaymentMethod",
    "PaymentQuerySet",
    "PaymentStatus",
    "PaymentType",
    "Receipt",
    "ReceiptSeries",
    "Till",
]
