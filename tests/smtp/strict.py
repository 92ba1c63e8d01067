"""Holds messages to the letter of RFC 5321, 5322, 2045 to 2047: strict.py FILE…

The files are messages as they were delivered, the earlier ones first. Prints a JSON list of what a reader gets to see
({"headers": {…}, "text": …, "html": …}), or says on standard error what is wrong and ends with 1.
"""

import email.errors
import email.policy
import json
import re
import sys
from datetime import timedelta
from email import message_from_bytes
from email.utils import getaddresses, localtime

# RFC 5321, 4.5.3.1.6 and RFC 5322, 2.1.1: without the line end.
MAX_LINE = 998
# RFC 2045, 6.7 and RFC 2047, 2.
MAX_QUOTED, MAX_WORD = 76, 75
ONCE = ("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Auto-Submitted")
AT_MOST_ONCE = ("In-Reply-To", "References", "Reply-To", "Sender", "Cc", "Content-Transfer-Encoding")
NEVER = ("Bcc", "Return-Path")
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+"
MESSAGE_ID = re.compile(rf"<{ATOM}@{ATOM}>")
QUOTED = re.compile(rb"(?:[\t !-<>-~]|=[0-9A-F]{2})*=?")


class Wrong(Exception):
    """Something that a strict reader would not take."""


def hold(fact, says):
    if not fact:
        raise Wrong(says)


def lines_of(raw):
    hold(b"\0" not in raw, "a NUL")
    hold(b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b""), "a bare CR or LF")
    hold(raw.isascii(), "bytes of more than seven bits")
    hold(raw.endswith(b"\r\n"), "no line end at the end")
    lines = raw.split(b"\r\n")
    long = [line for line in lines if len(line) > MAX_LINE]
    hold(not long, f"a line of {len(long[0]) if long else 0} bytes")
    return lines


def headers_of(message, raw):
    head = raw.split(b"\r\n\r\n", 1)[0].decode("ascii")
    for line in head.split("\r\n"):
        hold(line.strip(), "an empty line of nothing but spaces in the head")
        hold(line[0] in " \t" or re.match(r"[!-9;-~]+:", line), f"no header: {line!r}")
        for word in re.findall(r"=\?[^?\s]*\?[^?\s]*\?[^?\s]*\?=", line):
            hold(len(word) <= MAX_WORD, f"an encoded word of {len(word)} characters")
    names = [name.lower() for name in message.keys()]
    for name in ONCE:
        hold(names.count(name.lower()) == 1, f"{names.count(name.lower())} headers {name}")
    for name in AT_MOST_ONCE:
        hold(names.count(name.lower()) <= 1, f"several headers {name}")
    for name in NEVER:
        hold(name.lower() not in names, f"a header {name}")
    for name, value in message.items():
        hold(not value.defects, f"{name}: {value.defects}")
        hold(not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", str(value)), f"{name} has control characters")
    for name in ("From", "To"):
        addresses = message[name].addresses
        hold(len(addresses) == 1 and "@" in addresses[0].addr_spec, f"{name}: {message[name]!r}")
        hold(getaddresses([str(message[name])])[0][1] == addresses[0].addr_spec, f"{name}: read in two ways")
    age = localtime() - message["Date"].datetime
    hold(abs(age) < timedelta(days=1), f"a date of {message['Date']}")
    hold(MESSAGE_ID.fullmatch(message["Message-ID"]), f"Message-ID: {message['Message-ID']}")


def parts_of(message, lines):
    hold(message.get_content_type() == "multipart/alternative", message.get_content_type())
    boundary = message.get_boundary()
    hold(boundary and len(boundary) <= 70, "a boundary of none or over 70 characters")
    marks = [line for line in lines if line.startswith(b"--" + boundary.encode())]
    parts = list(message.iter_parts())
    wanted = [b"--" + boundary.encode()] * len(parts) + [b"--" + boundary.encode() + b"--"]
    hold(marks == wanted, f"{len(marks)} lines of the boundary for {len(parts)} parts")
    hold(not (message.epilogue or "").strip() and not (message.preamble or "").strip(), "something beside the parts")
    hold([part.get_content_type() for part in parts] == ["text/plain", "text/html"], "other parts than text and HTML")
    return [content_of(part) for part in parts]


def content_of(part):
    hold(not part.defects, str(part.defects))
    kind = part.get_content_type()
    names = [name.lower() for name in part.keys()]
    hold(sorted(names) == ["content-transfer-encoding", "content-type"], f"{kind}: headers {names}")
    for name, value in part.items():
        hold(not value.defects, f"{kind}: {name}: {value.defects}")
    hold(part["Content-Transfer-Encoding"].cte == "quoted-printable", f"{kind}: {part['Content-Transfer-Encoding']}")
    for line in part.get_payload().encode("ascii").split(b"\r\n" if "\r\n" in part.get_payload() else b"\n"):
        hold(len(line) <= MAX_QUOTED and QUOTED.fullmatch(line), f"{kind}: not quoted-printable: {line!r}")
        hold(not line.endswith((b" ", b"\t")), f"{kind}: a space at the end of a line: {line!r}")
    charset = part.get_content_charset()
    hold(charset == "utf-8", f"{kind}: charset {charset}")
    return part.get_payload(decode=True).decode(charset, "strict")


def thread_of(message, known):
    """A later message answers the first of its thread, which came before."""
    answers, references = message["In-Reply-To"], message["References"]
    hold((answers is None) == (references is None), "In-Reply-To without References, or the other way round")
    if answers is not None:
        ids = MESSAGE_ID.findall(references)
        hold(" ".join(ids) == " ".join(references.split()), f"References: {references}")
        hold(ids[-1] == answers, f"In-Reply-To {answers}, References {references}")
        hold(all(one in known for one in ids), f"{references} was never seen")
        hold(message["Message-ID"] not in ids, "it answers itself")
    known.add(str(message["Message-ID"]))


def read(raw, known):
    lines = lines_of(raw)
    message = message_from_bytes(raw, policy=email.policy.SMTP + email.policy.strict)
    hold(not message.defects, str(message.defects))
    headers_of(message, raw)
    text, html = parts_of(message, lines)
    thread_of(message, known)
    return {"headers": {name: str(value) for name, value in message.items()}, "text": text, "html": html}


def main():
    known, told = set(), []
    for name in sys.argv[1:]:
        try:
            with open(name, "rb") as file:
                told.append(read(file.read(), known))
        except (Wrong, UnicodeError, email.errors.MessageError, email.errors.MessageDefect) as error:
            sys.exit(f"{name}: {type(error).__name__}: {error}")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
