"""Sending a message to the Airflow connections that exist: a chat or webhook, and mail."""

import logging
from collections.abc import Mapping

from airflow.sdk import BaseHook, BaseNotifier, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from include.errors import ConfigError
from include.orchestration.messages import Message
from include.pipeline import CHAT_CONNECTION, MAIL_CONNECTION

log = logging.getLogger("airflow.task")

Receivers = Mapping[str, Connection]


def receivers() -> Receivers:
    """The connections that notifications go to. Empty: nobody wants any."""
    found = {}
    for name in (CHAT_CONNECTION, MAIL_CONNECTION):
        try:
            found[name] = BaseHook.get_connection(name)
        except AirflowNotFoundException:
            continue
    return found


def send(message: Message, to: Receivers) -> None:
    """Send a message to each receiver. One that fails does not keep the others from it.

    `notify`, as a call of the notifier would first render the message as a template, and it has texts from
    the shop's files in it.
    """
    for name, connection in to.items():
        try:
            notifier(name, connection, message).notify({})
        except Exception:  # whatever a chat, a mail server or the network may raise
            log.exception("A notification could not be sent to the connection %r: %s", name, message.title)


def notifier(name: str, connection: Connection, message: Message) -> BaseNotifier:
    return chat(message) if name == CHAT_CONNECTION else mail(message, connection)


def chat(message: Message) -> BaseNotifier:
    from airflow.providers.apprise.notifications.apprise import AppriseNotifier  # takes a while to import
    from apprise import NotifyType

    return AppriseNotifier(
        title=message.title,
        body=message.text,
        notify_type=NotifyType(message.level),
        apprise_conn_id=CHAT_CONNECTION,
    )


def mail(message: Message, connection: Connection) -> BaseNotifier:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

    extra = connection.extra_dejson
    if missing := [key for key in ("from_email", "to") if not extra.get(key)]:
        raise ConfigError(f"connection {MAIL_CONNECTION!r}: its extra has no {' and no '.join(missing)}")
    return SmtpNotifier(
        to=extra["to"],
        from_email=extra["from_email"],
        subject=message.title,
        html_content=message.html,
        smtp_conn_id=MAIL_CONNECTION,
    )
