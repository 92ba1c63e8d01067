"""A real SMTP server on loopback that keeps each message as one file.

    mailbox.py --port 2525 --dir MAIL [--answer STAGE=REPLY [--only ADDRESS] [--times N]]

A message becomes `<nanoseconds>-<number>.eml`, written under another name first and then renamed, so that a reader never
sees half of one. `X-Envelope-From` and `X-Envelope-To` are put before the message; the rest is what came, byte for
byte. With `--answer` the server misbehaves: STAGE is `ehlo`, `mail`, `rcpt`, `data` (after the message), REPLY for
example `550 5.1.1 no such user`, `451 4.3.0 try again` or `421 4.3.2 closing`, after which it hangs up. `--only`
limits that to one recipient (stage `rcpt`), `--times` to the first N occasions.
"""

import argparse
import asyncio
import itertools
import signal
import sys
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP

MAX_MESSAGE = 16 * 1024 * 1024
STAGES = ("ehlo", "mail", "rcpt", "data")


class Fault:
    """The reply to give instead of the right one."""

    def __init__(self, options):
        self.stage, _, self.reply = (options.answer or "=").partition("=")
        self.only = options.only
        self.left = options.times

    def at(self, server, stage, recipient=None):
        """The reply for this stage, or None to behave."""
        if stage != self.stage or self.left == 0 or self.only not in (None, recipient):
            return None
        self.left -= 1
        if self.reply.startswith("421"):
            # RFC 5321, 3.8: the server closes the channel after 421.
            asyncio.get_running_loop().call_later(0.05, server.transport.close)
        return self.reply


class Mailbox:
    """The hooks that aiosmtpd calls."""

    def __init__(self, directory, fault):
        self.directory = directory
        self.fault = fault
        self.numbers = itertools.count(1)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        reply = self.fault.at(server, "ehlo")
        return [reply] if reply else responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        if reply := self.fault.at(server, "mail"):
            return reply
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if reply := self.fault.at(server, "rcpt", address):
            return reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if reply := self.fault.at(server, "data"):
            return reply
        # Nanoseconds, so that a server that was started again does not take a name twice.
        name = f"{time.time_ns()}-{next(self.numbers):06}"
        head = f"X-Envelope-From: {envelope.mail_from}\r\n"
        head += "".join(f"X-Envelope-To: {address}\r\n" for address in envelope.rcpt_tos)
        part = self.directory / f".{name}.part"
        part.write_bytes(head.encode() + envelope.original_content)
        part.rename(self.directory / f"{name}.eml")
        return f"250 2.0.0 kept as {name}"


async def serve(options):
    options.dir.mkdir(parents=True, exist_ok=True)
    mailbox = Mailbox(options.dir, Fault(options))
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="mailbox.test", data_size_limit=MAX_MESSAGE, enable_SMTPUTF8=True, loop=loop),
        host="127.0.0.1",
        port=options.port,
    )
    print(f"listening on 127.0.0.1:{options.port}", flush=True)
    await stop.wait()
    server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--answer", metavar="STAGE=REPLY")
    parser.add_argument("--only", metavar="ADDRESS")
    parser.add_argument("--times", type=int, default=-1)
    options = parser.parse_args()
    if options.answer and options.answer.partition("=")[0] not in STAGES:
        parser.error(f"--answer takes one of the stages {', '.join(STAGES)}")
    try:
        asyncio.run(serve(options))
    except OSError as error:
        sys.exit(f"mailbox: port {options.port}: {error}")


if __name__ == "__main__":
    main()
