import os
from collections.abc import Iterator

import pytest

import simulator

# What is on this machine is not to be asked for by way of a proxy.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    with simulator.running() as url:
        yield url


@pytest.fixture
def account(base_url: str) -> Iterator[simulator.Account]:
    """An account with the deployments dep_1, the oldest, to dep_5."""
    schedule = {"expression": "0 3 * * *", "timezone": "UTC"}
    account = simulator.Account(base_url, *({"id": f"dep_{n}", "schedule": schedule} for n in range(1, 6)))
    yield account
    account.close()
