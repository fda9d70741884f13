import { AxeBuilder } from "@axe-core/playwright";
import { expect, test } from "@playwright/test";
import { pageOf } from "./people";
import { open, PLACES } from "./places";

for (const colorScheme of ["light", "dark"] as const) {
  test(`no page has a fault that axe finds, nor breaks its own policy (${colorScheme})`, async ({ browser, baseURL }) => {
    test.setTimeout(600_000);
    const page = await pageOf(browser, "owner", { colorScheme, reducedMotion: "reduce" });
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(`${page.url()}: ${message.text()}`));
    page.on("request", (request) => request.url().startsWith(`${baseURL}/`) || complaints.push(`asked ${request.url()}`));
    const projects = (await (await page.request.get("/v1/projects")).json()) as { items: { id: string }[] };
    const found: string[] = [];
    for (const [name, address] of PLACES) {
      await open(page, address.replace("{project}", projects.items[0]!.id));
      // What does not depend on colours was looked at in light already.
      const axe = new AxeBuilder({ page });
      const { violations } = await (colorScheme === "light" ? axe : axe.withRules(["color-contrast"])).analyze();
      found.push(...violations.map((one) => `${name}: ${one.id} ${one.nodes.map((node) => node.target.join(" ")).join(" | ")}`));
    }
    expect(found).toEqual([]);
    expect(complaints).toEqual([]);
  });
}
