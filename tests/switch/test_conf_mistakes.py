"""How mistakes in conf/ are told: file, line, key, what was found, what was expected; all of them at once."""

from pathlib import Path

import pytest

from tests.switch.conf_folder import SECRETS, ConfFolder, problems_of


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    return ConfFolder(tmp_path)


MISTAKES = {
    # name: (file, text, problem)
    "unknown key with a near one": (
        "offhook.toml",
        "[calls]\n\nno_answer_timeout = 30\n",
        "offhook.toml:3: calls.no_answer_timeout: found an unknown key, expected perhaps no_answer_timeout_s",
    ),
    "unknown key with none near": (
        "offhook.toml",
        "[digest]\nxyz = 1\n",
        "offhook.toml:2: digest.xyz: found an unknown key, expected one of realm, nonce_lifetime_s",
    ),
    "unknown section": (
        "offhook.toml",
        "[call]\n",
        "offhook.toml:1: call: found an unknown key, expected perhaps calls",
    ),
    "duration too short": (
        "offhook.toml",
        "[calls]\nno_answer_timeout_s = 4\n",
        "offhook.toml:2: calls.no_answer_timeout_s: found 4, "
        "expected a whole number of seconds from 5 to 600",
    ),
    "duration too long": (
        "offhook.toml",
        "[calls]\nanswer_gate_ms = 2001\n",
        "offhook.toml:2: calls.answer_gate_ms: found 2001, "
        "expected a whole number of milliseconds from 10 to 2000",
    ),
    "number in quotes": (
        "offhook.toml",
        '[calls]\ncalls_max = "100"\n',
        'offhook.toml:2: calls.calls_max: found "100", expected a whole number from 1 to 100000',
    ),
    "boolean for a number": (
        "offhook.toml",
        "[calls]\ncalls_max = true\n",
        "offhook.toml:2: calls.calls_max: found true, expected a whole number from 1 to 100000",
    ),
    "fraction for a number": (
        "offhook.toml",
        "[calls]\ncalls_max = 2.5\n",
        "offhook.toml:2: calls.calls_max: found 2.5, expected a whole number from 1 to 100000",
    ),
    "value for a table": (
        "offhook.toml",
        "calls = 3\n",
        "offhook.toml:1: calls: found 3, expected a table, in lines below its name in square brackets",
    ),
    "renewal after the reservation": (
        "offhook.toml",
        "[prepaid]\nreserve_ahead_s = 30\nrenew_before_s = 30\n",
        "offhook.toml:3: prepaid.renew_before_s: found 30, expected less than reserve_ahead_s, which is 30",
    ),
    "a warning before the renewal": (
        "offhook.toml",
        "[prepaid]\nrenew_before_s = 8\nwarning_s = 9\n",
        "offhook.toml:3: prepaid.warning_s: found 9, expected at most renew_before_s, which is 8",
    ),
    "a session shorter than anybody may ask for": (
        "offhook.toml",
        "[calls]\nsession_expires_s = 60\n",
        "offhook.toml:2: calls.session_expires_s: found 60, expected 0 for never, or at least 90",
    ),
    "minimum above maximum": (
        "offhook.toml",
        "[registrar]\nmax_expires_s = 100\nmin_expires_s = 200\n",
        "offhook.toml:3: registrar.min_expires_s: found 200, expected at most max_expires_s, which is 100",
    ),
    "port too high": (
        "offhook.toml",
        '[listen]\nudp = ["0.0.0.0:65536"]\n',
        'offhook.toml:2: listen.udp: found "0.0.0.0:65536", '
        'expected an address and a port from 1 to 65535, like "203.0.113.7:5060" or "[2001:db8::7]:5060"',
    ),
    "port zero": (
        "offhook.toml",
        '[listen]\nmetrics = "127.0.0.1:0"\n',
        'offhook.toml:2: listen.metrics: found "127.0.0.1:0", '
        'expected an address and a port from 1 to 65535, like "203.0.113.7:5060" or "[2001:db8::7]:5060"',
    ),
    "host name to listen on": (
        "offhook.toml",
        '[listen]\ntcp = [\n  "0.0.0.0:5060",\n  "localhost:5061",\n]\n',
        'offhook.toml:2: listen.tcp: found "localhost:5061", '
        'expected an address and a port from 1 to 65535, like "203.0.113.7:5060" or "[2001:db8::7]:5060"',
    ),
    "address twice": (
        "offhook.toml",
        '[listen]\nudp = ["0.0.0.0:5060", "0.0.0.0:5060"]\n',
        'offhook.toml:2: listen.udp: found "0.0.0.0:5060" twice, expected each item once',
    ),
    "no listener": (
        "offhook.toml",
        "[listen]\nudp = []\ntcp = []\n",
        "offhook.toml:1: listen: found no listener, expected an address in udp, tcp, tls, ws or wss",
    ),
    "address of one link": (
        "offhook.toml",
        '[listen]\nudp = ["[fe80::1]:5060"]\n',
        'offhook.toml:2: listen.udp: found "[fe80::1]:5060", expected an address and a port from 1 to 65535, like '
        '"203.0.113.7:5060" or "[2001:db8::7]:5060"; an address of one link (fe80::) cannot be written in SIP',
    ),
    "IPv6 without brackets": (
        "offhook.toml",
        '[listen]\nudp = ["2001:db8::1:5060"]\n',
        'offhook.toml:2: listen.udp: found "2001:db8::1:5060", expected an address and a port from 1 to 65535, '
        'like "203.0.113.7:5060" or "[2001:db8::7]:5060"',
    ),
    "IPv4 in IPv6 clothes": (
        "offhook.toml",
        '[listen]\nudp = ["[::ffff:192.0.2.1]:5060"]\n',
        'offhook.toml:2: listen.udp: found "[::ffff:192.0.2.1]:5060", expected an address and a port from 1 to '
        '65535, like "203.0.113.7:5060" or "[2001:db8::7]:5060"',
    ),
    "one port for two transports": (
        "offhook.toml",
        '[listen]\nws = ["0.0.0.0:5060"]\n',
        "offhook.toml:2: listen.ws: found 0.0.0.0:5060, expected another port than tcp's",
    ),
    "TLS without a certificate": (
        "offhook.toml",
        '[listen]\ntls = ["0.0.0.0:5061"]\n',
        "offhook.toml:2: listen.tls: found no certificate, expected a pair of files in tls.certificates",
    ),
    "a certificate without its key": (
        "offhook.toml",
        '[tls]\ncertificates = ["full.pem"]\n',
        'offhook.toml:2: tls.certificates: found "full.pem", expected pairs of files, the certificate with its '
        'chain and the key, like [["full.pem", "key.pem"]]',
    ),
    "clients asked for what nobody can judge": (
        "offhook.toml",
        '[tls]\nclient_certificates = "required"\n',
        "offhook.toml:1: tls.client_ca: found none, expected the file of the CA that signs clients' certificates",
    ),
    "origin with a path": (
        "offhook.toml",
        '[websocket]\norigins = ["https://phone.example.co.uk/"]\n',
        'offhook.toml:2: websocket.origins: found "https://phone.example.co.uk/", expected an origin in small '
        'letters without a path, like "https://phone.example.co.uk", or "" for none',
    ),
    "peer at no address of IPv6": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["[::]:5060"]\n',
        'trunks.toml:2: trunk.carrier_a.addresses: found "[::]:5060", expected the address of a peer, not [::]',
    ),
    "an IPv6 network too wide": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\nsources = ["2001::/16"]\n',
        'trunks.toml:3: trunk.carrier_a.sources: found "2001::/16", expected a network of 32 to 128 bits, like '
        '"2001:db8:7::/48"',
    ),
    "an IPv6 network with host bits": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\nsources = ["2001:db8:7::1/48"]\n',
        'trunks.toml:3: trunk.carrier_a.sources: found "2001:db8:7::1/48", expected the first address of the '
        'network, "2001:db8:7::/48"',
    ),
    "metrics on a SIP port": (
        "offhook.toml",
        '[listen]\ntcp = ["127.0.0.1:9464"]\n',
        "offhook.toml:1: listen.metrics: found 127.0.0.1:9464, expected another port than SIP over TCP",
    ),
    "domain with a port": (
        "offhook.toml",
        '[exchange]\ndomains = ["sip.example.co.uk:5060"]\n',
        'offhook.toml:2: exchange.domains: found "sip.example.co.uk:5060", '
        'expected a host name or an address without a port, like "sip.example.co.uk"',
    ),
    "text for a list": (
        "offhook.toml",
        '[exchange]\ndomains = "sip.example.co.uk"\n',
        'offhook.toml:2: exchange.domains: found "sip.example.co.uk", expected a list in square brackets',
    ),
    "line feed in the realm": (
        "offhook.toml",
        '[digest]\nrealm = "a\\r\\nb"\n',
        "offhook.toml:2: digest.realm: found 'a\\r\\nb', "
        "expected a text of at most 100 plain characters, without quotes and backslashes",
    ),
    "wrong DSN, not shown": (
        "offhook.toml",
        '[database]\ndsn = "mysql://offhook:hidden@db/offhook"\n',
        "offhook.toml:2: database.dsn: found a value that is not shown, "
        'expected "" or a URI like "postgresql://offhook@db.example.co.uk/offhook"',
    ),
    "DSN with a port that cannot be, not shown": (
        "offhook.toml",
        '[database]\ndsn = "postgresql://offhook:hidden@db:99999/offhook"\n',
        "offhook.toml:2: database.dsn: found a value that is not shown, "
        'expected "" or a URI like "postgresql://offhook@db.example.co.uk/offhook"',
    ),
    "not TOML": (
        "offhook.toml",
        "[calls]\n\ncalls_max 100\n",
        'offhook.toml:3: found "calls_max 100", '
        "expected TOML (Expected '=' after a key in a key/value pair)",
    ),
    "not TOML, in a line that may hold a password": (
        "offhook.toml",
        "[database]\ndsn = postgresql://offhook:hidden@db/offhook\n",
        "offhook.toml:2: found a line that is not TOML, expected TOML (Invalid value)",
    ),
    "key twice": (
        "offhook.toml",
        "[calls]\ncalls_max = 1\ncalls_max = 2\n",
        'offhook.toml:3: found "calls_max = 2", expected TOML (Cannot overwrite a value)',
    ),
    "tariff without VAT": (
        "offhook.toml",
        "[tariffs.retail]\n",
        'offhook.toml:1: tariffs.retail.vat: found no vat, expected "inc_vat" or "ex_vat"',
    ),
    "tariff with unknown VAT": (
        "offhook.toml",
        '[tariffs.retail]\nvat = "with"\n',
        'offhook.toml:2: tariffs.retail.vat: found "with", expected one of "inc_vat", "ex_vat"',
    ),
    "tariff without a file": (
        "offhook.toml",
        '[tariffs.wholesale]\nvat = "ex_vat"\n',
        "offhook.toml:1: tariffs.wholesale: found no file tariffs/wholesale.csv, "
        "expected the prices of wholesale in it",
    ),
    "tariff outside the folder": (
        "offhook.toml",
        '[tariffs."../retail"]\nvat = "ex_vat"\n',
        'offhook.toml:1: tariffs."../retail": found "../retail", '
        "expected a name of 1 to 40 small letters, digits, - and _",
    ),
    "trunk without an address": (
        "trunks.toml",
        '[trunk.carrier_a]\ntransport = "udp"\n',
        "trunks.toml:1: trunk.carrier_a.addresses: found no address, "
        'expected at least one, like "203.0.113.7:5060"',
    ),
    "trunk by a name that is none": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["sip_carrier.example:5060"]\n',
        'trunks.toml:2: trunk.carrier_a.addresses: found "sip_carrier.example:5060", expected a host name '
        'or an address, with a port or without, like "sip.carrier.example" or "203.0.113.7:5060"',
    ),
    "trunk at port zero": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["sip.carrier.example:0"]\n',
        'trunks.toml:2: trunk.carrier_a.addresses: found "sip.carrier.example:0", '
        "expected a port from 1 to 65535 behind the colon",
    ),
    "registration without a login": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\nregister = true\n',
        "trunks.toml:3: trunk.carrier_a.register: found register without a user name, "
        "expected a username and its password",
    ),
    "registration needed and not made": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7"]\nneeds_registration = true\n',
        "trunks.toml:3: trunk.carrier_a.needs_registration: found needs_registration without register, "
        "expected register = true",
    ),
    "yes for true": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7"]\nregister = "yes"\n',
        'trunks.toml:3: trunk.carrier_a.register: found "yes", expected true or false, without quotes',
    ),
    "name server by name": (
        "offhook.toml",
        '[dns]\nservers = ["ns.example.com"]\n',
        'offhook.toml:2: dns.servers: found "ns.example.com", expected the IP address of a name server, '
        'with a port or without, like "192.0.2.53"',
    ),
    "trunk to everywhere": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["0.0.0.0:5060"]\n',
        'trunks.toml:2: trunk.carrier_a.addresses: found "0.0.0.0:5060", '
        "expected the address of a peer, not 0.0.0.0",
    ),
    "source that is everybody": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\nsources = ["0.0.0.0/0"]\n',
        'trunks.toml:3: trunk.carrier_a.sources: found "0.0.0.0/0", '
        'expected a network of 8 to 32 bits, like "203.0.113.0/28"',
    ),
    "source with host bits": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\nsources = ["203.0.113.7/24"]\n',
        'trunks.toml:3: trunk.carrier_a.sources: found "203.0.113.7/24", '
        'expected the first address of the network, "203.0.113.0/24"',
    ),
    "two trunks at one address": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\n\n'
        '[trunk.carrier_b]\naddresses = ["203.0.113.7:5060"]\n',
        "trunks.toml:4: trunk.carrier_b: found 203.0.113.7:5060, "
        "expected a source that is not also trunk carrier_a's",
    ),
    "unknown transport": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\ntransport = "ws"\n',
        'trunks.toml:3: trunk.carrier_a.transport: found "ws", expected one of "udp", "tcp", "tls", "auto"',
    ),
    "header that is ours to write": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\npass_headers = ["P-Asserted-Identity"]\n',
        'trunks.toml:3: trunk.carrier_a.pass_headers: found "P-Asserted-Identity", '
        "expected a header that the exchange does not write itself",
    ),
    "header that is no token": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\npass_headers = ["X Customer"]\n',
        'trunks.toml:3: trunk.carrier_a.pass_headers: found "X Customer", '
        'expected a header name, like "X-Customer-Reference"',
    ),
    "failover on success": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\nfailover_codes = [200]\n',
        "trunks.toml:3: trunk.carrier_a.failover_codes: found [200], "
        'expected a list of final SIP status codes from 400 to 699 and classes, like [408, "5xx"]',
    ),
    "user name without a password": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\nusername = "offhook"\n',
        "trunks.toml:3: trunk.carrier_a.username: found a user name without a password, "
        "expected a password in trunk_secrets.toml under [trunk.carrier_a]",
    ),
    "password in the wrong file, not shown": (
        "trunks.toml",
        '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\npassword = "hidden"\n',
        "trunks.toml:3: trunk.carrier_a.password: found a password, "
        "expected it in trunk_secrets.toml, which has mode 0600",
    ),
    "trunk with a name that is none": (
        "trunks.toml",
        '[trunk."Carrier A"]\naddresses = ["203.0.113.7:5060"]\n',
        'trunks.toml:1: trunk."Carrier A": found "Carrier A", '
        "expected a name of 1 to 40 small letters, digits, - and _",
    ),
    "unknown table among trunks": (
        "trunks.toml",
        '[trunks.carrier_a]\naddresses = ["203.0.113.7:5060"]\n',
        "trunks.toml:1: trunks: found an unknown key, expected perhaps trunk",
    ),
    "secret that is no text, not shown": (
        "trunk_secrets.toml",
        "[trunk.carrier_a]\npassword = 123456\n",
        "trunk_secrets.toml:2: trunk.carrier_a.password: found a value that is not shown, "
        "expected a text in quotes of 1 to 1000 characters",
    ),
    "secrets file that is not TOML, not shown": (
        "trunk_secrets.toml",
        "[trunk.carrier_a]\nsecret hidden\n",
        "trunk_secrets.toml:2: found a line that is not TOML, "
        "expected TOML (Expected '=' after a key in a key/value pair)",
    ),
    "route to an unknown trunk": (
        "routing.toml",
        '[routes]\n"+44" = ["carrier_x"]\n',
        'routing.toml:2: routes."+44": found "carrier_x", expected the name of a trunk in trunks.toml',
    ),
    "prefix in national form": (
        "routing.toml",
        '[routes]\n"01632" = []\n',
        'routing.toml:2: routes.01632: found "01632", '
        'expected the beginning of a number, "+", "+44" or "+441632", or of a short code, like "118"',
    ),
    "prefix of no country": (
        "routing.toml",
        '[routes]\n"+0" = []\n',
        'routing.toml:2: routes."+0": found "+0", '
        "expected a prefix of E.164 numbers: no country code begins with 0",
    ),
    "prefix longer than any number": (
        "routing.toml",
        '[routes]\n"+4416329601234567" = []\n',
        'routing.toml:2: routes."+4416329601234567": found "+4416329601234567", '
        'expected the beginning of a number, "+", "+44" or "+441632", or of a short code, like "118"',
    ),
    "emergency number that is one already": (
        "routing.toml",
        '[extra_emergency_numbers]\n"999" = "112"\n',
        'routing.toml:2: extra_emergency_numbers.999: found "999", '
        "expected another number: this one is always an emergency number",
    ),
    "emergency number to somewhere else": (
        "routing.toml",
        '[extra_emergency_numbers]\n"911" = "01632960999"\n',
        'routing.toml:2: extra_emergency_numbers.911: found "01632960999", '
        'expected the emergency number to call: "999", "112" or "18000"',
    ),
    "emergency number that withholds": (
        "routing.toml",
        '[extra_emergency_numbers]\n"141" = "999"\n',
        'routing.toml:2: extra_emergency_numbers.141: found "141", '
        'expected 3 to 6 digits in quotes, like "911", not 0 first',
    ),
    "unknown key beside the emergency trunks": (
        "routing.toml",
        "[emergency]\ntrunk = []\n",
        'routing.toml:2: emergency.trunk: found "trunk", expected the only key here, trunks',
    ),
    "range in another form": (
        "routing.toml",
        '[ranges]\n"+44842" = "premium"\n',
        'routing.toml:2: ranges."+44842": found "+44842", '
        'expected the beginning of a UK number with its 0, like "0842"',
    ),
    "range of an unknown class": (
        "routing.toml",
        '[ranges]\n"0842" = "premuim"\n',
        'routing.toml:2: ranges.0842: found "premuim", expected perhaps premium',
    ),
    "area code that is a number": (
        "routing.toml",
        "[plan]\narea_code = 1632\n",
        'routing.toml:2: plan.area_code: found 1632, expected "" or a UK area code, like "01632"',
    ),
    "short code that is spoken for": (
        "routing.toml",
        '[plan]\nextra_short_codes = ["1470"]\n',
        'routing.toml:2: plan.extra_short_codes: found "1470", '
        'expected 3 to 6 digits in quotes that begin with 1, like "150", and that are not spoken for',
    ),
    "price that is none": (
        "tariffs/retail.csv",
        "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
        "+44,UK,0,a penny,1,1,2020-01-01,\n",
        "tariffs/retail.csv:2: per_minute: found 'a penny', "
        "expected pounds from £0.00 to £10000.00, at most 6 decimals, such as 0.012",
    ),
}


