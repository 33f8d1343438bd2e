// What happens while the page is open: changes by others, restarts, accounts, and much of everything.
import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, button, open, rows, says, sees, simulator } from "./world.mjs";

const chromium = await browser();
test.after(() => chromium.close());
const three = [1, 2, 3].map((number) => ({ id: `dep_${number}`, name: `d${number}` }));
const names = (page, expected) => sees(page, () => [...document.getElementById("deployments").rows].map((row) => row.dataset.key), expected);
const focused = (page, expected) => sees(page, () => document.activeElement.getAttribute("aria-label") ?? document.activeElement.id, expected);

test("what others change appears without a reload, and the focus stays", async (t) => {
  const simulated = await simulator(t, three);
  const page = await open(chromium, simulated);
  const had = await button(page, "Pause d1 (dep_1)").elementHandle();
  await had.focus();
  const stays = (name) => sees(page, () => [document.activeElement === window.had, document.activeElement.getAttribute("aria-label")], [true, name]);
  await had.evaluate((element) => { window.had = element; });
  await simulated.sim("POST", "deployments", { id: "dep_4", name: "d4" });
  await names(page, ["dep_4", "dep_3", "dep_2", "dep_1"]);
  await stays("Pause d1 (dep_1)");
  await simulated.sim("DELETE", "deployments/dep_2");
  await names(page, ["dep_4", "dep_3", "dep_1"]);
  await stays("Pause d1 (dep_1)");
  await simulated.sim("PATCH", "deployments/dep_1", { name: "renamed" });
  await stays("Pause renamed (dep_1)");
  await simulated.api("POST", "/deployments/dep_1/pause");
  await stays("Resume renamed (dep_1)");
});

test("the focus in a row that goes away moves to the next", async (t) => {
  const simulated = await simulator(t, three);
  const page = await open(chromium, simulated);
  await button(page, "Archive d2 (dep_2)").focus();
  await simulated.sim("DELETE", "deployments/dep_2");
  await focused(page, "Archive d1 (dep_1)");
  await simulated.sim("DELETE", "deployments/dep_1");
  await focused(page, "Archive d3 (dep_3)");
  await simulated.sim("DELETE", "deployments/dep_3");
  await focused(page, "h-deployments");
  await simulated.sim("POST", "faults", { operation: "get", action: "hang_before" });
  const answer = simulated.api("GET", "/deployments/dep_1");
  await button(page, "Release request 1").press("Enter");
  await answer;
  await focused(page, "h-journal");
});

test("what a client does is not read out", async (t) => {
  const simulated = await simulator(t, three);
  const page = await open(chromium, simulated);
  await page.evaluate(() => {
    window.heard = 0;
    const live = [...document.querySelectorAll("[role=status], [role=alert], [aria-live]")];
    for (const element of live) new MutationObserver(() => { window.heard += 1; }).observe(element, { childList: true, characterData: true, subtree: true, attributes: true });
  });
  for (let call = 0; call < 20; call += 1) await simulated.api("GET", "/deployments");
  await sees(page, () => [document.getElementById("journal").rows.length, window.heard], [20, 0]);
  await button(page, "Pause d1 (dep_1)").click();
  await says(page, "told", "Done: Pause d1 (dep_1)");
  assert.ok(await page.evaluate(() => window.heard > 0), "what the user does is");
});

test("a restart is told, and lived through", async (t) => {
  const first = await simulator(t, three);
  const page = await open(chromium, first, { expected: /ERR_/ });
  await names(page, ["dep_3", "dep_2", "dep_1"]);
  await first.stop();
  await says(page, "state", "Not connected: the simulator does not answer. What is shown may be old. Trying again.");
  await button(page, "Pause d1 (dep_1)").click();
  await says(page, "told", "Not done: Pause d1 (dep_1): the simulator does not answer");
  await names(page, ["dep_3", "dep_2", "dep_1"]);
  const second = await simulator(t, [{ id: "dep_9", name: "new" }], { listen: first.host });
  await says(page, "state", "Connected");
  await names(page, ["dep_9"]);
  await button(page, "Pause new (dep_9)").click();
  assert.equal((await second.sim("GET", "deployments/dep_9?until=paused")).status, "paused");
});

test("a look that fails is made again", async (t) => {
  const simulated = await simulator(t, three);
  const page = await open(chromium, simulated, { expected: /ERR_FAILED/ });
  await page.route(`${simulated.url}faults`, (route) => route.abort(), { times: 1 });
  await simulated.sim("DELETE", "deployments/dep_3");
  await page.getByText("Not connected").waitFor();
  await names(page, ["dep_2", "dep_1"]);
  await says(page, "state", "Connected");
});

test("an account has a page of its own", async (t) => {
  const simulated = await simulator(t, three);
  await simulated.sim("POST", "accounts", { name: "other", token: "pt-other", deployments: [{ id: "dep_8", name: "d8" }] });
  const page = await open(chromium, simulated, { path: "accounts/other/", expected: /ERR_|404/ });
  assert.equal(await page.title(), "qoder-simulator, account other");
  await names(page, ["dep_8"]);
  await simulated.api("GET", "/deployments");
  await button(page, "Pause d8 (dep_8)").click();
  const other = await simulated.sim("GET", "accounts/other/deployments/dep_8?until=paused");
  assert.equal(other.status, "paused");
  await sees(page, () => document.getElementById("deployments").rows[0].cells[1].firstChild.textContent, "paused");
  await rows(page, "journal", []);
  assert.deepEqual(await Promise.all([1, 2, 3].map(async (id) => (await simulated.deployment(`dep_${id}`)).status)), ["active", "active", "active"]);
  await simulated.sim("DELETE", "accounts/other");
  await button(page, "Resume d8 (dep_8)").click();
  await says(page, "told", "Not done: Resume d8 (dep_8): there is no account other");
});

test("with 500 deployments, 150 faults and 5,000 entries it shows 100 of each, and asks for no more", async (t) => {
  const simulated = await simulator(t, Array.from({ length: 500 }, (_, index) => ({ id: `dep_${index + 1}`, name: `d${index + 1}` })));
  for (let call = 0; call < 5000; call += 50) await Promise.all(Array.from({ length: 50 }, () => simulated.api("GET", "/deployments?limit=1")));
  for (let fault = 0; fault < 150; fault += 1) await simulated.sim("POST", "faults", { operation: "create", action: "ok" });
  const page = await open(chromium, simulated);
  const asked = [];
  page.on("request", (request) => asked.push(request.url().replace(simulated.url, "")));
  const counts = () => ["deployments", "faults", "journal"].map((part) => document.getElementById(part).rows.length);
  await sees(page, counts, [100, 100, 100]);
  await says(page, "n-deployments", "the newest 100, there are more: 100 active");
  await says(page, "n-faults", "the first 100 of 150");
  await says(page, "n-journal", "the newest 100; 5000 so far");
  const began = Date.now();
  await simulated.api("POST", "/deployments/dep_500/pause");
  await says(page, "n-journal", "the newest 100; 5001 so far");
  await says(page, "n-deployments", "the newest 100, there are more: 99 active, 1 paused");
  await sees(page, counts, [100, 100, 100]);
  assert.ok(Date.now() - began < 5000, `a change is shown after ${Date.now() - began} ms`);
  // The request is an event when it begins, and perhaps another one when it ends.
  assert.deepEqual([...new Set(asked)].sort(), ["clock", "deployments?newest=101", "faults", "journal?since=4901"]);
});
