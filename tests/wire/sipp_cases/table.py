"""Every case of the corpus, by theme."""

from tests.wire.sipp_cases.case import Case
from tests.wire.sipp_cases.table_bodies import BODIES
from tests.wire.sipp_cases.table_calls import CALLS
from tests.wire.sipp_cases.table_dialogs import DIALOGS
from tests.wire.sipp_cases.table_extensions import EXTENSIONS
from tests.wire.sipp_cases.table_failures import FAILURES
from tests.wire.sipp_cases.table_registrations import REGISTRATIONS
from tests.wire.sipp_cases.table_requests import REQUESTS

CASES: tuple[Case, ...] = (*REGISTRATIONS, *CALLS, *BODIES, *DIALOGS, *FAILURES, *REQUESTS, *EXTENSIONS)