@pytest.mark.parametrize(("name", "text", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_told_with_file_line_key_found_and_expected(
    folder: ConfFolder, name: str, text: str, problem: str
) -> None:
    folder.write(name, text)
    found = folder.problems()
    assert found == [problem]
    assert "hidden" not in found[0]


def test_mistyped_trunk_in_a_route_is_guessed(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    folder.write("routing.toml", '[emergency]\ntrunks = ["carrier_aa"]\n')
    assert folder.problems() == [
        'routing.toml:2: emergency.trunks: found "carrier_aa", '
        "expected perhaps carrier_a, a trunk in trunks.toml"
    ]


def test_all_problems_of_all_files_are_told_at_once_and_in_order(folder: ConfFolder) -> None:
    folder.write(
        "offhook.toml",
        '[calls]\ncalls_max = 0\ncals = 1\n[tariffs.retail]\nvat = "x"\n[digest]\nrealm = ""\n',
    )
    folder.write("trunks.toml", '[trunk.a]\naddresses = ["x:y"]\nidentity = "y"\n')
    folder.write("routing.toml", '[routes]\n"x" = []\n"+44" = ["b"]\n')
    folder.write("trunk_secrets.toml", "[trunk.a]\npasswort = 1\n")
    folder.write("tariffs/retail.csv", "prefix,cost\n+44,1\n")
    places = [problem.split(" found")[0] for problem in folder.problems()]
    assert places[:9] == [
        "offhook.toml:2: calls.calls_max:",
        "offhook.toml:3: calls.cals:",
        "offhook.toml:5: tariffs.retail.vat:",
        "offhook.toml:7: digest.realm:",
        "trunks.toml:2: trunk.a.addresses:",
        "trunks.toml:3: trunk.a.identity:",
        "routing.toml:2: routes.x:",
        'routing.toml:3: routes."+44":',
        "trunk_secrets.toml:2: trunk.a.passwort:",
    ]
    assert len(places) > 9
    assert all(place.startswith("tariffs/retail.csv:1:") for place in places[9:])


@pytest.mark.parametrize("name", ["offhook.toml", "trunks.toml", "routing.toml"])
def test_missing_file_is_a_problem(folder: ConfFolder, name: str) -> None:
    (folder.path / name).unlink()
    assert folder.problems() == [f"{name}: found no such file, expected the file {name} in {folder.path}"]


def test_empty_folder_and_no_folder_are_problems_and_no_traceback(tmp_path: Path) -> None:
    assert len(problems_of(tmp_path)) == 3
    assert len(problems_of(tmp_path / "absent")) == 3


def test_secrets_file_may_be_missing(folder: ConfFolder) -> None:
    folder.write("trunks.toml", '[trunk.carrier_a]\naddresses = ["203.0.113.7:5060"]\n')
    assert folder.load().trunks["carrier_a"].password == ""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o700])
def test_secrets_file_that_others_may_touch_is_refused(folder: ConfFolder, mode: int) -> None:
    folder.write_two_trunks()
    secrets = folder.path / "trunk_secrets.toml"
    secrets.chmod(mode)
    assert folder.problems() == [
        f"trunk_secrets.toml: found the mode {mode:04o}, expected the mode 0600 (chmod 600 {secrets})"
    ]
    secrets.chmod(0o400)
    assert folder.load().trunks["carrier_b"].password == "not a real one"


def test_password_of_an_unknown_trunk_is_a_warning(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    folder.write("trunk_secrets.toml", SECRETS + '\n[trunk.carrier_bb]\npassword = "hidden"\n')
    assert [str(warning) for warning in folder.load().warnings] == [
        'trunk_secrets.toml:5: trunk.carrier_bb: found a password for the unknown trunk "carrier_bb", '
        "expected perhaps carrier_b"
    ]


def test_password_without_a_user_name_is_a_problem(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    folder.write("trunk_secrets.toml", SECRETS + '\n[trunk.carrier_a]\npassword = "hidden"\n')
    assert folder.problems() == [
        "trunks.toml:2: trunk.carrier_a.username: found a password without a user name, "
        "expected the user name it belongs to"
    ]


def test_exchange_without_a_tariff_is_warned_about(folder: ConfFolder) -> None:
    folder.write("offhook.toml", "")
    assert "found no tariff" in str(folder.load().warnings[0])


def test_file_that_is_not_utf8_or_too_large_is_a_problem(folder: ConfFolder) -> None:
    (folder.path / "routing.toml").write_bytes(b'[plan]\narea_code = "\xff"\n')
    assert folder.problems() == ["routing.toml: found the byte 0xff in line 2, expected text in UTF-8"]
    (folder.path / "routing.toml").write_bytes(b"#" * (1024 * 1024 + 1))
    assert folder.problems() == [
        "routing.toml: found more than 1048576 bytes, expected at most 1048576 bytes"
    ]


def test_folder_in_the_place_of_a_file_is_a_problem(folder: ConfFolder) -> None:
    (folder.path / "routing.toml").unlink()
    (folder.path / "routing.toml").mkdir()
    assert folder.problems() == [
        "routing.toml: found Is a directory, expected a file that this user may read"
    ]


def test_deep_nesting_is_a_problem_and_no_crash(folder: ConfFolder) -> None:
    folder.write("routing.toml", "x = " + "[" * 100_000)
    assert len(folder.problems()) == 1


def test_half_a_gibberish_file_is_told_once(folder: ConfFolder) -> None:
    folder.write("trunks.toml", "\x00\x01\x02")
    assert len(folder.problems()) == 1
