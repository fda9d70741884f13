import { getRouteApi } from "@tanstack/react-router";
import { CloudDownload, FileUp } from "lucide-react";
import { HEADINGS } from "@/app/headings";
import { useMay } from "@/auth/session";
import { Button } from "@/design/Button";
import { Select } from "@/design/Field";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { Tabs } from "@/design/Tabs";
import { FetchForm } from "./FetchForm";
import { ImportForm } from "./ImportForm";
import { ImportList } from "./ImportList";
import { MappingList } from "./MappingList";
import { Report } from "./Report";
import { Savings } from "./Savings";

const route = getRouteApi("/shell/reconciliation");
const TABS = [["report", "Report"], ["savings", "Savings"], ["imports", "Imports"], ["names", "Names"]] as const;
const SPANS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"]] as const;
const SPAN_DEFAULT = "30";
const DAY_MS = 86_400_000;

export function ReconciliationPage() {
  const { tab = "report", span = SPAN_DEFAULT, new: adding, ...view } = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("reconciliation:write");
  const open = (next: "file" | "fetch" | undefined) => void navigate({ search: (before) => ({ ...before, new: next }) });
  const days = { from_day: new Date(Date.now() - (Number(span) - 1) * DAY_MS).toISOString().slice(0, 10) };
  const add = mayWrite && (
    <>
      <Button icon={<CloudDownload size={15} />} onClick={() => open("fetch")}>Ask the provider</Button>
      <Button look="primary" icon={<FileUp size={15} />} onClick={() => open("file")}>Import an export</Button>
    </>
  );
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/reconciliation"]} actions={add} />
      <Tabs label="About accounts" value={tab} tabs={TABS} onChange={(next) => void navigate({ search: { span: span === SPAN_DEFAULT ? undefined : span, tab: next === "report" ? undefined : next } })}>
        {(tab === "report" || tab === "savings") && (
          <div className="mb-3 w-32">
            <Select aria-label="Days" value={span} onChange={(event) => void navigate({ search: (before) => ({ ...before, day: undefined, span: event.target.value as typeof span }) })}>{SPANS.map(([id, name]) => <option key={id} value={id}>{name}</option>)}</Select>
          </div>
        )}
        {tab === "report" && <Report view={view} onChange={(next) => void navigate({ search: (before) => ({ ...before, show: undefined, provider: undefined, day: undefined, ...next }), resetScroll: false })} days={days} add={add} />}
        {tab === "savings" && <Savings days={days} />}
        {tab === "imports" && <ImportList add={add} />}
        {tab === "names" && <MappingList />}
      </Tabs>
      {mayWrite && adding === "file" && <ImportForm onClose={() => open(undefined)} />}
      {mayWrite && adding === "fetch" && <FetchForm onClose={() => open(undefined)} />}
    </Gradually>
  );
}
