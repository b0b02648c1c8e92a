"""Phones and the registrar."""

from sipp_scenarios.scenarios import answered
from tests.wire.sipp_cases.case import Case, Part
from tests.wire.sipp_cases.edits import each, last, only_before, only_from, pauses
from tests.wire.sipp_cases.files import (
    DRACHTIO,
    PATCHED,
    SAGHUL,
    TALKS_WITHOUT_RINGING,
    UAC_BASIC,
    line,
    never_rang,
    phone,
    stranger,
)

LOGIN_ROW = "@USER@;127.0.0.1;[authentication username=@USER@ password=@PASSWORD@]"
STAR = f"{DRACHTIO}uac-register-with-star-in-contact.xml"
RECEIVES_A_CALL = f"{DRACHTIO}uac-register-recv-invite.xml"
FIRST_ANSWER = '<recv request="INVITE" crlf="true"/>'

REGISTRATIONS = (
    Case(
        id="reg-digest-1",
        caller=stranger(f"{SAGHUL}uac_register.xml", "401 REGISTER, 200 REGISTER", csv=LOGIN_ROW),
        bindings=1,
    ),
    Case(
        id="reg-digest-quick",
        caller=stranger(
            f"{SAGHUL}uac_register_quick.xml",
            "401 REGISTER, 200 REGISTER, 401 REGISTER, 200 REGISTER",
            csv=LOGIN_ROW,
        ),
        bindings=1,
    ),
    Case(
        id="reg-digest-kam",
        caller=stranger(
            f"{PATCHED}kamailio_sipp-module/uac_register.xml",
            "401 REGISTER, 200 REGISTER, 200 REGISTER",
            words=("-key", "caller", "@USER@", "-key", "target_domain", "127.0.0.1"),
            edits=(
                each("[authentication username=[caller] password=secret]", "[authentication]"),
                last("CSeq: 1 REGISTER", "CSeq: 3 REGISTER\n[authentication]"),
                pauses(5000, 500),
            ),
        ),
        service="@USER@",
        bindings=0,
        why="its last REGISTER has neither a login nor a CSeq above the one before (10.2.4): both are added",
    ),
    Case(
        id="reg-digest-kam",
        variant="as published",
        caller=stranger(
            f"{PATCHED}kamailio_sipp-module/uac_register.xml",
            "401 REGISTER, 200 REGISTER, 401 REGISTER",
            words=("-key", "caller", "@USER@", "-key", "target_domain", "127.0.0.1"),
            edits=(
                each("[authentication username=[caller] password=secret]", "[authentication]"),
                pauses(5000, 500),
            ),
            exits=1,
        ),
        service="@USER@",
        bindings=1,
        why="a REGISTER that takes a binding away needs a login as any other: 401",
    ),
    Case(
        id="reg-broken-contact",
        caller=stranger(f"{SAGHUL}uac_register_broken_contact.xml", "400 REGISTER", csv=LOGIN_ROW, exits=1),
        bindings=0,
        why="a Contact without a host is 400 at the door, before any challenge, and nothing is stored",
    ),
    Case(
        id="reg-bad-contact-percent",
        caller=stranger(f"{DRACHTIO}register-bad-contact.xml", "400 REGISTER", exits=1),
        service="@USER@",
        bindings=0,
        why="`Contact: %` is no address: 400 (21.4.1) rather than the 403 of that server's policy",
    ),
    Case(
        id="reg-star",
        caller=Part(file=STAR, login="REGISTER", hears="401 REGISTER, 200 REGISTER"),
        service="@USER@",
        bound_before=True,
        bindings=0,
    ),
    Case(
        id="reg-star",
        variant="without a login",
        caller=stranger(STAR, "401 REGISTER", exits=1),
        service="@USER@",
        bound_before=True,
        bindings=1,
        why="nobody takes a line's bindings away without its login: 401",
    ),
    Case(
        id="reg-star",
        variant="with an expiry",
        caller=Part(
            file=STAR,
            login="REGISTER",
            edits=(each("Expires: 0", "Expires: 60"),),
            hears="401 REGISTER, 400 REGISTER",
            exits=1,
        ),
        service="@USER@",
        bound_before=True,
        bindings=1,
        why="`*` with another Expires than 0 is 400 (10.3 step 6)",
    ),
    Case(
        id="reg-recv-call",
        caller=line(UAC_BASIC, TALKS_WITHOUT_RINGING),
        callees=(
            phone(
                RECEIVES_A_CALL,
                registers=(each("[service]", "@USER@"), only_before(FIRST_ANSWER)),
                edits=(only_from(FIRST_ANSWER), pauses(60000, 200)),
            ),
        ),
        legs=never_rang(answered(1.0)),
        why="the call is received by a SIPp of its own: the INVITE of a B2BUA has another "
        "Call-ID than the REGISTER, and one SIPp scenario has one",
    ),
    Case(
        id="reg-jp",
        caller=stranger(
            f"{DRACHTIO}uac-register-jp-chars.xml",
            "401 REGISTER, 404 OPTIONS, 404 OPTIONS, 401 REGISTER",
            edits=(
                each('<recv response="403"/>', '<recv response="401"/>'),
                each('<recv response="200"', '<recv response="404"'),
                pauses(1000, 100),
            ),
        ),
        is_otherwise=True,
        why="a REGISTER without a login is challenged, whatever domain it is for: 401, where the script has 403; "
        "OPTIONS for another domain is 404",
    ),
)
