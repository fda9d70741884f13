import { getRouteApi } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { HEADINGS } from "@/app/headings";
import { useMay } from "@/auth/session";
import { Button } from "@/design/Button";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { Segments } from "@/design/Segments";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { KeyList } from "./KeyList";

const route = getRouteApi("/shell/keys");

export function KeysPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("keys:write");
  const creating = (open: boolean) => void navigate({ search: (before) => ({ ...before, new: open || undefined }) });
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/keys"]} actions={mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => creating(true)}>New key</Button>} />
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <div className="w-52"><ProjectSelect label="Project" all="All projects" value={search.project ?? ""} onChange={(id) => void navigate({ search: (before) => ({ ...before, project: id || undefined }) })} /></div>
        <Segments label="Which keys" value={search.revoked ? "revoked" : "live"} options={[["live", "In use"], ["revoked", "Revoked"]]} onChange={(which) => void navigate({ search: (before) => ({ ...before, revoked: which === "revoked" || undefined }) })} />
      </div>
      <KeyList projectId={search.project} revoked={search.revoked} open={search.open} onOpen={(open) => void navigate({ search: (before) => ({ ...before, open }) })} creating={search.new ?? false} onCreating={creating} />
    </Gradually>
  );
}
