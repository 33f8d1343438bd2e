"""A Docker for the README's snippet where there is none: its container is the simulator that runs at ADDRESS."""

import os
from unittest.mock import patch

import pytest
from testcontainers.core import container
from testcontainers.core.container import DockerContainer


def start(self: DockerContainer) -> DockerContainer:
    assert self.image == "localhost/qoder-simulator:dev"
    assert self.ports == {"8080": None}
    self._wait_strategy.wait_until_ready(self)
    return self


@pytest.fixture(scope="session", autouse=True)
def docker():
    host, port = os.environ["ADDRESS"].split(":")
    with (
        patch.object(container, "DockerClient"),
        patch.object(DockerContainer, "start", start),
        patch.object(DockerContainer, "get_container_host_ip", lambda self: host),
        patch.object(DockerContainer, "get_exposed_port", lambda self, _: int(port)),
    ):
        yield
