import { useMemo } from "react";
import { $api, api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { ProjectOut } from "@/api/schema";

export const PROJECTS = "/v1/projects";
const NAMED_MAX = 200;

export function useProjectList(archived: boolean) {
  return usePages<ProjectOut>(["get", PROJECTS, { archived }], async (cursor) => (await api.GET("/v1/projects", { params: { query: { archived, cursor } } })).data!);
}

/** Those that a form lets one choose from. */
export function useProjects(enabled = true): ProjectOut[] | undefined {
  return $api.useQuery("get", "/v1/projects", { params: { query: { limit: NAMED_MAX } } }, { enabled }).data?.items;
}

/** Names by id, archived projects' too; none where nothing shows any. */
export function useProjectNames(enabled = true): ReadonlyMap<string, string> {
  const current = useProjects(enabled);
  const archived = $api.useQuery("get", "/v1/projects", { params: { query: { limit: NAMED_MAX, archived: true } } }, { staleTime: 30_000, enabled });
  // All at once: whatever shows names is drawn anew with them.
  const [now, before] = archived.isLoading ? [] : [current, archived.data?.items];
  return useMemo(() => new Map([...(before ?? []), ...(now ?? [])].map((project) => [project.id, project.name])), [before, now]);
}
