"""What schemathesis cannot know of the simulator."""

import itertools
import re

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import Failure

# Texts of which neither a pattern nor an example tells enough.
schemathesis.openapi.format(
    "cron",
    st.sampled_from(["30 9 * * 1-5", "0 0 1,15 * *", "*/5 * * * *", "0 0 29 2 7", "5/15 0-6 * 1 *"]),
)
schemathesis.openapi.format("timezone", st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Berlin"]))

# Requests that keep to the document and are refused all the same, and why no document can say so. All others must be taken.
REFUSED = [
    # It is what was asked.
    r"the calls are not those that were expected",
    # A cursor is an id that exists.
    r"(after_id|before_id|page) names nothing",
    # d2: the document cannot say that a parameter excludes another one.
    r"page, after_id and before_id are mutually exclusive",
    # Nor that one needs another one.
    r"timeout_ms is how long to wait for",
    # An id that exists, a token of another account, and a time that is past or has not come.
    r"there is another deployment with the id",
    r"there is an account",
    r"another account has this token",
    r"the clock only goes forward",
    r"the clock ends with the year 9999",
    r"is later than now",
    # A seed that has all fields is taken as it is: there is no template for the rest of its agent and its schedule.
    r"agent needs an id|agent must have the type|schedule must have type cron",
    # The document leaves the details of these two to that of the API.
    r"failed to add the deployment.*(initial_events|resources) \[\d+\]",
    # A fault that can never happen.
    r"this cannot go wrong with",
    r"has no deployment in its path",
    r"zombie_ms goes on without its client",
    r"follows from the body",
    r"an answer with the status \d+ has no body",
]


@schemathesis.hook
def filter_failure(context, failure: Failure, case, response) -> bool:
    if type(failure).__name__ == "RejectedPositiveData" and response.status_code in (400, 422):
        return not any(re.search(reason, response.text) for reason in REFUSED)
    return True


def whole(value):
    """JSON has one kind of numbers, in which 1.0 is an integer; a server with types takes only 1."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return value


KEYS = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    # What is set is looked at anew, so only what changes is.
    if repr(whole(case.body)) != repr(case.body):
        case.body = whole(case.body)
    # Waits are short, also those that name no time.
    query = case.query or {}
    if "until" in query or "count" in query:
        query.setdefault("timeout_ms", 20)
    if str(query.get("timeout_ms")).isdecimal():
        query["timeout_ms"] = min(int(query["timeout_ms"]), 20)
    # A key that is used again gets the answer to another path, as the API documents it: tests/access.rs has that.
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] += f"-{next(KEYS)}"
