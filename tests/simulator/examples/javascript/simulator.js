// What the tests need of the simulator: a process for all of them, and an account for each.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** The simulator that runs at QODER_SIMULATOR_URL, or one that is started; and how to stop it. */
export async function start() {
  const url = process.env.QODER_SIMULATOR_URL;
  if (url) return { baseUrl: url, stop() {} };
  const binary = process.env.QODER_SIMULATOR || "qoder-simulator";
  const child = spawn(binary, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child, "spawn");
  const [baseUrl] = await once(createInterface(child.stdout), "line");
  return { baseUrl, stop: () => child.kill() };
}

/** An account of the simulator: a test that has its own disturbs no other. It is dropped when the test ends. */
export class Account {
  static async create(t, baseUrl, deployments) {
    const account = new Account();
    const name = `test-${randomUUID()}`;
    account.baseUrl = baseUrl;
    account.token = `pt-${name}`;
    account.url = baseUrl.replace("/api/v1/cloud", "/_sim/accounts");
    await account.control("POST", "", { name, token: account.token, deployments });
    account.url += `/${name}`;
    t.after(() => account.control("DELETE", ""));
    return account;
  }

  /** A request behind the client's back. */
  async control(method, path, body) {
    const response = await fetch(this.url + path, { method, body: body && JSON.stringify(body) });
    const answer = await response.json();
    assert.ok(response.ok, answer.error);
    return answer;
  }

  inject(fault) {
    return this.control("POST", "/faults", fault);
  }

  /** Fails with a readable difference unless these calls were made, and no others. */
  verify(calls, expected = {}) {
    return this.control("POST", "/verify", { calls, ...expected });
  }
}
