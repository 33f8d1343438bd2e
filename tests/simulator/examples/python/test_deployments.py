from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from deployments import ApiError, Deployments
from simulator import Account


@pytest.fixture
def client(account: Account) -> Iterator[Deployments]:
    client = Deployments(account.base_url, account.token, wait=0.01)
    yield client
    client.close()


def test_a_pause_reaches_the_deployment(account: Account, client: Deployments):
    assert client.pause("dep_1")["status"] == "paused"

    assert account.control("GET", "/deployments/dep_1")["paused_reason"] == {"type": "manual"}
    assert account.control("GET", "/deployments/dep_2")["status"] == "active"
    account.verify({"operation": "pause", "id": "dep_1", "status": 200})


def test_a_call_that_was_not_expected_is_told(account: Account, client: Deployments):
    client.pause("dep_1")

    with pytest.raises(AssertionError, match=r"\n- get dep_2\n\+ pause dep_1 200 with effect"):
        account.verify({"operation": "get", "id": "dep_2"})


def test_what_somebody_else_has_paused_is_paused(account: Account, client: Deployments):
    account.control("POST", "/deployments/dep_1/pause")

    assert client.pause("dep_1")["status"] == "paused"
    account.verify(
        {"operation": "pause", "id": "dep_1", "status": 409, "effect": False},
        {"operation": "get", "id": "dep_1", "status": 200},
        order="as_given",
    )


def test_an_archived_deployment_cannot_be_paused(account: Account, client: Deployments):
    account.control("POST", "/deployments/dep_1/archive")

    with pytest.raises(ApiError) as refused:
        client.pause("dep_1")
    assert refused.value.status == 409


def test_a_pause_whose_answer_is_lost_is_done_once(account: Account, client: Deployments):
    account.inject(operation="pause", action="reset_after")

    assert client.pause("dep_1")["status"] == "paused"
    account.verify(
        {"operation": "pause", "effect": True},
        {"operation": "pause", "status": 200, "effect": False},
        order="as_given",
    )
    first, second = account.control("GET", "/journal", operation="pause")
    assert first["headers"]["idempotency-key"] == second["headers"]["idempotency-key"]


def test_a_busy_gateway_is_asked_again(account: Account, client: Deployments):
    busy = {"respond": {"status": 503, "body": "<html>busy</html>"}}
    account.inject(operation="unpause", sequence=[busy, busy])
    account.control("POST", "/deployments/dep_1/pause")

    # The client works by itself, and the test waits for what comes of it.
    with ThreadPoolExecutor() as background:
        unpaused = background.submit(client.unpause, "dep_1")
        deployment = account.control("GET", "/deployments/dep_1", until="active", timeout_ms=20_000)
    assert unpaused.result()["status"] == deployment["status"] == "active"
    account.verify(*({"operation": "unpause", "status": status} for status in (503, 503, 200)), order="as_given")


def test_a_late_answer_is_not_waited_for(account: Account):
    account.inject(operation="pause", action={"delay_ms": 60_000})
    client = Deployments(account.base_url, account.token, timeout=3, wait=0.01)

    assert client.pause("dep_1")["status"] == "paused"
    client.close()
    account.verify(
        {"operation": "pause", "effect": False},
        {"operation": "pause", "status": 200, "effect": True},
        order="as_given",
    )


def test_a_list_has_the_deployments_of_all_pages(account: Account, client: Deployments):
    # The second page is refused once. That does not begin the list anew.
    account.inject(operation="list", skip=1, action={"respond": {"status": 429}})

    ids = [deployment["id"] for deployment in client.list(page_size=2)]
    assert ids == ["dep_5", "dep_4", "dep_3", "dep_2", "dep_1"]
    account.verify(*({"operation": "list", "status": status} for status in (200, 429, 200, 200)), order="as_given")


def test_a_scheduled_run_that_fails_pauses_the_deployment(account: Account, client: Deployments):
    account.control("POST", "/clock", {"now": "2100-01-01T02:59:00Z", "held": True})
    assert client.get("dep_1")["schedule"]["upcoming_runs_at"][0] == "2100-01-01T03:00:00Z"

    account.control("POST", "/clock", {"advance_ms": 60_000})
    account.control("POST", "/deployments/dep_1/run", {"outcome": {"failed": "agent_archived_error"}})

    deployment = client.get("dep_1")
    assert deployment["status"] == "paused"
    assert deployment["paused_reason"] == {"type": "error", "error": {"type": "agent_archived_error"}}
    [run] = client.runs("dep_1")
    assert run["created_at"].startswith("2100-01-01T03:00:00")
    assert run["error"]["type"] == "agent_archived_error"
    assert client.unpause("dep_1")["paused_reason"] is None


def test_a_rejected_token_is_not_tried_again_and_a_reset_begins_anew(account: Account, client: Deployments):
    client.pause("dep_1")
    account.inject(operation="get", times=None, action={"respond": {"status": 401}})

    with pytest.raises(ApiError) as refused:
        client.get("dep_1")
    assert refused.value.status == 401
    account.verify({"operation": "get", "status": 401}, only=["get"])

    account.control("POST", "/reset")
    account.verify()
    assert client.get("dep_1")["status"] == "active"
