import { useCallback } from "react";
import { $api } from "@/api/client";
import { useMay } from "@/auth/session";
import { useProjectNames } from "@/projects/projects";

const NAMED_MAX = 200;
export type NameOf = (dimension: string, value: string) => string;

/** Says what a value of a dimension is called: keys and projects have names, everything else is its own. */
export function useValueNames(): NameOf {
  const projects = useProjectNames();
  const mayReadKeys = useMay("keys:read");
  const query = { params: { query: { revoked: true, limit: NAMED_MAX } } };
  const keys = $api.useQuery("get", "/v1/keys", query, { staleTime: 30_000, enabled: mayReadKeys }).data?.items;
  return useCallback(
    (dimension, value) => {
      if (value === "") return "(none)";
      if (dimension.startsWith("project")) return projects.get(value) ?? value;
      if (dimension.startsWith("key")) return keys?.find((key) => key.id === value)?.name ?? value;
      return value;
    },
    [projects, keys],
  );
}
