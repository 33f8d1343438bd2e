// A client of the deployment API, as your own code may have one. It is what the tests are about.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** The API, or something in front of it, has refused. */
export class ApiError extends Error {
  constructor(method, path, status) {
    super(`${method} ${path}: ${status}`);
    this.status = status;
  }
}

export class Deployments {
  #baseUrl;
  #token;
  #options;

  constructor(baseUrl, token, options = {}) {
    this.#baseUrl = baseUrl;
    this.#token = token;
    this.#options = { timeout: 10_000, tries: 3, wait: 500, ...options };
  }

  get(id) {
    return this.#send("GET", `/deployments/${id}`);
  }

  /** All deployments that are not archived, the newest first. */
  list(pageSize = 100) {
    return this.#pages("/deployments", pageSize);
  }

  /** The runs of a deployment, the newest first. */
  runs(id, pageSize = 100) {
    return this.#pages(`/deployments/${id}/runs`, pageSize);
  }

  pause(id) {
    return this.#switch(id, "pause", "paused");
  }

  unpause(id) {
    return this.#switch(id, "unpause", "active");
  }

  async #switch(id, verb, wanted) {
    try {
      return await this.#send("POST", `/deployments/${id}/${verb}`);
    } catch (error) {
      if (error.status !== 409) throw error;
      // Either somebody was faster, or it is archived.
      const deployment = await this.get(id);
      if (deployment.status !== wanted || deployment.archived_at) throw error;
      return deployment;
    }
  }

  async *#pages(path, pageSize) {
    const query = new URLSearchParams({ limit: pageSize });
    for (;;) {
      const page = await this.#send("GET", `${path}?${query}`);
      yield* page.data;
      if (!page.has_more) return;
      query.set("after_id", page.last_id);
    }
  }

  async #send(method, path) {
    const { timeout, tries, wait } = this.#options;
    const headers = { authorization: `Bearer ${this.#token}` };
    // One key for all tries of a write: if only the answer was lost, the next try gets the same one.
    if (method === "POST") headers["idempotency-key"] = randomUUID();
    for (let attempt = 1; ; attempt++) {
      try {
        const signal = AbortSignal.timeout(timeout);
        const response = await fetch(this.#baseUrl + path, { method, headers, signal });
        if (response.ok) return await response.json();
        await response.body?.cancel();
        throw new ApiError(method, path, response.status);
      } catch (error) {
        const isPassing = !(error instanceof ApiError) || [429, 503].includes(error.status);
        if (!isPassing || attempt === tries) throw error;
      }
      await sleep(wait * 2 ** (attempt - 1));
    }
  }
}
