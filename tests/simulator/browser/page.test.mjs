// What the page shows, and what its buttons do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, button, open, rows, says, sees, simulator } from "./world.mjs";

const DEPLOYMENTS = [
  { id: "dep_1", name: "nightly-report", schedule: { expression: "0 3 * * *", timezone: "Europe/Berlin" } },
  { id: "dep_2", name: "broken", paused_reason: { type: "error", error: { type: "agent_archived_error" } } },
  { id: "dep_3", name: "by hand", status: "paused", schedule: null },
  { id: "dep_4", name: "old", archived_at: "2026-06-01T00:00:00Z" },
];
const NIGHTLY = ["nightly-report dep_1", "active", "0 3 * * * Europe/Berlin", "2026-06-15 01:00 UTC", "Pause Run Pause by error Archive"];
const BUTTONS = "Resume Run Pause by error Archive";

const chromium = await browser();
test.after(() => chromium.close());
const one = { id: "dep_1", name: "nightly-report", schedule: DEPLOYMENTS[0].schedule };
/** The row of the only deployment. */
const row = (page, status, next = "", buttons = BUTTONS, name = NIGHTLY[0]) => rows(page, "deployments", [[name, status, NIGHTLY[2], next, buttons]]);

test("it shows what there is", async (t) => {
  const simulated = await simulator(t, DEPLOYMENTS);
  const page = await open(chromium, simulated);
  await rows(page, "deployments", [
    ["old dep_4", "archived", "30 9 * * 1-5 Asia/Shanghai", "", "Pause Run Pause by error Archive"],
    ["by hand dep_3", "paused manual", "no schedule", "", BUTTONS],
    ["broken dep_2", "paused agent_archived_error", "30 9 * * 1-5 Asia/Shanghai", "", BUTTONS],
    NIGHTLY,
  ]);
  assert.equal((await simulated.deployment("dep_1")).schedule.upcoming_runs_at[0], "2026-06-15T01:00:00Z");
  await says(page, "n-deployments", "1 active, 1 archived, 2 paused");
  await says(page, "clock", "Clock held at 2026-06-14 08:00:00 UTC");
  assert.deepEqual(await page.locator(".empty:visible").allTextContents(), ["None waits for a request.", "No request to the API yet."]);
  assert.deepEqual(await simulated.journal(), [], "to look leaves no trace");
});

test("it says that there is nothing", async (t) => {
  const page = await open(chromium, await simulator(t, []));
  assert.equal(await page.locator(".empty:visible").first().textContent(), "There are none. --deployments 3 begins with three.");
  assert.equal(await page.locator("table:visible").count(), 0);
});

test("Pause and Resume", async (t) => {
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated);
  await button(page, "Pause nightly-report (dep_1)").click();
  await row(page, "paused manual");
  await says(page, "told", "Done: Pause nightly-report (dep_1)");
  assert.deepEqual((await simulated.deployment("dep_1")).paused_reason, { type: "manual" });
  await button(page, "Resume nightly-report (dep_1)").click();
  await rows(page, "deployments", [NIGHTLY]);
  assert.equal((await simulated.deployment("dep_1")).status, "active");
  assert.deepEqual(await simulated.journal(), [], "all of it was behind the client's back");
});

test("Pause by error, with a type", async (t) => {
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated);
  const ask = button(page, "Pause by error nightly-report (dep_1)");
  await ask.click();
  await button(page, "Cancel").click();
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.equal((await simulated.deployment("dep_1")).status, "active");
  await ask.click();
  await page.getByLabel("Type of the error").fill("vault_archived_error");
  await page.getByRole("dialog").getByRole("button", { name: "Pause by error" }).click();
  await row(page, "paused vault_archived_error");
  const { status, paused_reason } = await simulated.deployment("dep_1");
  assert.deepEqual({ status, paused_reason }, { status: "paused", paused_reason: { type: "error", error: { type: "vault_archived_error" } } });
});

test("Run, and what it says when there is nothing to run", async (t) => {
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated, { expected: /409/ });
  const runs = async () => (await simulated.deployment("dep_1")).metadata.cas_config.stats.total_runs;
  const before = await runs();
  const run = button(page, "Run nightly-report (dep_1)");
  await run.click();
  await row(page, "active", "2026-06-16 01:00 UTC", NIGHTLY[4]);
  assert.equal(await runs(), before + 1);
  await simulated.sim("POST", "deployments/dep_1/pause");
  await row(page, "paused manual");
  await run.click();
  await says(page, "told", "Not done: Run nightly-report (dep_1): dep_1 does not run: it is not active, so its schedule rests");
  assert.equal(await runs(), before + 1);
});

test("Archive, after which no button does anything", async (t) => {
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated);
  await button(page, "Archive nightly-report (dep_1)").click();
  const { name, archived_at } = await simulated.sim("GET", "deployments/dep_1?until=archived");
  assert.equal(archived_at, "2026-06-14T08:00:00Z");
  await row(page, "archived", "", NIGHTLY[4], `${name} dep_1`);
  const before = await simulated.deployment("dep_1");
  for (const action of ["Pause", "Run", "Pause by error", "Archive"]) {
    const off = button(page, `${action} ${name} (dep_1)`);
    assert.equal(await off.getAttribute("aria-disabled"), "true");
    await off.press("Enter");
    await says(page, "told", `${name} (dep_1) is archived, for ever.`);
  }
  assert.deepEqual(await simulated.deployment("dep_1"), before);
});

