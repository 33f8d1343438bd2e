import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { Deployments } from "./deployments.js";
import { Account, start } from "./simulator.js";

describe("a client of deployments", { concurrency: true }, () => {
  let simulator;
  before(async () => {
    simulator = await start();
  });
  after(() => simulator.stop());

  /** An account with the deployments dep_1, the oldest, to dep_5, and a client of it. */
  async function begin(t, options = {}) {
    const schedule = { expression: "0 3 * * *", timezone: "UTC" };
    const deployments = [1, 2, 3, 4, 5].map((n) => ({ id: `dep_${n}`, schedule }));
    const account = await Account.create(t, simulator.baseUrl, deployments);
    return { account, client: new Deployments(account.baseUrl, account.token, { wait: 10, ...options }) };
  }

  test("a pause reaches the deployment", async (t) => {
    const { account, client } = await begin(t);
    assert.equal((await client.pause("dep_1")).status, "paused");

    assert.deepEqual((await account.control("GET", "/deployments/dep_1")).paused_reason, { type: "manual" });
    assert.equal((await account.control("GET", "/deployments/dep_2")).status, "active");
    await account.verify([{ operation: "pause", id: "dep_1", status: 200 }]);
  });

  test("a call that was not expected is told", async (t) => {
    const { account, client } = await begin(t);
    await client.pause("dep_1");

    const difference = /\n- get dep_2\n\+ pause dep_1 200 with effect/;
    await assert.rejects(account.verify([{ operation: "get", id: "dep_2" }]), difference);
  });

  test("what somebody else has paused is paused", async (t) => {
    const { account, client } = await begin(t);
    await account.control("POST", "/deployments/dep_1/pause");

    assert.equal((await client.pause("dep_1")).status, "paused");
    await account.verify(
      [
        { operation: "pause", id: "dep_1", status: 409, effect: false },
        { operation: "get", id: "dep_1", status: 200 },
      ],
      { order: "as_given" },
    );
  });

  test("an archived deployment cannot be paused", async (t) => {
    const { account, client } = await begin(t);
    await account.control("POST", "/deployments/dep_1/archive");

    await assert.rejects(client.pause("dep_1"), { status: 409 });
  });

  test("a pause whose answer is lost is done once", async (t) => {
    const { account, client } = await begin(t);
    await account.inject({ operation: "pause", action: "reset_after" });

    assert.equal((await client.pause("dep_1")).status, "paused");
    await account.verify(
      [
        { operation: "pause", effect: true },
        { operation: "pause", status: 200, effect: false },
      ],
      { order: "as_given" },
    );
    const [first, second] = await account.control("GET", "/journal?operation=pause");
    assert.equal(first.headers["idempotency-key"], second.headers["idempotency-key"]);
  });

  test("a busy gateway is asked again", async (t) => {
    const { account, client } = await begin(t);
    const busy = { respond: { status: 503, body: "<html>busy</html>" } };
    await account.inject({ operation: "unpause", sequence: [busy, busy] });
    await account.control("POST", "/deployments/dep_1/pause");

    // The client works by itself, and the test waits for what comes of it.
    const [unpaused, deployment] = await Promise.all([
      client.unpause("dep_1"),
      account.control("GET", "/deployments/dep_1?until=active&timeout_ms=20000"),
    ]);
    assert.deepEqual([unpaused.status, deployment.status], ["active", "active"]);
    const calls = [503, 503, 200].map((status) => ({ operation: "unpause", status }));
    await account.verify(calls, { order: "as_given" });
  });

  test("a late answer is not waited for", async (t) => {
    const { account, client } = await begin(t, { timeout: 3000 });
    await account.inject({ operation: "pause", action: { delay_ms: 60_000 } });

    assert.equal((await client.pause("dep_1")).status, "paused");
    await account.verify(
      [
        { operation: "pause", effect: false },
        { operation: "pause", status: 200, effect: true },
      ],
      { order: "as_given" },
    );
  });

  test("a list has the deployments of all pages", async (t) => {
    const { account, client } = await begin(t);
    // The second page is refused once. That does not begin the list anew.
    await account.inject({ operation: "list", skip: 1, action: { respond: { status: 429 } } });

    const ids = [];
    for await (const { id } of client.list(2)) ids.push(id);
    assert.deepEqual(ids, ["dep_5", "dep_4", "dep_3", "dep_2", "dep_1"]);
    const calls = [200, 429, 200, 200].map((status) => ({ operation: "list", status }));
    await account.verify(calls, { order: "as_given" });
  });

  test("a scheduled run that fails pauses the deployment", async (t) => {
    const { account, client } = await begin(t);
    await account.control("POST", "/clock", { now: "2100-01-01T02:59:00Z", held: true });
    const { schedule } = await client.get("dep_1");
    assert.equal(schedule.upcoming_runs_at[0], "2100-01-01T03:00:00Z");

    await account.control("POST", "/clock", { advance_ms: 60_000 });
    await account.control("POST", "/deployments/dep_1/run", { outcome: { failed: "agent_archived_error" } });

    const { status, paused_reason } = await client.get("dep_1");
    assert.equal(status, "paused");
    assert.deepEqual(paused_reason, { type: "error", error: { type: "agent_archived_error" } });
    const runs = [];
    for await (const run of client.runs("dep_1")) runs.push(run);
    assert.equal(runs.length, 1);
    assert.match(runs[0].created_at, /^2100-01-01T03:00:00/);
    assert.equal(runs[0].error.type, "agent_archived_error");
    assert.equal((await client.unpause("dep_1")).paused_reason, null);
  });

  test("a rejected token is not tried again, and a reset begins anew", async (t) => {
    const { account, client } = await begin(t);
    await client.pause("dep_1");
    await account.inject({ operation: "get", times: null, action: { respond: { status: 401 } } });

    await assert.rejects(client.get("dep_1"), { status: 401 });
    await account.verify([{ operation: "get", status: 401 }], { only: ["get"] });

    await account.control("POST", "/reset");
    await account.verify([]);
    assert.equal((await client.get("dep_1")).status, "active");
  });
});
