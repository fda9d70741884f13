// Owns the documents of the build: one for each page, which shows the page's frame and heading before there is any script and
// asks for all that the page needs at once; one for other addresses; and the bare index.html for whoever is not signed in.
// routes.py decides who gets which.
import { createElement, type ComponentProps, type ComponentType } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { runnerImport, type Plugin, type Rolldown } from "vite";
import { HEADINGS, type Address, type Heading } from "./src/app/headings.ts";

/** Which file makes a page; the router imports the same. */
export const PAGE_FILES: Record<Address, string> = {
  "/": "analytics/OverviewPage",
  "/alerts": "alerts/AlertsPage",
  "/audit": "audit/AuditPage",
  "/backtest": "backtest/BacktestPage",
  "/budgets": "budgets/BudgetsPage",
  "/keys": "keys/KeysPage",
  "/kill-switch": "kill_switch/KillSwitchPage",
  "/members": "auth/MembersPage",
  "/onboarding": "onboarding/OnboardingPage",
  "/projects": "projects/ProjectsPage",
  "/providers": "providers/ProvidersPage",
  "/reconciliation": "reconciliation/ReconciliationPage",
  "/requests": "analytics/RequestsPage",
  "/settings": "auth/SettingsPage",
  "/usage": "analytics/UsagePage",
};

type Chunks = ReadonlyMap<string, Rolldown.OutputChunk>;
type FirstPaint = ComponentType<{ heading?: Heading }>;

/** Writes them when everything else has its name. */
export const documents: Plugin = {
  name: "documents",
  apply: "build",
  enforce: "post",
  generateBundle: {
    order: "post",
    async handler(_, bundle) {
      const files = Object.values(bundle);
      const index = bundle["index.html"];
      const font = files.find(({ fileName }) => /geist-latin-wght-normal-[^/]*\.woff2$/.test(fileName));
      if (index?.type !== "asset" || !font) return this.error("the build has no index.html, or no font");
      const chunks: Chunks = new Map(files.filter((file) => file.type === "chunk").map((chunk) => [chunk.fileName, chunk]));
      const circle = [...chunks.values()].find(({ fileName, imports }) => imports.some((next) => needed(chunks, next).includes(fileName)));
      // One of them would be evaluated before what it is made of. FILES (vite.config.ts) says what is in which.
      if (circle) return this.error(`${circle.fileName} and a file that it imports need each other`);
      const source = String(index.source);
      const app = needed(chunks, fileOf(chunks, "app/start")).filter((name) => !source.includes(name));
      const bare = withHead(source, [preload(font.fileName, "font"), ...app.map(modulePreload)]);
      const signedIn = withHead(bare, [preload("v1/session", "fetch")]);
      const { module } = await runnerImport<{ FirstPaint: FirstPaint }>("/src/app/FirstPaint.tsx", { root: import.meta.dirname, mode: "production", resolve: { alias: { "@": `${import.meta.dirname}/src` } } });
      const shown = (heading?: Heading) => renderToStaticMarkup(createElement(module.FirstPaint, { heading } satisfies ComponentProps<FirstPaint>));
      index.source = bare;
      this.emitFile({ type: "asset", fileName: "pages/other.html", source: withRoot(signedIn, shown()) });
      for (const [address, heading] of Object.entries(HEADINGS)) {
        const ofPage = needed(chunks, fileOf(chunks, PAGE_FILES[address as Address])).filter((name) => !signedIn.includes(name));
        const document = withHead(signedIn, ofPage.map(modulePreload)).replace("<title>", `<title>${heading.title.replace("&", "&amp;")} · `);
        this.emitFile({ type: "asset", fileName: `pages${address === "/" ? "/home" : address}.html`, source: withRoot(document, shown(heading)) });
      }
    },
  },
};

/** The files that have to be there before this one can be evaluated, and itself. */
function needed(chunks: Chunks, name: string): string[] {
  const names = new Set([name]);
  // A set that grows is walked to its end.
  for (const one of names) for (const next of chunks.get(one)?.imports ?? []) names.add(next);
  return [...names];
}

/** The file of the build that is imported for this module of ours. */
function fileOf(chunks: Chunks, module: string): string {
  const found = [...chunks.values()].find(({ facadeModuleId }) => facadeModuleId?.endsWith(`/src/${module}.tsx`));
  if (!found) throw new Error(`no file of the build is src/${module}.tsx`);
  return found.fileName;
}

// What is painted first goes first: without this a browser asks for code as if it held the page up.
const modulePreload = (name: string) => `<link rel="modulepreload" crossorigin fetchpriority="low" href="/${name}">`;
const preload = (name: string, as: "font" | "fetch") => `<link rel="preload" as="${as}" crossorigin href="/${name}">`;

function withHead(document: string, links: string[]): string {
  return document.replace("  </head>", `${links.map((link) => `    ${link}\n`).join("")}  </head>`);
}

function withRoot(document: string, markup: string): string {
  return document.replace('<div id="root"></div>', () => `<div id="root">${markup}</div>`);
}
