"""A client of the deployment API, as your own code may have one. It is what the tests are about."""

import time
import uuid
from collections.abc import Iterator

import httpx


class ApiError(Exception):
    """The API, or something in front of it, has refused."""

    def __init__(self, response: httpx.Response):
        super().__init__(f"{response.request.method} {response.request.url}: {response.status_code}")
        self.status = response.status_code


class Deployments:
    def __init__(self, base_url: str, token: str, *, timeout: float = 10, tries: int = 3, wait: float = 0.5):
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout)
        self._tries = tries
        self._wait = wait

    def get(self, id: str) -> dict:
        return self._send("GET", f"/deployments/{id}")

    def list(self, page_size: int = 100) -> Iterator[dict]:
        """All deployments that are not archived, the newest first."""
        return self._pages("/deployments", page_size)

    def runs(self, id: str, page_size: int = 100) -> Iterator[dict]:
        """The runs of a deployment, the newest first."""
        return self._pages(f"/deployments/{id}/runs", page_size)

    def pause(self, id: str) -> dict:
        return self._switch(id, "pause", "paused")

    def unpause(self, id: str) -> dict:
        return self._switch(id, "unpause", "active")

    def close(self) -> None:
        self._http.close()

    def _switch(self, id: str, verb: str, wanted: str) -> dict:
        try:
            return self._send("POST", f"/deployments/{id}/{verb}")
        except ApiError as error:
            if error.status != 409:
                raise
            # Either somebody was faster, or it is archived.
            deployment = self.get(id)
            if deployment["status"] != wanted or deployment["archived_at"]:
                raise
            return deployment

    def _pages(self, path: str, page_size: int) -> Iterator[dict]:
        params = {"limit": page_size}
        while True:
            page = self._send("GET", path, params)
            yield from page["data"]
            if not page["has_more"]:
                return
            params["after_id"] = page["last_id"]

    def _send(self, method: str, path: str, params: dict | None = None) -> dict:
        # One key for all tries of a write: if only the answer was lost, the next try gets the same one.
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        for attempt in range(self._tries):
            is_last = attempt == self._tries - 1
            try:
                response = self._http.request(method, path, params=params, headers=headers)
            except httpx.TransportError:
                if is_last:
                    raise
            else:
                if response.is_success:
                    return response.json()
                if response.status_code not in (429, 503) or is_last:
                    raise ApiError(response)
            time.sleep(self._wait * 2**attempt)
        raise AssertionError("there is at least one try")
