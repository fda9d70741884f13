import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import { Badge } from "@/design/Badge";
import { CopyLine } from "@/design/Copy";
import { Dialog } from "@/design/Dialog";
import { Facts } from "@/design/Facts";
import { Skeleton } from "@/design/Skeleton";
import { Time } from "@/design/Time";
import { ProjectName } from "@/projects/ProjectName";
import { keyState } from "./keys";

function Names({ of }: { of: string[] | null }) {
  if (of === null) return <span className="text-ink-2">Any</span>;
  return <span className="flex flex-wrap justify-end gap-1">{of.map((name) => <Badge key={name}>{name}</Badge>)}</span>;
}

export function KeyDetails({ id, onClose }: { id: string; onClose: () => void }) {
  const { data: key, error } = $api.useQuery("get", "/v1/keys/{key_id}", { params: { path: { key_id: id } } });
  return (
    <Dialog open onClose={onClose} place="side" title={key?.name ?? "Key"}>
      {error && <ProblemState problem={error} />}
      {!key && !error && <Skeleton className="h-64 w-full" />}
      {key && (
        <div className="flex flex-col gap-4">
          <CopyLine text={key.id} label="Copy the id" />
          <Facts
            facts={[
              ["State", <Badge key="state" tone={keyState(key, Date.now())[1]} dot>{keyState(key, Date.now())[0]}</Badge>],
              ["Begins with", <code key="prefix" className="font-mono text-xs">{key.prefix}…</code>],
              ["Project", <ProjectName key="project" id={key.project_id} />],
              ["Mode", <span key="mode" className="capitalize">{key.mode}</span>],
              ["When a caller leaves", key.on_disconnect === "drain" ? "The answer is read to its end" : "The call is cancelled"],
              ["Models", <Names key="models" of={key.models} />],
              ["Upstreams", <Names key="upstreams" of={key.upstreams} />],
              ["Endpoints", <Names key="endpoints" of={key.endpoints} />],
              ["Team", key.team || "–"],
              ["User", key.user_id || "–"],
              ["Tags", key.tags.length ? <Names key="tags" of={key.tags} /> : "–"],
              ["Last used", <Time key="used" ms={key.used_at_s && key.used_at_s * 1000} />],
              ["Expires", <Time key="expires" ms={key.expires_at_s && key.expires_at_s * 1000} />],
              ["Created", <Time key="created" ms={key.created_at_ms} />],
              ["Created by", <code key="by" className="font-mono text-xs">{key.created_by}</code>],
            ]}
          />
        </div>
      )}
    </Dialog>
  );
}
