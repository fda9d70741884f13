import { api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { InvitationOut, MemberOut } from "@/api/schema";
import type { Role } from "./session";

export const MEMBERS = "/v1/members";
export const INVITATIONS = "/v1/invitations";

export const ROLES: readonly (readonly [Role, string])[] = [
  ["owner", "Everything, the organization and its payments too"],
  ["admin", "Everything but the organization's name and payments"],
  ["developer", "Reads, makes keys, throws the kill switch"],
  ["viewer", "Reads"],
  ["billing", "Costs, budgets and payments, read only but for payments"],
];

export function useMembers() {
  return usePages<MemberOut>(["get", MEMBERS], async (cursor) => (await api.GET("/v1/members", { params: { query: { cursor } } })).data!);
}

export function useInvitations() {
  return usePages<InvitationOut>(["get", INVITATIONS], async (cursor) => (await api.GET("/v1/invitations", { params: { query: { cursor } } })).data!);
}
