"""`ingest`, whose executors read, however small the delivery is. Takes the same arguments."""

from include.spark import conversion
from spark_jobs import ingest

if __name__ == "__main__":
    conversion.SMALL_DELIVERY = 0
    ingest.main()
