import { useSuspenseQuery } from "@tanstack/react-query";
import { api, queryClient, SESSION_KEY } from "@/api/client";
import type { SessionOut } from "@/api/schema";

export type Permission = SessionOut["permissions"][number];
export type Role = SessionOut["organization"]["role"];

export const sessionQuery = {
  queryKey: SESSION_KEY,
  queryFn: async (): Promise<SessionOut> => (await api.GET("/v1/session")).data!,
  staleTime: 60_000,
};

/** Who is signed in. Pages are only shown to somebody who is. */
export function useSession(): SessionOut {
  return useSuspenseQuery(sessionQuery).data;
}

export function useMay(permission: Permission): boolean {
  return useSession().permissions.includes(permission);
}

export async function signOut(): Promise<void> {
  await api.DELETE("/v1/session");
  queryClient.clear();
  location.assign("/sign-in");
}

/** Everything that was read was another organization's. */
export async function chooseOrganization(orgId: string): Promise<void> {
  const { data } = await api.POST("/v1/session/organization", { body: { org_id: orgId } });
  queryClient.clear();
  queryClient.setQueryData(SESSION_KEY, data);
  location.assign("/");
}
