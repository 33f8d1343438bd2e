// The page without a mouse, for eyes of all kinds and without eyes.
import assert from "node:assert/strict";
import { test } from "node:test";
import axe from "axe-core";
import { browser, button, open, rows, sees, simulator } from "./world.mjs";

const chromium = await browser();
test.after(() => chromium.close());

const focus = () => {
  const element = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  const at = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {
    name: element.getAttribute("aria-label") ?? element.labels?.[0]?.firstChild.textContent.trim() ?? element.textContent.trim(),
    isMarked: element === document.body || outlineStyle !== "none" && parseFloat(outlineWidth) >= 1,
    isInSight: element === document.body || element === at || element.contains(at),
  };
};

/** Presses Tab until this has the focus. Each stop on the way is marked, and in sight. */
async function tabTo(page, name, key = "Tab") {
  const passed = [];
  while (passed.length < 60) {
    await page.keyboard.press(key);
    const stop = await page.evaluate(focus);
    assert.ok(stop.isMarked && stop.isInSight, JSON.stringify(stop));
    if (stop.name === name) return;
    passed.push(stop.name);
  }
  assert.fail(`no key leads to ${name}, only to ${passed.join(", ")}`);
}

const deployments = [1, 2, 3].map((number) => ({ id: `dep_${number}`, name: `d${number}`, schedule: { expression: "0 3 * * *", timezone: "UTC" } }));

test("everything can be done with keys alone", async (t) => {
  const simulated = await simulator(t, deployments);
  const page = await open(chromium, simulated);
  const press = (key) => page.keyboard.press(key);
  const state = (id, expected) => sees(page, (id) => [...document.getElementById("deployments").rows].find((row) => row.dataset.key === id).cells[1].textContent, expected, id);
  await tabTo(page, "Pause d2 (dep_2)");
  await press("Space");
  await state("dep_2", "pausedmanual");
  // The same button, without another key to reach it.
  await press("Enter");
  await state("dep_2", "active");
  await tabTo(page, "Run d2 (dep_2)");
  await press("Enter");
  await sees(page, () => document.getElementById("deployments").rows[1].cells[3].textContent, "2026-06-1603:00 UTC");
  await tabTo(page, "Pause by error d2 (dep_2)");
  await press("Enter");
  assert.equal((await page.evaluate(focus)).name, "Type of the error");
  await press("Escape");
  assert.equal((await page.evaluate(focus)).name, "Pause by error d2 (dep_2)", "the focus is back");
  await press("Enter");
  await page.keyboard.type("unknown_error");
  await press("Enter");
  await state("dep_2", "pausedunknown_error");
  assert.equal((await page.evaluate(focus)).name, "Pause by error d2 (dep_2)", "the focus is back");
  await tabTo(page, "Archive d2 (dep_2)");
  await press("Enter");
  await state("dep_2", "archivedunknown_error");
  // A link leads past the deployments.
  await tabTo(page, "Faults", "Shift+Tab");
  await press("Enter");
  await tabTo(page, "Add a fault");
  await press("Space");
  await tabTo(page, "Example");
  await press("ArrowDown");
  await tabTo(page, "Fault, as JSON");
  await tabTo(page, "Add fault");
  await press("Enter");
  await rows(page, "faults", [["1", 'list {"action":{"respond":{"status":503}},"times":3}', "0", "Remove"]]);
  await tabTo(page, "Remove fault 1", "Shift+Tab");
  await press("Enter");
  await rows(page, "faults", []);
  const [one, two, three] = await Promise.all(deployments.map(({ id }) => simulated.deployment(id)));
  assert.deepEqual([one.status, two.paused_reason.error.type, three.status], ["active", "unknown_error", "active"]);
  assert.equal(two.archived_at, "2026-06-14T08:00:00Z");
  assert.deepEqual(await simulated.sim("GET", "faults"), []);
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    test(`axe finds nothing, ${colorScheme}, ${width} pixels wide`, async (t) => {
      const simulated = await simulator(t, [
        ...deployments, { id: "dep_4", name: "broken", paused_reason: { type: "error", error: { type: "agent_archived_error" } } },
        { id: "dep_5", name: "old", archived_at: "2026-06-01T00:00:00Z" },
      ]);
      const page = await open(chromium, simulated, { colorScheme, viewport: { width, height: 800 }, expected: /ERR_/ });
      const check = async (what) => {
        await page.evaluate(axe.source);
        const { violations } = await page.evaluate(() => window.axe.run());
        assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], what);
      };
      await simulated.sim("POST", "faults", { operation: "get", times: 2, action: "hang_before" });
      await simulated.api("POST", "/deployments/dep_1/pause");
      await simulated.api("POST", "/deployments/dep_1/pause");
      const answer = simulated.api("GET", "/deployments/dep_1").catch(() => "cut");
      await button(page, "Release request 3").waitFor();
      await page.getByText("Add a fault").click();
      await check("with all there is");
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing is wider than the window");
      assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll("*")].map((element) => getComputedStyle(element))
        .filter(({ animationName, transitionDuration }) => animationName !== "none" || transitionDuration !== "0s").length), 0, "nothing moves");
      assert.equal(await page.getByRole("table", { name: "Deployments" }).getByRole("columnheader").count(), 5);
      await button(page, "Pause by error d2 (dep_2)").click();
      await check("with the dialog");
      await page.keyboard.press("Escape");
      await simulated.stop();
      await answer;
      await page.getByText("Not connected").waitFor();
      await button(page, "Pause d2 (dep_2)").click();
      await page.getByText("Not done").waitFor();
      await check("without the simulator");
    });
  }
}
