"""What the tests need of the simulator: a process for all of them, and an account for each."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx


@contextmanager
def running() -> Iterator[str]:
    """The base URL of the simulator that runs at QODER_SIMULATOR_URL, or of one that is started."""
    if url := os.environ.get("QODER_SIMULATOR_URL"):
        yield url
        return
    binary = os.environ.get("QODER_SIMULATOR", "qoder-simulator")
    with subprocess.Popen([binary], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class Account:
    """An account of the simulator: a test that has its own disturbs no other."""

    # Once for all of them: each client reads the certificates of the system.
    _http = httpx.Client(timeout=30, trust_env=False)

    def __init__(self, base_url: str, *deployments: dict):
        self.base_url = base_url
        name = f"test-{uuid.uuid4()}"
        self.token = f"pt-{name}"
        accounts = base_url.replace("/api/v1/cloud", "/_sim/accounts")
        self._control = f"{accounts}/{name}"
        new = {"name": name, "token": self.token, "deployments": deployments}
        self._http.post(accounts, json=new).raise_for_status()

    def close(self) -> None:
        self.control("DELETE", "")

    def control(self, method: str, path: str, body=None, **params):
        """A request behind the client's back."""
        response = self._http.request(method, self._control + path, json=body, params=params)
        assert response.is_success, response.json()["error"]
        return response.json()

    def inject(self, **fault) -> None:
        self.control("POST", "/faults", fault)

    def verify(self, *calls: dict, **expected) -> None:
        """Fails with a readable difference unless these calls were made, and no others."""
        self.control("POST", "/verify", {"calls": calls, **expected})
