"""The types and outcomes of a typed line. Each type has a folder of its own: `clean` keeps or rejects most
lines by their type."""

PURCHASE, CANCELLATION = "purchase", "cancellation"
MISSING_CUSTOMER, OTHER = "missing_customer", "other"
KEPT, REJECTED = "kept", "rejected"  # the outcomes
PURCHASE_INVOICE = "^[0-9]+"  # up to the end of the text, which Polars and Spark write differently
LINE_TYPE_FOLDER = "kind"  # the name in the lake: renaming it would make every lake read its files again
