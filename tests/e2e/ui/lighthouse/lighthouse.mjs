// Owns the scores of every page in a real Chromium: performance, accessibility and best practices, phone and desktop.
// The stage (tests/e2e/ui/stage.py) says where everything is. Addresses as arguments: those pages alone.
// Accessibility and best practices are demanded. Performance is told: it depends on what else the machine does.
import lighthouse, { desktopConfig } from "lighthouse";
import { computeMedianRun } from "lighthouse/core/lib/median-run.js";
import puppeteer from "puppeteer-core";

const SCORE_MIN = 95;
// One load is up to five points off the next: the one in the middle is told.
const LOADS = 3;
// Now and then a trace lacks its beginning, and Lighthouse asks for another load: so many for one page at most.
const TRACE_LOST = "NO_NAVSTART";
const LOADS_MAX = 2 * LOADS;
const DEMANDED = ["accessibility", "best-practices"];
const CATEGORIES = ["performance", ...DEMANDED];
const FORMS = { mobile: undefined, desktop: desktopConfig };
const SIGN_IN = "/sign-in";
const PAGES = [
  SIGN_IN, "/", "/usage", "/requests", "/reconciliation", "/budgets", "/alerts", "/kill-switch", "/projects", "/keys",
  "/providers", "/members", "/audit", "/settings", "/onboarding", "/backtest",
];

const base = process.env.LENSAI_UI_URL;
if (!base) throw new Error("LENSAI_UI_URL is not set: run by tests/e2e/ui/stage.py");
const asked = process.argv.slice(2);
const pages = asked.length ? asked : PAGES;

const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
let failed = 0;
try {
  tell("page", "form", ...CATEGORIES, "blocked", "main content", "machine");
  // Somebody who is signed in would be sent on from there.
  if (pages.includes(SIGN_IN)) await scorePage(SIGN_IN);
  await signIn();
  for (const page of pages) if (page !== SIGN_IN) await scorePage(page);
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);

async function scorePage(path) {
  for (const [form, config] of Object.entries(FORMS)) {
    const flags = { port: new URL(browser.wsEndpoint()).port, disableStorageReset: true, onlyCategories: CATEGORIES, logLevel: "error" };
    const loads = [];
    for (let load = 0; loads.length < LOADS && load < LOADS_MAX; load++) {
      await emptyCache();
      const { lhr } = await lighthouse(base + path, flags, config);
      if (lhr.runtimeError?.code === TRACE_LOST) continue;
      const landed = new URL(lhr.finalDisplayedUrl).pathname;
      if (lhr.runtimeError || landed !== path) throw new Error(`${path} (${form}) was not shown: ${lhr.runtimeError?.message ?? landed}`);
      loads.push(lhr);
    }
    if (loads.length < LOADS) throw new Error(`${path} (${form}) was loaded ${LOADS_MAX} times, and ${LOADS_MAX - loads.length} traces were lost`);
    const lhr = computeMedianRun(loads);
    const scores = CATEGORIES.map((name) => Math.round(lhr.categories[name].score * 100));
    const milliseconds = ["total-blocking-time", "largest-contentful-paint"].map((name) => `${Math.round(lhr.audits[name].numericValue)} ms`);
    // How fast it was just then: Lighthouse takes 1,500 and more for a machine that is four times its phone.
    tell(path, form, ...scores, ...milliseconds, Math.round(lhr.environment.benchmarkIndex));
    failed += complaints(lhr);
  }
}

/** As Lighthouse does by itself, where it need not leave anybody signed in. */
async function emptyCache() {
  const page = await browser.newPage();
  const network = await page.createCDPSession();
  await network.send("Network.clearBrowserCache");
  await page.close();
}

/** What of the demanded categories is missed, line by line; how many categories miss it. */
function complaints({ categories, audits }) {
  const missed = DEMANDED.filter((name) => categories[name].score * 100 < SCORE_MIN);
  for (const name of missed) {
    const wrong = categories[name].auditRefs.map(({ id }) => audits[id]).filter((audit) => audit.score === 0);
    for (const audit of wrong) console.log(`  ${name} below ${SCORE_MIN}: ${audit.title}`);
  }
  return missed.length;
}

async function signIn() {
  const page = await browser.newPage();
  await page.goto(`${base}${SIGN_IN}#token=${process.env.LENSAI_OWNER_LINK}`);
  await page.locator("button ::-p-text(Sign in)").click();
  await page.waitForFunction(() => location.pathname === "/");
  await page.close();
}

function tell(page, form, ...columns) {
  console.log([page.padEnd(16), form.padEnd(8), ...columns.map((column) => String(column).padStart(15))].join(""));
}
