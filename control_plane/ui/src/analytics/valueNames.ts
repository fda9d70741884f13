import { useCallback, useMemo } from "react";
import { $api } from "@/api/client";
import { useMay } from "@/auth/session";
import { useProjectNames } from "@/projects/projects";

const NAMED_MAX = 200;
export type NameOf = (dimension: string, value: string) => string;
/** Filters call them by their ids. */
const isOfProject = (dimension: string) => dimension === "project" || dimension === "project_id";
const isOfKey = (dimension: string) => dimension === "key" || dimension === "key_id";

/** Says what a value of these dimensions is called: keys and projects have names, which are read, everything else is its own. */
export function useValueNames(...of: string[]): NameOf {
  const projects = useProjectNames(of.some(isOfProject));
  const mayReadKeys = useMay("keys:read");
  const options = { staleTime: 30_000, enabled: mayReadKeys && of.some(isOfKey) };
  const current = $api.useQuery("get", "/v1/keys", { params: { query: { limit: NAMED_MAX } } }, options);
  const revoked = $api.useQuery("get", "/v1/keys", { params: { query: { limit: NAMED_MAX, revoked: true } } }, options);
  // All at once: whatever shows names is drawn anew with them.
  const [now, before] = current.isLoading || revoked.isLoading ? [] : [current.data?.items, revoked.data?.items];
  const keys = useMemo(() => new Map([...(before ?? []), ...(now ?? [])].map((key) => [key.id, key.name])), [now, before]);
  return useCallback(
    (dimension, value) => {
      if (value === "") return "(none)";
      if (isOfProject(dimension)) return projects.get(value) ?? value;
      if (isOfKey(dimension)) return keys.get(value) ?? value;
      return value;
    },
    [projects, keys],
  );
}
