import { Link } from "@tanstack/react-router";
import { ListTree, Pencil } from "lucide-react";
import { useState } from "react";
import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import { Actor } from "@/auth/Actor";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { Button, buttonClass } from "@/design/Button";
import { CopyLine } from "@/design/Copy";
import { Dialog } from "@/design/Dialog";
import { Facts } from "@/design/Facts";
import { Skeleton } from "@/design/Skeleton";
import { Time } from "@/design/Time";
import { ProjectName } from "@/projects/ProjectName";
import { EditKey } from "./EditKey";
import { keyState } from "./keys";

function Names({ of }: { of: string[] | null }) {
  if (of === null) return <span className="text-ink-2">Any</span>;
  return <span className="flex flex-wrap justify-end gap-1">{of.map((name) => <Badge key={name}>{name}</Badge>)}</span>;
}

export function KeyDetails({ id, onClose }: { id: string; onClose: () => void }) {
  const { data: key, error } = $api.useQuery("get", "/v1/keys/{key_id}", { params: { path: { key_id: id } } });
  const [editing, setEditing] = useState(false);
  const mayWrite = useMay("keys:write");
  const maySeeUsage = useMay("usage:read");
  if (key && editing) return <EditKey of={key} onClose={() => setEditing(false)} />;
  return (
    <Dialog open onClose={onClose} place="side" title={key?.name ?? "Key"}>
      {error && <ProblemState problem={error} />}
      {!key && !error && <Skeleton className="h-64 w-full" />}
      {key && (
        <div className="flex flex-col gap-4">
          <CopyLine text={key.id} label="Copy the id" />
          <div className="flex flex-wrap gap-2">
            {mayWrite && key.revoked_at_ms === null && <Button icon={<Pencil size={14} />} onClick={() => setEditing(true)}>Change</Button>}
            {maySeeUsage && <Link to="/requests" search={{ key_id: [key.id], range: "7d" }} className={buttonClass()}><ListTree size={14} aria-hidden />Its calls</Link>}
          </div>
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
              ["Created by", <Actor key="by" id={key.created_by} />],
            ]}
          />
        </div>
      )}
    </Dialog>
  );
}
