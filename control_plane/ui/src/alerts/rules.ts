import { api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { AlertOut, AlertRuleOut } from "@/api/schema";
import { amount, dollars } from "@/design/format";
import type { Tone } from "@/design/Badge";

export const RULES = "/v1/alert-rules";
export const ALERTS = "/v1/alerts";
export type State = AlertOut["state"];
export type Trigger = AlertRuleOut["trigger"];
export type Channel = AlertRuleOut["channel"];

export const TRIGGERS: Record<Trigger, string> = { threshold: "A budget reaches a threshold", anomaly: "Spend is unusual", kill_switch: "A kill switch is thrown or released" };
export const CHANNELS: Record<Channel, string> = { slack: "Slack, by a bot", slack_webhook: "Slack, by a webhook", email: "E-mail", webhook: "Webhook" };
export const STATES: Record<State, [string, Tone]> = { due: ["Due", "neutral"], sending: ["Sending", "accent"], sent: ["Sent", "good"], dead: ["Given up", "bad"] };

const LIVE_MS = 5_000;

export function useRules() {
  return usePages<AlertRuleOut>(["get", RULES], async (cursor) => (await api.GET("/v1/alert-rules", { params: { query: { cursor } } })).data!);
}

export function useAlerts(state: State | undefined) {
  return usePages<AlertOut>(["get", ALERTS, { state }], async (cursor) => (await api.GET("/v1/alerts", { params: { query: { state, cursor } } })).data!, { refetchMs: LIVE_MS });
}

/** What happened, in a sentence. */
export function eventWords(event: AlertOut["event"]): string {
  switch (event.type) {
    case "budget.threshold":
      return `${event.limited.name || "A budget"} is at ${event.percent}%: ${amount(event.unit, event.spent)} of ${amount(event.unit, event.limit)}`;
    case "spend.anomaly":
      return `${dollars(event.spent_usd)} in an hour, where ${dollars(event.usual_usd)} is usual`;
    case "kill_switch.thrown":
      return `Kill switch thrown: ${event.reason}`;
    case "kill_switch.released":
      return `Kill switch released: ${event.reason}`;
    case "test":
      return `A test of ${event.rule.name}`;
  }
}
