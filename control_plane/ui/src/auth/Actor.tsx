import { $api } from "@/api/client";
import { useMay } from "./session";

const NAMED_MAX = 200;

/** Who did something: a member by name, everybody else as the API calls them. */
export function Actor({ id }: { id: string }) {
  const enabled = useMay("members:read");
  const members = $api.useQuery("get", "/v1/members", { params: { query: { limit: NAMED_MAX } } }, { enabled, staleTime: 30_000 }).data?.items;
  const member = members?.find((one) => `user:${one.user_id}` === id);
  return member ? <span title={id}>{member.name || member.email}</span> : <code className="font-mono text-xs">{id}</code>;
}
