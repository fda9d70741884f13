import { getRouteApi } from "@tanstack/react-router";
import { ListTree } from "lucide-react";
import { useMemo } from "react";
import { api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { Call } from "@/api/schema";
import { EmptyState } from "@/design/EmptyState";
import { Select } from "@/design/Field";
import { ListView } from "@/design/ListView";
import { PageHeader } from "@/design/PageHeader";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { CallDetails } from "./CallDetails";
import { callColumns } from "./callColumns";
import { LiveMark } from "./LiveMark";
import { useLiveCalls } from "./live";
import { outcomeWords } from "./outcomes";
import { PeriodBar } from "./PeriodBar";
import { asked, type Question } from "./question";
import { useValueNames } from "./valueNames";

const route = getRouteApi("/shell/requests");
const OUTCOMES = ["ok", "refused", "upstream_error", "client_gone", "cancelled"];

export function RequestsPage() {
  const { open, ...question } = route.useSearch();
  const navigate = route.useNavigate();
  const nameOf = useValueNames();
  const query = asked(question, "24h");
  const reachesNow = question.from === undefined && question.range !== "last-month";
  const live = useLiveCalls(query, reachesNow);
  const listed = usePages<Call>(["get", "/v1/metrics/calls", query], async (cursor) => (await api.GET("/v1/metrics/calls", { params: { query: { ...query, cursor } } })).data!);
  const rows = useMemo(() => {
    const known = new Set(listed.rows?.map((call) => call.request_id));
    return listed.rows && [...live.calls.filter((call) => !known.has(call.request_id)), ...listed.rows];
  }, [listed.rows, live.calls]);
  const ask = (next: Question) => void navigate({ search: next });
  return (
    <>
      <PageHeader title="Requests" description="Each call with what it cost, or why it was refused. No prompt and no answer is kept." actions={reachesNow && <LiveMark connection={live.connection} />} />
      <PeriodBar question={question} onChange={ask} rangeDefault="24h">
        <div className="w-44"><ProjectSelect label="Project" all="All projects" value={question.project ?? ""} onChange={(project) => ask({ ...question, project: project || undefined })} /></div>
        <div className="w-36">
          <Select aria-label="Outcome" value={question.outcome ?? ""} onChange={(event) => ask({ ...question, outcome: event.target.value || undefined })}>
            <option value="">Any outcome</option>
            {OUTCOMES.map((outcome) => <option key={outcome} value={outcome}>{outcomeWords(outcome)}</option>)}
          </Select>
        </div>
      </PeriodBar>
      <ListView
        label="Requests"
        list={{ ...listed, rows }}
        columns={callColumns(nameOf)}
        rowKey={(call) => call.request_id}
        onOpen={(call) => void navigate({ search: { ...question, open: call.request_id } })}
        empty={<EmptyState icon={<ListTree size={18} />} title="No calls here">Calls appear within two seconds of their end. Widen the period or take away a filter to see older ones.</EmptyState>}
      />
      {open && <CallDetails id={open} question={question} onClose={() => ask(question)} />}
    </>
  );
}
