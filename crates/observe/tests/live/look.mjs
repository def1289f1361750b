// Opens the live page in Chromium and looks at it as an operator would. Arguments: the origin, and a file for a picture of it.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const [origin, picture] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
const page = await context.newPage();
page.setDefaultTimeout(60_000);

const faults = [];
page.on("pageerror", (error) => faults.push(String(error)));
page.on("console", (message) => {
  if (message.type() === "error" && !message.text().includes("ERR_FAILED")) faults.push(message.text());
});
page.on("request", (request) => {
  if (!request.url().startsWith(origin)) faults.push(`asks ${request.url()}`);
});

/** Sends requests, one after the other. */
async function load(path, times, headers = {}) {
  for (let time = 0; time < times; time++) {
    const response = await fetch(origin + path, { headers });
    await response.arrayBuffer();
  }
}

/** A row of the table of routes, by what stands in its head. */
const row = (name) => page.locator("#routes tbody tr").filter({ has: page.getByRole("rowheader", { name, exact: true }) });
const cells = async (name) => (await row(name).locator("th, td").allInnerTexts()).map((text) => text.trim());

/** Loads until what the page shows is right: rates come and go with time, so nothing is asked of one moment. */
async function until(what, right, more = async () => {}) {
  for (let time = 0; time < 200; time++) {
    await more();
    if (await right()) return;
    await page.waitForTimeout(100);
  }
  assert.fail(`${what}: ${await page.locator("main").innerText()}`);
}

try {
  await load("/pets/1", 1);
  await page.goto(`${origin}/live`);
  assert.equal(await page.title(), "Pets, live");
  await page.getByRole("status").filter({ hasText: /^live$/ }).waitFor();

  // Rows appear, with their numbers.
  const PET = "GET /pets/{id} petstore/prod";
  const traffic = async () => {
    await load("/pets/1", 30);
    await load("/pets/1", 10, { "x-cache": "hit" });
    await load("/pets/1", 10, { "x-cache": "miss" });
    await load("/pets/1", 10, { "x-canary": "1" });
    await load("/broken", 5);
    await load("/limited", 5);
  };
  await until("the rows have numbers", async () => {
    const names = await page.getByRole("table", { name: /^Routes/ }).getByRole("rowheader").allInnerTexts();
    if (!names.some((name) => name.includes("/broken")) || !names.some((name) => name.includes("/limited"))) return false;
    const pet = await cells(PET);
    return Number(pet[1]) > 0 && /\d (ms|s)$/.test(pet[3]) && pet[9] === "50 %";
  }, traffic);
  const broken = await cells("GET /broken petstore/prod");
  assert.equal(broken[7], "100 %", "the share of faults");
  assert.match(await row("GET /broken petstore/prod").locator("td").nth(6).getAttribute("class"), /bad/);
  const limited = await cells("GET /limited petstore/prod");
  assert.equal(limited[6], "100 %");
  assert.ok(Number(limited[8]) > 0, "throttled");

  // They move.
  const before = (await cells(PET))[1];
  await until("the rate moves", async () => (await cells(PET))[1] !== before, traffic);

  // The canary stands below its baseline, and beside it in a table of its own.
  const heads = await page.locator("#routes tbody th").allInnerTexts();
  const base = heads.findIndex((head) => head.includes("/pets/{id}"));
  assert.match(heads[base + 1], /\/pets\/\{id\}.*canary$/s);
  const canaries = page.getByRole("table", { name: /^For each stage with a canary/ });
  assert.deepEqual(await canaries.locator("tbody tr td:nth-child(2)").allInnerTexts(), ["baseline", "canary"]);
  const refusals = page.getByRole("table", { name: /^Requests that were refused/ });
  assert.match(await refusals.locator("tbody").innerText(), /THROTTLED/);

  // It can be sorted and filtered from the keyboard.
  const head = page.getByRole("columnheader", { name: "Route", exact: false }).first();
  await head.getByRole("button").focus();
  await page.keyboard.press("Enter");
  assert.equal(await head.getAttribute("aria-sort"), "ascending");
  await page.getByRole("searchbox", { name: "filter" }).fill("broken");
  assert.equal(await page.locator("#routes tbody tr").count(), 1);
  await page.getByRole("searchbox", { name: "filter" }).fill("");

  // What it shows can be read, in the light and in the dark.
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    const poor = await page.evaluate(() => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const rgba = (color) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
      };
      const luminance = (color) => {
        const [r, g, b] = [...color].map((part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = (element) => {
        for (; element; element = element.parentElement) {
          const color = rgba(getComputedStyle(element).backgroundColor);
          if (color[3] === 255) return color;
        }
        return [255, 255, 255];
      };
      const texts = [...document.querySelectorAll("h1, h2, p, th, td, dt, dd span, button, .badge, .verb, .where, .state, footer")];
      return texts.filter((it) => it.checkVisibility() && it.textContent.trim()).flatMap((it) => {
        const [one, two] = [luminance(rgba(getComputedStyle(it).color)), luminance(behind(it))].sort((a, b) => b - a);
        const contrast = (one + 0.05) / (two + 0.05);
        return contrast < 4.5 ? [`${it.className} ${it.textContent.trim().slice(0, 30)}: ${contrast.toFixed(2)}`] : [];
      });
    });
    assert.deepEqual(poor, [], colorScheme);
  }
  await page.emulateMedia({ colorScheme: "light" });

  // On a narrow screen the page itself does not scroll sideways: its tables do.
  await page.setViewportSize({ width: 400, height: 800 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
  await page.setViewportSize({ width: 1280, height: 900 });

  // It says when there are no numbers, and goes on when there are again.
  await page.route("**/metrics", (route) => route.abort());
  await page.getByRole("status").filter({ hasText: /^no numbers/ }).waitFor();
  await page.unroute("**/metrics");
  await page.getByRole("status").filter({ hasText: /^live$/ }).waitFor();
  const pause = page.getByRole("button", { name: "Pause" });
  await pause.click();
  await page.getByRole("status").filter({ hasText: /^paused$/ }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Go on" }).getAttribute("aria-pressed"), "true");

  assert.deepEqual(faults, []);
  if (picture) await page.screenshot({ path: picture, fullPage: true });
  console.log("looked");
} finally {
  await browser.close();
}
