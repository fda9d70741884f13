import { test, type Page } from "@playwright/test";
import { pageOf } from "./people";
import { PLACES } from "./places";

const ROUNDS = 3;
/** What did not change for so long stands. */
const QUIET_MS = 400;
const ONLY = process.env.ONLY?.split(",");
/** Pages that show a panel over another are as fast as that one, and the address of one project is asked for. */
const ADDRESSES = PLACES.filter(([name]) => !name.endsWith("-new") && (!ONLY || ONLY.includes(name)));
/** A server's first answer opens files that later ones find open. */
const WARMED = "/usage";

type Time = { standsMs: number; blockedMs: number };

/** How long until a page's numbers stand, and how long it kept a press waiting meanwhile, with much demo data: `stage --seed ROWS`. It demands no time. */
test("how soon every page is interactive", async ({ browser }) => {
  test.setTimeout(1_200_000);
  const page = await pageOf(browser, "owner", { viewport: { width: 1280, height: 800 } });
  const { items } = (await (await page.request.get("/v1/projects?limit=1")).json()) as { items: { id: string }[] };
  await timed(page, WARMED);
  for (const [name, address] of ADDRESSES) {
    if (address.includes("{project}") && items.length === 0) continue;
    const times: Time[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push(await timed(page, address.replace("{project}", items[0]?.id ?? "")));
    console.log(`${name.padEnd(20)} data stands ${median(times.map((one) => one.standsMs))} ms, a press waits at most ${median(times.map((one) => one.blockedMs))} ms`);
  }
});

/** From the start of the navigation until nothing is awaited any more and nothing is added; and how long it kept a press waiting at most. */
async function timed(page: Page, address: string): Promise<Time> {
  await page.goto(address, { waitUntil: "commit" });
  await page.locator("h1").first().waitFor();
  return page.evaluate(
    (quietMs) =>
      new Promise<Time>((resolve) => {
        let [standsMs, parts, blockedMs] = [0, -1, 0];
        new PerformanceObserver((list) => list.getEntries().forEach((task) => (blockedMs = Math.max(blockedMs, Math.round(task.duration))))).observe({ type: "longtask", buffered: true });
        const look = () => {
          const now = performance.now();
          const found = document.querySelectorAll("main *").length;
          if (found !== parts || document.querySelector("main .animate-shimmer, main [aria-busy]")) [standsMs, parts] = [Math.round(now), found];
          if (now - standsMs < quietMs) return requestAnimationFrame(look);
          resolve({ standsMs, blockedMs });
        };
        look();
      }),
    QUIET_MS,
  );
}

function median(values: number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1]!;
}
