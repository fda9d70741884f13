export type Heading = { title: string; description: string };

/** What heads a page, by its address: known before the page is there, and shown in its place (PageLoading, documents.ts). */
export const HEADINGS = {
  "/": { title: "Overview", description: "What is being spent, on what, and what it will come to." },
  "/alerts": { title: "Alerts", description: "Who is told, and where, when a budget fills up, spend is unusual, or somebody pulls the plug." },
  "/audit": { title: "Audit log", description: "Every change and who made it, each entry sealed with the one before it." },
  "/backtest": { title: "Backtest", description: "What another limit or other prices would have done with the calls that there were, call for call as a gateway counts." },
  "/budgets": { title: "Budgets & quotas", description: "Enforced in the gateway before a call is sent, with what calls under way may still cost held back." },
  "/keys": { title: "Keys", description: "What applications show the gateway instead of a provider's secret." },
  "/kill-switch": { title: "Kill switch", description: "Ends the calls of a project at every gateway, those under way too, and admits no new ones until it is released." },
  "/members": { title: "Members", description: "Who may see this organization, and what each may do." },
  "/onboarding": { title: "Connect an application", description: "From nothing to the first metered call in a few minutes." },
  "/projects": { title: "Projects", description: "What keys, budgets and costs belong to." },
  "/providers": { title: "Providers & prices", description: "Where calls go, with whose credential, and what they cost where it is not the list price." },
  "/reconciliation": { title: "Reconciliation", description: "What gateways counted against what providers say themselves, and what was saved." },
  "/requests": { title: "Requests", description: "Each call with what it cost, or why it was refused. No prompt and no answer is kept." },
  "/settings": { title: "Settings", description: "The organization, what speaks for it, and where you are signed in." },
  "/usage": { title: "Usage", description: "What calls cost, how fast they were and what failed. Press a row to narrow; drag over the chart to look closer." },
} as const satisfies Record<string, Heading>;

export type Address = keyof typeof HEADINGS;

/** Nothing where an address has no heading of its own: a project is headed with its name. */
export function headingOf(address: string): Heading | undefined {
  return (HEADINGS as Record<string, Heading>)[address];
}
