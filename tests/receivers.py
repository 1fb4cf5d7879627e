"""A chat's webhook and a mail server on this machine: they keep what they are sent."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import StreamRequestHandler, TCPServer, ThreadingMixIn
from threading import Thread

from include.pipeline import CHAT_CONNECTION, MAIL_CONNECTION

TOKEN, PASSWORD = "token-of-the-chat", "password-of-the-mail"


@dataclass
class Chat:
    title: str
    text: str
    level: str


@dataclass
class Mail:
    to: str
    sender: str
    subject: str
    html: str


@dataclass
class Received:
    """What has arrived, and the connections that lead here."""

    chat_port: int = 0
    mail_port: int = 0
    chats: list[Chat] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        return [chat.title for chat in self.chats]

    @property
    def connections(self) -> dict[str, str]:
        """The environment of an Airflow that has both connections."""
        path = f"json://127.0.0.1:{self.chat_port}/{TOKEN}"
        extra = {"from_email": "airflow@shop.example", "to": "a@shop.example, b@shop.example"}
        plain = {"disable_ssl": True, "disable_tls": True}
        chat = {"conn_type": "apprise", "extra": {"config": {"path": path}}}
        mail = {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": self.mail_port,
            "login": "airflow",
            "password": PASSWORD,
            "extra": extra | plain,
        }
        return {
            f"AIRFLOW_CONN_{CHAT_CONNECTION.upper()}": json.dumps(chat),
            f"AIRFLOW_CONN_{MAIL_CONNECTION.upper()}": json.dumps(mail),
        }


class Threaded(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def listening() -> Iterator[Received]:
    received = Received()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.chats.append(Chat(body["title"], body["message"], body["type"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    class MailServer(StreamRequestHandler):
        """As much of SMTP as a client needs that signs in and sends one mail."""

        def handle(self) -> None:
            self.say("220 ready")
            for line in self.rfile:
                word = line.split()[0].upper()
                if word == b"EHLO":
                    self.say("250-here\r\n250 AUTH PLAIN")
                elif word == b"AUTH":
                    self.say("235 signed in")
                elif word == b"DATA":
                    self.say("354 go on")
                    received.mails.append(mail_of(self.rfile_until_dot()))
                    self.say("250 kept")
                elif word == b"QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def rfile_until_dot(self) -> bytes:
            return b"".join(iter(self.rfile.readline, b".\r\n"))

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    servers = [HTTPServer(("127.0.0.1", 0), Webhook), Threaded(("127.0.0.1", 0), MailServer)]
    received.chat_port, received.mail_port = (server.server_address[1] for server in servers)
    for server in servers:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield received
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def mail_of(content: bytes) -> Mail:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("html",))
    assert body is not None
    return Mail(message["To"], message["From"], message["Subject"], body.get_content())
