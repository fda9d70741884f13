import { Activity, BellRing, Boxes, ChartColumn, FolderKanban, Gauge, History, KeyRound, ListTree, OctagonX, Scale, ScrollText, Settings, Users, type LucideIcon } from "lucide-react";
import type { Permission } from "@/auth/session";

export type Place = { to: string; name: string; icon: LucideIcon; needs: Permission; go: string; words?: string };
type Group = { name: string; places: Place[] };

/** All there is to go to. `go` is pressed after `g`; `words` find it in the palette too. */
export const NAVIGATION: Group[] = [
  {
    name: "Observe",
    places: [
      { to: "/", name: "Overview", icon: Activity, needs: "self", go: "o", words: "home spend" },
      { to: "/usage", name: "Usage", icon: ChartColumn, needs: "usage:read", go: "u", words: "cost latency tokens errors analytics" },
      { to: "/requests", name: "Requests", icon: ListTree, needs: "usage:read", go: "r", words: "calls logs live" },
      { to: "/reconciliation", name: "Reconciliation", icon: Scale, needs: "reconciliation:read", go: "c", words: "invoice bill import bypass savings provider account" },
    ],
  },
  {
    name: "Control",
    places: [
      { to: "/budgets", name: "Budgets & quotas", icon: Gauge, needs: "budgets:read", go: "b", words: "limits rate" },
      { to: "/backtest", name: "Backtest", icon: History, needs: "budgets:read", go: "t", words: "what if simulate replay limit price history" },
      { to: "/alerts", name: "Alerts", icon: BellRing, needs: "alerts:read", go: "l", words: "slack webhook mail" },
      { to: "/kill-switch", name: "Kill switch", icon: OctagonX, needs: "kill_switch:read", go: "x", words: "stop emergency" },
    ],
  },
  {
    name: "Build",
    places: [
      { to: "/projects", name: "Projects", icon: FolderKanban, needs: "projects:read", go: "p" },
      { to: "/keys", name: "Keys", icon: KeyRound, needs: "keys:read", go: "k", words: "api secret" },
      { to: "/providers", name: "Providers & prices", icon: Boxes, needs: "providers:read", go: "v", words: "credentials upstreams openai anthropic azure" },
    ],
  },
  {
    name: "Organization",
    places: [
      { to: "/members", name: "Members", icon: Users, needs: "members:read", go: "m", words: "people roles invite" },
      { to: "/audit", name: "Audit log", icon: ScrollText, needs: "audit:read", go: "a", words: "history chain" },
      { to: "/settings", name: "Settings", icon: Settings, needs: "organization:read", go: "s", words: "organization tokens gateways sessions" },
    ],
  },
];

export function placesFor(permissions: readonly Permission[]): Group[] {
  return NAVIGATION.map((group) => ({ ...group, places: group.places.filter((place) => permissions.includes(place.needs)) })).filter((group) => group.places.length > 0);
}
