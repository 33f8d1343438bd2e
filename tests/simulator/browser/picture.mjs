// The picture in the README: the same each time, but for the fonts of the machine.
import { join } from "node:path";
import { browser, open, rows, simulator } from "./world.mjs";

const [folder] = process.argv.slice(2);
const chromium = await browser();
const simulated = await simulator(undefined, [
  { id: "dep_1", name: "nightly-report", schedule: { expression: "0 3 * * *", timezone: "Europe/Berlin" } },
  { id: "dep_2", name: "inbox-triage", paused_reason: { type: "error", error: { type: "agent_archived_error" } } },
  { id: "dep_3", name: "release-notes", schedule: { expression: "0 16 * * 5", timezone: "America/New_York" } },
  { id: "dep_4", name: "weekly-digest" },
  { id: "dep_5", name: "by-hand", status: "paused", schedule: null },
  { id: "dep_6", name: "last-year", archived_at: "2026-01-02T10:00:00Z" },
]);
try {
  await simulated.sim("POST", "faults", { operation: "list", times: 2, action: { respond: { status: 503 } } });
  await simulated.sim("POST", "faults", { operation: "get", id: "dep_1", action: "hang_before" });
  await simulated.api("GET", "/deployments");
  await simulated.sim("POST", "clock", { advance_ms: 2000 });
  await simulated.api("GET", "/deployments");
  await simulated.sim("POST", "clock", { advance_ms: 1000 });
  await simulated.api("POST", "/deployments/dep_3/pause");
  await simulated.api("POST", "/deployments/dep_3/pause");
  const hangs = simulated.api("GET", "/deployments/dep_1").catch(() => {});
  await simulated.journal(5);
  await simulated.sim("POST", "faults", { operation: "pause", action: "reset_after" });
  for (const [colorScheme, name] of [["light", "simulator.png"], ["dark", "simulator-dark.png"]]) {
    const page = await open(chromium, simulated, { colorScheme, viewport: { width: 1280, height: 600 } });
    await rows(page, "journal", [
      ["5 08:00:03", "GET /deployments/dep_1", "under way fault 2 Release"],
      ["4 08:00:03", "POST /deployments/dep_3/pause", "409"],
      ["3 08:00:03", "POST /deployments/dep_3/pause", "200 changed"],
      ["2 08:00:02", "GET /deployments", "503 fault 1"],
      ["1 08:00:00", "GET /deployments", "503 fault 1"],
    ]);
    await page.screenshot({ path: join(folder, name) });
  }
  await Promise.all(simulated.closing.map((close) => close()));
  await simulated.stop();
  await hangs;
} finally {
  await simulated.stop();
  await chromium.close();
}
