import { $api, api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { KillSwitchOut } from "@/api/schema";

export const KILL_SWITCH = "/v1/kill-switch";
const LIVE_MS = 5_000;

/** Those in force, looked at again and again. */
export function useActiveSwitches(enabled = true): KillSwitchOut[] | undefined {
  return $api.useQuery("get", KILL_SWITCH, {}, { refetchInterval: LIVE_MS, enabled }).data?.items;
}

export function useSwitchHistory() {
  return usePages<KillSwitchOut>(["get", KILL_SWITCH, "history"], async (cursor) => (await api.GET(KILL_SWITCH, { params: { query: { all: true, cursor } } })).data!);
}
