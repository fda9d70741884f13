import { api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { KeyOut } from "@/api/schema";
import type { Tone } from "@/design/Badge";

export const KEYS = "/v1/keys";
const LIVE_MS = 10_000;

export function useKeyList(projectId: string | undefined, revoked: boolean) {
  return usePages<KeyOut>(
    ["get", KEYS, { projectId, revoked }],
    async (cursor) => (await api.GET("/v1/keys", { params: { query: { project_id: projectId, revoked, cursor } } })).data!,
    { refetchMs: LIVE_MS },
  );
}

/** Whether a key works, in a word. */
export function keyState(key: Pick<KeyOut, "revoked_at_ms" | "disabled" | "expires_at_s" | "replaced_by">, nowMs: number): [string, Tone] {
  if (key.revoked_at_ms !== null) return ["Revoked", "neutral"];
  if (key.expires_at_s !== null && key.expires_at_s * 1000 <= nowMs) return ["Expired", "neutral"];
  if (key.disabled) return ["Off", "warn"];
  if (key.replaced_by !== null) return ["Being replaced", "warn"];
  return ["Active", "good"];
}
