import type { AuditOut } from "@/api/schema";
import { Actor } from "@/auth/Actor";
import { Button } from "@/design/Button";
import { Code } from "@/design/Code";
import { Dialog } from "@/design/Dialog";
import { Facts } from "@/design/Facts";
import { moment } from "@/design/format";
import type { Filters } from "./AuditFilters";

type Props = { entry: AuditOut; onClose: () => void; onFilter: (filters: Filters) => void };

export function AuditEntry({ entry, onClose, onFilter }: Props) {
  return (
    <Dialog open onClose={onClose} place="side" wide title={entry.action} description={moment(entry.at_ms)}>
      <div className="flex flex-col gap-4">
        <Facts
          facts={[
            ["Number", entry.number],
            ["By", <Actor key="actor" id={entry.actor} />],
            ["Of", <code key="subject" className="font-mono text-xs">{entry.subject}</code>],
            ["Hash", <code key="hash" className="break-all font-mono text-xs">{entry.hash}</code>],
            ["Hash before", <code key="before" className="break-all font-mono text-xs">{entry.previous_hash || "–"}</code>],
          ]}
        />
        <div className="flex flex-wrap gap-2">
          <Button small onClick={() => onFilter({ subject: entry.subject })}>All about this</Button>
          <Button small onClick={() => onFilter({ actor: entry.actor })}>All by this actor</Button>
        </div>
        <Code text={JSON.stringify(entry.meta, null, 2)} label="What was before and after" />
      </div>
    </Dialog>
  );
}
