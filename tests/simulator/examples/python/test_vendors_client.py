"""The vendor's client, qca-sdk: all that it has for deployments and their runs, in both dialects of the API."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import qca

from simulator import Account

NEW = {
    "name": "nightly-report",
    "agent": {"id": "agent_1", "type": "agent", "version": 3},
    "environment_id": "env_1",
    "initial_events": [{"type": "user.message", "content": [{"type": "text", "text": "go"}]}],
    "metadata": {"team": "core", "tier": "1"},
    "schedule": {"type": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin"},
}
NEWEST_FIRST = ["dep_5", "dep_4", "dep_3", "dep_2", "dep_1"]


@pytest.fixture(params=["d1", "d2"])
def dialect(request: pytest.FixtureRequest, account: Account) -> str:
    account.control("PATCH", "/settings", {"dialect": request.param})
    return request.param


@pytest.fixture
def options(account: Account, dialect: str) -> dict:
    """How the client is made. Its models are of the later dialect, so it can be strict about that one only."""
    strict = {"_strict_response_validation": dialect == "d2"}
    return {"base_url": account.base_url, "pat": account.token, "max_retries": 0, **strict}


@pytest.fixture
def client(options: dict) -> Iterator[qca.Managed]:
    with qca.Managed(**options) as client:
        yield client


def ids(page) -> list[str]:
    return [item.id for item in page]


def same(one, other) -> bool:
    """Whether two answers show the same; each also has the id of its own request."""
    return dict(one) == dict(other)


def refusal(call, *args, **kwargs) -> qca.APIStatusError:
    with pytest.raises(qca.APIStatusError) as raised:
        call(*args, **kwargs)
    return raised.value


def test_what_is_created_is_read_and_updated(client: qca.Managed, account: Account):
    made = client.deployments.create(**NEW)
    assert (made.type, made.status, made.paused_reason) == ("deployment", "active", None)
    assert (made.agent.id, made.agent.version) == ("agent_1", 3)
    assert isinstance(made.created_at, datetime)
    assert (made.schedule.expression, made.schedule.timezone) == ("0 3 * * *", "Europe/Berlin")
    assert len(made.schedule.upcoming_runs_at) == 5
    assert same(client.deployments.retrieve(made.id), made)

    metadata = {"tier": None, "owner": "me"}
    updated = client.deployments.update(made.id, name="weekly", description="Weekly", metadata=metadata, schedule=None)
    assert (updated.name, updated.description, updated.schedule) == ("weekly", "Weekly", None)
    assert (updated.metadata["team"], updated.metadata["owner"]) == ("core", "me")
    assert "tier" not in updated.metadata
    assert same(client.deployments.retrieve(made.id), updated)
    operations = ["create", "get", "update", "get"]
    account.verify(*({"operation": operation, "status": 200} for operation in operations), order="as_given")


def test_a_list_is_paged_both_ways_and_filtered(client: qca.Managed, dialect: str):
    deployments = client.deployments
    page = deployments.list(limit=2)
    assert (ids(page.data), page.has_more, page.first_id, page.last_id) == (["dep_5", "dep_4"], True, "dep_5", "dep_4")
    assert ids(page) == NEWEST_FIRST
    assert ids(deployments.list()) == NEWEST_FIRST
    assert ids(deployments.list(after_id="dep_4", limit=2)) == ["dep_3", "dep_2", "dep_1"]
    assert ids(deployments.list(before_id="dep_3").data) == ["dep_5", "dep_4"]

    deployments.pause("dep_1")
    deployments.archive("dep_2")
    assert ids(deployments.list(status="paused")) == ["dep_1"]
    assert ids(deployments.list(status="active")) == ["dep_5", "dep_4", "dep_3"]
    assert ids(deployments.list(include_archived=True, limit=2)) == NEWEST_FIRST
    made = deployments.create(**NEW)
    assert ids(deployments.list(agent_id="agent_1")) == [made.id]
    later = made.created_at + timedelta(seconds=1)
    expected = [] if dialect == "d2" else [made.id, "dep_5", "dep_4", "dep_3", "dep_1"]
    assert ids(deployments.list(created_at_gte=later)) == expected


def test_a_deployment_is_paused_unpaused_and_archived(client: qca.Managed):
    deployments = client.deployments
    paused = deployments.pause("dep_1")
    assert (paused.status, paused.paused_reason.type) == ("paused", "manual")
    assert same(deployments.retrieve("dep_1"), paused)
    unpaused = deployments.unpause("dep_1")
    assert (unpaused.status, unpaused.paused_reason, unpaused.archived_at) == ("active", None, None)
    archived = deployments.archive("dep_1")
    assert archived.archived_at == archived.updated_at
    assert archived.name.startswith(f"{unpaused.name}_archived_")
    assert archived.schedule.upcoming_runs_at == []


def test_runs_are_started_listed_and_read(client: qca.Managed, account: Account):
    first = client.deployments.run("dep_1")
    assert (first.type, first.deployment_id, first.trigger_context.type) == ("deployment_run", "dep_1", "manual")
    assert first.session_id.startswith("sess_") and first.error is None
    second = client.deployments.run("dep_1")
    other = client.deployments.run("dep_2")
    outcome = {"failed": "session_rate_limited_error"}
    failed = account.control("POST", "/deployments/dep_2/run", {"outcome": outcome})["id"]

    runs, all_runs = client.deployments.runs, client.deployment_runs
    assert ids(runs.list("dep_1", limit=1)) == [second.id, first.id]
    assert ids(runs.list("dep_1", triggered_after="2100-01-01T00:00:00Z")) == []
    assert same(runs.retrieve(first.id, deployment_id="dep_1"), first)
    assert ids(all_runs.list(limit=3)) == [failed, other.id, second.id, first.id]
    assert ids(all_runs.list(deployment_id="dep_2")) == [failed, other.id]
    assert ids(all_runs.list(trigger_type="manual")) == [other.id, second.id, first.id]
    assert ids(all_runs.list(has_error=True)) == [failed]
    assert ids(all_runs.list(created_at_gt=other.created_at + timedelta(days=1))) == []
    run = all_runs.retrieve(failed)
    assert (run.error.type, run.session_id, run.trigger_context.type) == (outcome["failed"], None, "schedule")


def test_a_pause_by_the_platform_says_why(client: qca.Managed, account: Account):
    account.control("POST", "/deployments/dep_1/run", {"outcome": {"failed": "agent_archived_error"}})
    deployment = client.deployments.retrieve("dep_1")
    assert (deployment.status, deployment.paused_reason.type) == ("paused", "error")
    assert deployment.paused_reason.error.type == "agent_archived_error"
    assert client.deployments.unpause("dep_1").status == "active"


def test_each_refusal_is_the_error_of_its_status(client: qca.Managed, account: Account, dialect: str):
    deployments = client.deployments
    deployments.pause("dep_1")
    deployments.archive("dep_2")
    conflicts = [
        refusal(deployments.pause, "dep_1"),
        refusal(deployments.run, "dep_1"),
        refusal(deployments.unpause, "dep_3"),
        refusal(deployments.archive, "dep_2"),
        refusal(deployments.run, "dep_2"),
        refusal(deployments.create, **NEW | {"name": deployments.retrieve("dep_3").name}),
    ]
    missing = [
        refusal(deployments.retrieve, "dep_none"),
        refusal(deployments.pause, "dep_none"),
        refusal(deployments.runs.list, "dep_none"),
        refusal(deployments.runs.retrieve, "drun_none", deployment_id="dep_1"),
        refusal(client.deployment_runs.retrieve, "drun_none"),
    ]
    invalid = [refusal(deployments.update, "dep_1", name=""), refusal(deployments.list, limit=0)]
    account.control("PUT", "/tokens", [{"token": account.token, "read_only": True}])
    forbidden = refusal(deployments.pause, "dep_3")
    stranger = refusal(client.with_options(pat="pt-unknown").deployments.list)

    expected = [(error, qca.ConflictError, "conflict_error") for error in conflicts]
    expected += [(error, qca.NotFoundError, "not_found_error") for error in missing]
    expected += [(error, qca.BadRequestError, "invalid_request_error") for error in invalid]
    expected += [(forbidden, qca.PermissionDeniedError, "permission_error")]
    for error, kind, name in expected:
        assert (type(error), error.type) == (kind, name)
        assert error.request_id
        assert ("request_id" in error.body) == (dialect == "d2")
    assert type(stranger) is qca.AuthenticationError


def test_a_limit_is_told_and_waited_for(client: qca.Managed, account: Account):
    account.control("POST", "/clock", {"held": True})
    account.control("PATCH", "/settings", {"writes_per_second": 1})
    client.deployments.pause("dep_1")
    limited = refusal(client.deployments.pause, "dep_2")
    assert (type(limited), limited.type) == (qca.RateLimitError, "rate_limit_error")
    assert limited.response.headers["retry-after"] == "1"

    account.control("PATCH", "/settings", {"writes_per_second": 0})
    account.inject(operation="pause", action={"respond": {"status": 429, "headers": [["retry-after-ms", "1"]]}})
    patient = client.with_options(max_retries=1)
    assert patient.deployments.pause("dep_2").status == "paused"
    account.verify(
        *({"operation": "pause", "status": status} for status in (200, 429, 429, 200)),
        order="as_given",
    )


def test_only_a_write_with_a_key_is_sent_again(client: qca.Managed, account: Account):
    patient = client.with_options(max_retries=1)
    account.inject(operation="pause", action="reset_after", times=2)
    with pytest.raises(qca.APIConnectionError):
        patient.deployments.pause("dep_1")
    key = {"Idempotency-Key": "a-key"}
    assert patient.deployments.pause("dep_2", extra_headers=key).status == "paused"
    account.verify(
        {"operation": "pause", "id": "dep_1", "effect": True},
        {"operation": "pause", "id": "dep_2", "effect": True},
        {"operation": "pause", "id": "dep_2", "status": 200, "effect": False},
        order="as_given",
    )


def test_what_is_not_the_api_is_an_error(client: qca.Managed, account: Account):
    account.inject(operation="get", action={"respond": {"status": 503, "body": "<html>busy</html>"}})
    busy = refusal(client.deployments.retrieve, "dep_1")
    assert (type(busy), busy.type) == (qca.InternalServerError, None)
    account.inject(operation="get", action="truncate")
    with pytest.raises(qca.APIError):
        client.deployments.retrieve("dep_1")
    account.inject(operation="list", action="cursor_loop", times=None)
    with pytest.raises(RuntimeError):
        ids(client.deployments.list(limit=2))


def test_the_asynchronous_client_does_the_same(options: dict):
    async def story() -> None:
        async with qca.AsyncManaged(**options) as client:
            assert [item.id async for item in client.deployments.list(limit=2)] == NEWEST_FIRST
            paused = await client.deployments.pause("dep_1")
            assert same(await client.deployments.retrieve("dep_1"), paused)
            with pytest.raises(qca.ConflictError):
                await client.deployments.pause("dep_1")
            await client.deployments.unpause("dep_1")
            run = await client.deployments.run("dep_1")
            assert [item.id async for item in client.deployment_runs.list()] == [run.id]

    asyncio.run(story())
