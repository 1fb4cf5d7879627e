"""The types and outcomes of a typed line. Each type has a folder of its own: `clean` keeps or rejects most
lines by their type."""

PURCHASE, CANCELLATION = "purchase", "cancellation"
MISSING_CUSTOMER, OTHER = "missing_customer", "other"
KEPT, REJECTED = "kept", "rejected"  # the outcomes
PURCHASE_INVOICE = r"^[0-9]+\z"  # to Spark, $ would also match before a line break at the end
LINE_TYPE_FOLDER = "kind"  # the name in the lake: renaming it would make every lake read its files again
