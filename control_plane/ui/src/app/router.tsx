import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from "@tanstack/react-router";
import { chartOf, questionOf } from "@/analytics/question";
import { triedOf } from "@/backtest/backtest";
import { queryClient } from "@/api/client";
import { isProblem } from "@/api/problem";
import { ProblemState } from "@/api/ProblemState";
import { sessionQuery } from "@/auth/session";
import { SignInPage } from "@/auth/SignInPage";
import { NotFound } from "./NotFound";
import { PageLoading } from "./PageLoading";
import { flag, oneOf, optional, parseSearch, stringifySearch, text } from "./search";
import { Shell } from "./Shell";

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  component: SignInPage,
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  component: Shell,
  beforeLoad: async ({ location }) => {
    try {
      await queryClient.ensureQueryData(sessionQuery);
    } catch (error) {
      if (isProblem(error) && error.status === 401) throw redirect({ to: "/sign-in", search: { next: location.href } });
      throw error;
    }
  },
});

const at = { getParentRoute: () => shell } as const;

const home = createRoute({ ...at, path: "/", validateSearch: optional(chartOf), component: lazyRouteComponent(() => import("@/analytics/OverviewPage"), "OverviewPage") });

const onboarding = createRoute({
  ...at,
  path: "/onboarding",
  validateSearch: optional((search) => ({ project: text(search.project), step: text(search.step) })),
  component: lazyRouteComponent(() => import("@/onboarding/OnboardingPage"), "OnboardingPage"),
});

const projects = createRoute({
  ...at,
  path: "/projects",
  validateSearch: optional((search) => ({ archived: flag(search.archived), new: flag(search.new) })),
  component: lazyRouteComponent(() => import("@/projects/ProjectsPage"), "ProjectsPage"),
});

const project = createRoute({
  ...at,
  path: "/projects/$projectId",
  validateSearch: optional((search) => ({ ...questionOf(search), tab: oneOf(search.tab, ["usage", "keys", "limits", "settings"]), open: text(search.open), view: oneOf(search.view, ["history"]), new: oneOf(search.new, ["budget", "quota"]) })),
  component: lazyRouteComponent(() => import("@/projects/ProjectPage"), "ProjectPage"),
});

const keys = createRoute({
  ...at,
  path: "/keys",
  validateSearch: optional((search) => ({ project: text(search.project), revoked: flag(search.revoked), open: text(search.open), new: flag(search.new) })),
  component: lazyRouteComponent(() => import("@/keys/KeysPage"), "KeysPage"),
});

const budgets = createRoute({
  ...at,
  path: "/budgets",
  validateSearch: optional((search) => ({
    tab: oneOf(search.tab, ["quotas"]),
    project: text(search.project),
    open: text(search.open),
    view: oneOf(search.view, ["history"]),
    new: oneOf(search.new, ["budget", "quota"]),
  })),
  component: lazyRouteComponent(() => import("@/budgets/BudgetsPage"), "BudgetsPage"),
});

const backtest = createRoute({
  ...at,
  path: "/backtest",
  validateSearch: optional(triedOf),
  component: lazyRouteComponent(() => import("@/backtest/BacktestPage"), "BacktestPage"),
});

const killSwitch = createRoute({
  ...at,
  path: "/kill-switch",
  validateSearch: optional((search) => ({ project: text(search.project) })),
  component: lazyRouteComponent(() => import("@/kill_switch/KillSwitchPage"), "KillSwitchPage"),
});

const alerts = createRoute({
  ...at,
  path: "/alerts",
  validateSearch: optional((search) => ({ tab: oneOf(search.tab, ["history"]), state: oneOf(search.state, ["due", "sending", "sent", "dead"]), new: flag(search.new) })),
  component: lazyRouteComponent(() => import("@/alerts/AlertsPage"), "AlertsPage"),
});

const providers = createRoute({
  ...at,
  path: "/providers",
  validateSearch: optional((search) => ({ tab: oneOf(search.tab, ["credentials", "prices"]) })),
  component: lazyRouteComponent(() => import("@/providers/ProvidersPage"), "ProvidersPage"),
});

const members = createRoute({
  ...at,
  path: "/members",
  validateSearch: optional((search) => ({ tab: oneOf(search.tab, ["invitations"]) })),
  component: lazyRouteComponent(() => import("@/auth/MembersPage"), "MembersPage"),
});

const audit = createRoute({
  ...at,
  path: "/audit",
  validateSearch: optional((search) => ({ actor: text(search.actor), action: text(search.action), subject: text(search.subject), from: text(search.from), to: text(search.to), open: text(search.open) })),
  component: lazyRouteComponent(() => import("@/audit/AuditPage"), "AuditPage"),
});

const settings = createRoute({
  ...at,
  path: "/settings",
  validateSearch: optional((search) => ({ tab: oneOf(search.tab, ["tokens", "gateways", "sessions"]) })),
  component: lazyRouteComponent(() => import("@/auth/SettingsPage"), "SettingsPage"),
});

const reconciliation = createRoute({
  ...at,
  path: "/reconciliation",
  validateSearch: optional((search) => ({
    tab: oneOf(search.tab, ["savings", "imports", "names"]),
    span: oneOf(search.span, ["7", "30", "90"]),
    show: oneOf(search.show, ["all"]),
    provider: text(search.provider),
    day: text(search.day),
    new: oneOf(search.new, ["file", "fetch"]),
  })),
  component: lazyRouteComponent(() => import("@/reconciliation/ReconciliationPage"), "ReconciliationPage"),
});

const requests = createRoute({
  ...at,
  path: "/requests",
  validateSearch: optional((search) => ({ ...questionOf(search), open: text(search.open) })),
  component: lazyRouteComponent(() => import("@/analytics/RequestsPage"), "RequestsPage"),
});

const usage = createRoute({
  ...at,
  path: "/usage",
  validateSearch: optional(questionOf),
  component: lazyRouteComponent(() => import("@/analytics/UsagePage"), "UsagePage"),
});

const pages = [home, requests, usage, onboarding, projects, project, keys, budgets, backtest, killSwitch, alerts, providers, reconciliation, members, audit, settings];

export const router = createRouter({
  routeTree: root.addChildren([signIn, shell.addChildren(pages)]),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultPendingComponent: PageLoading,
  defaultPendingMs: 150,
  defaultErrorComponent: ({ error, reset }) => <ProblemState problem={error} onRetry={reset} />,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
