// What every story has: the real binary, Chromium, and a page that must not fail in silence.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { chromium } from "playwright-core";

const START = "2026-06-14T08:00:00Z";
const LONG = 10_000;

function fromPath(names) {
  for (const name of names) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // The next one.
    }
  }
  throw new Error(`there is no Chromium: set CHROMIUM to its path, or install one of ${names.join(", ")}`);
}

/** Chromium, which ends with the test. Nothing but this machine can be reached from it. */
export async function browser(t) {
  const started = await chromium.launch({
    executablePath: process.env.CHROMIUM || fromPath(["chromium", "chromium-browser", "google-chrome"]),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
  });
  t?.after(() => started.close());
  return started;
}

/** A simulator with these deployments, which ends with the test. The clock is held. */
export async function simulator(t, deployments, { listen = "127.0.0.1:0" } = {}) {
  assert.ok(process.env.SIMULATOR, "SIMULATOR must be the path of qoder-simulator: `make test-page` sets it");
  const child = spawn(process.env.SIMULATOR, ["--listen", listen, "--start-time", START], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill();
    await ended;
  };
  const closing = [];
  t?.after(async () => {
    // The pages first: they would complain.
    await Promise.all(closing.map((close) => close())).finally(stop);
  });
  const [base] = await Promise.race([
    once(createInterface(child.stdout), "line"),
    ended.then(() => { throw new Error("the simulator has ended"); }),
  ]);
  const { host } = new URL(base);
  const ask = async (url, method, body, headers) => {
    const response = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(LONG) });
    return { status: response.status, json: await response.json() };
  };
  const made = {
    host, stop, closing, url: `http://${host}/_sim/`,
    /** A request of a client. */
    api: (method, path) => ask(base + path, method, undefined, { authorization: "Bearer pt-simulator" }),
    /** A request behind the client's back. */
    sim: async (method, path, body) => {
      const { status, json } = await ask(`http://${host}/_sim/${path}`, method, body);
      assert.equal(status, 200, `${method} ${path}: ${JSON.stringify(json)}`);
      return json;
    },
    deployment: (id) => made.sim("GET", `deployments/${id}`),
    /** The journal, once it has so many entries. */
    journal: (count = 0) => made.sim("GET", `journal?count=${count}`),
  };
  await made.sim("POST", "clock", { held: true });
  await made.sim("POST", "deployments", deployments);
  return made;
}

/** A page of a simulator. What it writes to the console or asks of elsewhere fails the story, but for what is expected. */
export async function open(chromium, simulated, { expected = /^$/, path = "", ...options } = {}) {
  const url = simulated.url + path;
  const context = await chromium.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(LONG);
  const faults = [];
  page.on("console", (message) => expected.test(message.text()) || faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => request.url().startsWith(url) || faults.push(`request: ${request.url()}`));
  simulated.closing.push(async () => {
    await context.close();
    assert.deepEqual(faults, []);
  });
  await page.goto(url);
  await sees(page, () => document.getElementById("state").textContent, "Connected");
  return page;
}

/** Looks at each frame until what is read in the page is this. */
export async function sees(page, read, expected, argument) {
  const end = Date.now() + LONG;
  for (;;) {
    const seen = await page.evaluate(read, argument);
    if (isDeepStrictEqual(seen, expected)) return;
    if (Date.now() > end) assert.deepEqual(seen, expected);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

const cellsOf = (part) => [...document.getElementById(part).rows].map((row) =>
  [...row.cells].map((cell) => [...cell.children].map((line) => line.textContent).join(" ")));

/** Waits until a table has these rows. */
export const rows = (page, part, expected) => sees(page, cellsOf, expected, part);

/** Waits until an element has this text. */
export const says = (page, id, expected) => sees(page, (id) => document.getElementById(id).textContent, expected, id);

/** The button with exactly this name. */
export const button = (page, name) => page.getByRole("button", { name, exact: true });
