"""Mail against a real server of its protocol, on loopback."""

import asyncio
import json
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from receivers import SmtpReceiver

from ic3.clock import Clock
from ic3.errors import SettingsError
from ic3.hub.mail import Mail, SmtpServer, smtp_server
from ic3.hub.notices import Outcome, Target

PASSWORD = "planted-password"
PEOPLE = Target("control room", ("asha@example.org", "ravi@example.org"))


def event(number: int = 1, **data: Any) -> str:
    given = {"source_kind": "asset", "source": "PUMP_7", "condition": "low pressure",
             "priority": 2, "text": "too low", "value": 0.5, "limit": 1.0, "unit": "bar",
             "domain": "DEL-D07"}  # fmt: skip
    return json.dumps(
        {"id": f"{number}-1", "type": "ic3.alarm.new", "time": "2026-06-15T01:42:00.000000Z",
         "data": {**given, **data}}
    )  # fmt: skip


def mail(smtp: SmtpReceiver, *, user: str = "", deadline_s: float = 5.0) -> Mail:
    server = SmtpServer("127.0.0.1", smtp.port, False, user, PASSWORD)
    zone = ZoneInfo("Asia/Kolkata")
    return Mail(server=server, sender="ic3@water.example", zone=zone, clock=Clock(),
                deadline_s=deadline_s)  # fmt: skip


async def test_an_alarm_comes_as_plain_text(smtp: SmtpReceiver) -> None:
    assert await mail(smtp).send(PEOPLE, [event()]) == Outcome(True)
    (came,) = smtp.mails
    assert came["Subject"] == "[P2] new: PUMP_7 low pressure"
    assert came["From"] == "ic3@water.example"
    assert smtp.recipients == [["asha@example.org", "ravi@example.org"]]
    assert came.get_content_type() == "text/plain"
    text = came.get_content()
    assert "2026-06-15 07:12:00 IST P2 new" in text
    assert "value 0.5 bar (limit 1)" in text
    assert came["Message-ID"] == "<1-1.1.control-room@water.example>"


async def test_several_are_one_mail_and_the_worst_is_in_its_subject(smtp: SmtpReceiver) -> None:
    events = [event(1, priority=4), event(2, priority=1, source="PUMP_8"), event(3)]
    assert (await mail(smtp).send(PEOPLE, events)).sent
    (came,) = smtp.mails
    assert came["Subject"] == "[P1] 3 changes, first new: PUMP_8 low pressure"
    assert all(f"event {number}-1" in came.get_content() for number in (1, 2, 3))
    many = [event(number) for number in range(70)]
    assert (await mail(smtp).send(PEOPLE, many)).sent
    assert "and 20 more" in smtp.mails[1].get_content()


@pytest.mark.parametrize(
    "hostile",
    ["x\r\nBcc: victim@example.org", "x\nBcc: v@e.org\n\nbody", "x\r\n.\r\nMAIL FROM:<a@b>",
     "x\x00\x1b[31m\u202e\u2028Bcc: v@e.org", "x\x85Bcc: v@e.org", "ß½ " * 500],
)  # fmt: skip
async def test_no_text_of_the_plant_becomes_a_header_or_a_command(
    smtp: SmtpReceiver, hostile: str
) -> None:
    named = dict.fromkeys(("source", "condition", "text", "unit", "domain"), hostile)
    target = Target(f"r {hostile}", PEOPLE.recipients)
    assert (await mail(smtp).send(target, [event(1, **named)])).sent
    (came,) = smtp.mails
    assert came.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    ]  # fmt: skip
    assert came["Bcc"] is None
    assert smtp.recipients == [list(PEOPLE.recipients)]
    assert [each.split(" ")[0].upper() for each in smtp.commands] == [
        "EHLO", "MAIL", "RCPT", "RCPT", "DATA", "QUIT",
    ]  # fmt: skip
    lines = came.get_content().splitlines()
    assert not any(line.startswith(("Bcc", "MAIL", ".")) for line in lines)
    assert all(mark.isprintable() for line in lines for mark in line)


@pytest.mark.parametrize(
    ("answers", "again", "status"),
    [({"MAIL": "451 later"}, True, 451), ({"MAIL": "550 no"}, False, 550),
     ({"RCPT": "550 unknown"}, False, 550), ({"RCPT": "450 busy"}, True, 450),
     ({"AUTH": "535 no planted"}, True, 535)],
)  # fmt: skip
async def test_refusals_are_for_good_or_for_now(
    smtp: SmtpReceiver, answers: dict[str, str], again: bool, status: int
) -> None:
    smtp.answers = answers
    found = await mail(smtp, user="ic3").send(PEOPLE, [event()])
    assert (found.sent, found.again, found.status) == (False, again, status)
    assert "planted" not in repr(found)


async def test_a_server_that_hangs_has_one_deadline(smtp: SmtpReceiver) -> None:
    smtp.answers = {"MAIL": "hang"}
    began = time.monotonic()
    found = await mail(smtp, deadline_s=0.3).send(PEOPLE, [event()])
    assert (found.again, time.monotonic() - began < 20) == (True, True)


async def test_a_mail_in_the_making_is_given_up_at_once(smtp: SmtpReceiver) -> None:
    smtp.answers = {"MAIL": "hang"}
    task = asyncio.create_task(mail(smtp).send(PEOPLE, [event()]))
    await asyncio.sleep(0.2)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=20)
    assert done


async def test_no_server_and_none_that_answers_are_said(smtp: SmtpReceiver) -> None:
    zone = ZoneInfo("UTC")
    none = Mail(server=None, sender="ic3@localhost", zone=zone, clock=Clock())
    found = await none.send(PEOPLE, [event()])
    assert (found.again, found.words) == (False, "no mail server is set; set IC3_SMTP_URL")
    smtp.port = 1
    found = await mail(smtp).send(PEOPLE, [event()])
    assert (found.again, found.words) == (True, "the mail server failed (ConnectionRefusedError)")


async def test_off_this_machine_nothing_goes_out_in_the_clear(
    smtp: SmtpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.hub.mail.is_loopback", lambda _: False)
    found = await mail(smtp, user="ic3").send(PEOPLE, [event()])
    assert (found.sent, found.words) == (False, "the mail server offers no STARTTLS or no login")
    assert [each.split(" ")[0].upper() for each in smtp.commands] == ["EHLO", "QUIT"]


def test_the_server_is_read_from_its_url() -> None:
    assert smtp_server("smtp://a%40b:p%2Fw@mail.example.org") == SmtpServer(
        "mail.example.org", 587, False, "a@b", "p/w"
    )
    assert smtp_server("smtps://mail.example.org").port == 465
    assert PASSWORD not in repr(smtp_server(f"smtp://a:{PASSWORD}@h:25"))
    for bad in ("http://h", "smtp://", f"smtp://a:{PASSWORD}@h:x", "smtp://h/path", PASSWORD):
        with pytest.raises(SettingsError) as caught:
            smtp_server(bad)
        assert PASSWORD not in str(caught.value)
