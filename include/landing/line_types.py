"""The types and outcomes of a typed line. Each type has a folder of its own: `clean` keeps or rejects lines
by their type. A type that is always rejected is named as the reason."""

PURCHASE, CANCELLATION = "purchase", "cancellation"
UNKNOWN_INVOICE, MISSING_CUSTOMER = "unknown_invoice_type", "missing_customer"
NO_QUANTITY, NO_PRICE, NO_AMOUNT = "quantity_not_positive", "price_not_positive", "amount_not_positive"
UNREADABLE = "other"  # rejected by `ingest`, with a reason of its own
KEPT, REJECTED = "kept", "rejected"  # the outcomes
LINE_TYPE_FOLDER = "kind"  # the name in the lake