test("a fault is added and taken back", async (t) => {
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated, { expected: /400/ });
  await page.getByText("Add a fault").click();
  const text = page.getByLabel("Fault, as JSON");
  const add = button(page, "Add fault");
  await page.getByLabel("Example").selectOption("list: three times 503");
  await add.click();
  await rows(page, "faults", [["1", 'list {"action":{"respond":{"status":503}},"times":3}', "0", "Remove"]]);
  assert.equal((await simulated.api("GET", "/deployments")).status, 503);
  await text.fill('{"operation": "pause", "id": "dep_1", "action": "reset_after"}');
  await add.click();
  await rows(page, "faults", [
    ["1", 'list {"action":{"respond":{"status":503}},"times":3}', "1", "Remove"],
    ["2", 'pause dep_1 {"action":"reset_after"}', "0", "Remove"],
  ]);
  await button(page, "Remove fault 1").click();
  await rows(page, "faults", [["2", 'pause dep_1 {"action":"reset_after"}', "0", "Remove"]]);
  assert.deepEqual((await simulated.sim("GET", "faults")).map(({ id }) => id), [2]);
  await button(page, "Remove fault 2").click();
  await rows(page, "faults", []);
  assert.deepEqual(await simulated.sim("GET", "faults"), []);
  await text.fill('{"action": "explode"}');
  await add.click();
  await page.getByText(/^Not done: Add fault: the body cannot be used: action: unknown variant `explode`/).waitFor();
  await text.fill("{");
  await add.click();
  await page.getByText(/^The fault is no JSON: /).waitFor();
  assert.deepEqual(await simulated.sim("GET", "faults"), []);
});

test("a request that hangs is under way, until it is released", async (t) => {
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated);
  await simulated.sim("POST", "faults", { operation: "get", action: "hang_before" });
  const answer = simulated.api("GET", "/deployments/dep_1");
  await rows(page, "journal", [["1 08:00:00", "GET /deployments/dep_1", "under way fault 1 Release"]]);
  await button(page, "Release request 1").click();
  assert.equal((await answer).status, 200);
  await rows(page, "journal", [["1 08:00:00", "GET /deployments/dep_1", "200 fault 1"]]);
});

test("the journal grows by itself when a client calls", async (t) => {
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated);
  await simulated.api("POST", "/deployments/dep_1/pause");
  await rows(page, "journal", [["1 08:00:00", "POST /deployments/dep_1/pause", "200 changed"]]);
  await row(page, "paused manual");
  await simulated.sim("POST", "clock", { advance_ms: 61_000 });
  await simulated.api("POST", "/deployments/dep_1/pause");
  await rows(page, "journal", [
    ["2 08:01:01", "POST /deployments/dep_1/pause", "409"],
    ["1 08:00:00", "POST /deployments/dep_1/pause", "200 changed"],
  ]);
  assert.deepEqual((await simulated.journal()).map(({ status }) => status), [200, 409]);
  await simulated.sim("DELETE", "journal");
  await rows(page, "journal", []);
});

test("a hostile name is text", async (t) => {
  const hostile = '<img src=x onerror="document.title=\'taken\'"><script>document.title="taken"</script>';
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated);
  await simulated.sim("PATCH", "deployments/dep_1", {
    name: hostile, status: hostile, schedule: { expression: hostile, timezone: hostile }, paused_reason: { error: { type: hostile } },
  });
  await simulated.sim("POST", "faults", { id: hostile, body: hostile, action: "ok" });
  await simulated.api("GET", `/deployments/${encodeURIComponent(hostile)}?x=<b>`);
  await rows(page, "deployments", [[`${hostile} dep_1`, `${hostile} ${hostile}`, `${hostile} ${hostile}`, "", "Pause Run Pause by error Archive"]]);
  await rows(page, "faults", [["1", `any request ${hostile} ${JSON.stringify({ action: "ok", body: hostile })}`, "0", "Remove"]]);
  const [{ path }] = await simulated.journal(1);
  await rows(page, "journal", [["1 08:00:00", `GET ${path.replace("/api/v1/cloud", "")}`, "404"]]);
  await button(page, `Pause by error ${hostile} (dep_1)`).click();
  await says(page, "h-error", `Pause ${hostile} (dep_1) by an error`);
  assert.equal(await page.title(), "qoder-simulator");
  assert.equal(await page.locator("img, body script:not(:last-of-type), main script, b").count(), 0);
});

test("fields of other types do no harm", async (t) => {
  const simulated = await simulator(t, [one]);
  const page = await open(chromium, simulated);
  await simulated.sim("PATCH", "deployments/dep_1", { name: 7, status: null, schedule: "daily", paused_reason: ["x"] });
  await rows(page, "deployments", [["7 dep_1", '["x"]', "daily", "", "Pause Run Pause by error Archive"]]);
});

test("it fits into any window", async (t) => {
  const simulated = await simulator(t, [...DEPLOYMENTS, { id: `dep_${"x".repeat(60)}`, name: "long".repeat(60) }]);
  const page = await open(chromium, simulated);
  await simulated.api("GET", `/deployments/${"long".repeat(60)}`);
  await simulated.sim("POST", "faults", { operation: "get", body: "long".repeat(60), action: "ok" });
  await sees(page, () => document.getElementById("faults").rows.length, 1);
  for (const width of [320, 390, 700, 841, 1000, 1239, 1240, 1600, 2500]) {
    await page.setViewportSize({ width, height: 800 });
    const tooLarge = await page.evaluate(() => [document.documentElement, ...document.querySelectorAll("td, th, section, footer, button")]
      .filter((element) => element.scrollWidth > element.clientWidth + 1).map((element) => element.outerHTML));
    assert.deepEqual(tooLarge, [], `${width}`);
    const names = await page.evaluate(() => [...document.querySelectorAll("#deployments .name")].map((name) => name.parentElement.clientWidth));
    assert.ok(Math.min(...names) > 120, `${width}: ${names}`);
  }
});
