import type { KeyCreate, KeyEdit, KeyOut } from "@/api/schema";

export type Mode = KeyOut["mode"];

/** What is filled in for a key. `expires`: days from now, "" never, or `KEEP`. Lists have commas between. */
export type KeyDraft = { name: string; mode: Mode; onDisconnect: KeyOut["on_disconnect"]; expires: string; team: string; userId: string; tags: string; models: string; upstreams: string; endpoints: string };

export const KEEP = "keep";
export const EMPTY_KEY: KeyDraft = { name: "", mode: "metered", onDisconnect: "drain", expires: "", team: "", userId: "", tags: "", models: "", upstreams: "", endpoints: "" };

export function listed(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter(Boolean);
}

/** Nothing that is named is everything. */
function scope(text: string): string[] | null {
  const names = listed(text);
  return names.length ? names : null;
}

export function draftOf(key: KeyOut): KeyDraft {
  const joined = (names: string[] | null) => (names ?? []).join(", ");
  return {
    name: key.name,
    mode: key.mode,
    onDisconnect: key.on_disconnect,
    expires: key.expires_at_s === null ? "" : KEEP,
    team: key.team,
    userId: key.user_id,
    tags: joined(key.tags),
    models: joined(key.models),
    upstreams: joined(key.upstreams),
    endpoints: joined(key.endpoints),
  };
}

type Written = Omit<KeyCreate, "project_id">;

/** As the API takes it; `expires_at_s` is left out where it stays as it is. */
export function written(draft: KeyDraft, nowS: number): Written & KeyEdit {
  const { expires } = draft;
  return {
    name: draft.name,
    mode: draft.mode,
    on_disconnect: draft.onDisconnect,
    team: draft.team,
    user_id: draft.userId,
    tags: listed(draft.tags),
    models: scope(draft.models),
    upstreams: scope(draft.upstreams),
    endpoints: scope(draft.endpoints),
    ...(expires === KEEP ? {} : { expires_at_s: expires ? Math.floor(nowS) + Number(expires) * 86_400 : null }),
  };
}
