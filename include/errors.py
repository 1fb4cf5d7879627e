"""The one error that is for a person: wrong input, configuration or surroundings, told in one message."""


class Refused(Exception):
    """Something the person running this can put right: what is wrong, where, and what to do.

    A job that raises it ends with exit code 2, and its Airflow task fails without a retry.
    """
