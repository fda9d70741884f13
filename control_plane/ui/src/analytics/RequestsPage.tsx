import { getRouteApi } from "@tanstack/react-router";
import { Download, ListTree, Pause, Play } from "lucide-react";
import { useCallback, useMemo } from "react";
import { api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { Call } from "@/api/schema";
import { HEADINGS } from "@/app/headings";
import { stringifySearch } from "@/app/search";
import { useMay } from "@/auth/session";
import { Button, buttonClass } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { Select } from "@/design/Field";
import { count } from "@/design/format";
import { Gradually } from "@/design/Gradually";
import { ListView } from "@/design/ListView";
import { PageHeader } from "@/design/PageHeader";
import { useWide } from "@/design/width";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { CallDetails } from "./CallDetails";
import { callColumns } from "./callColumns";
import { LiveMark } from "./LiveMark";
import { useLiveCalls } from "./live";
import { outcomeWords } from "./outcomes";
import { usePause } from "./paused";
import { PeriodBar } from "./PeriodBar";
import { activeFilters, asked, type Question } from "./question";
import { useValueNames } from "./valueNames";

const route = getRouteApi("/shell/requests");
const OUTCOMES = ["ok", "refused", "upstream_error", "client_gone", "cancelled"];

export function RequestsPage() {
  const { open, ...question } = route.useSearch();
  const navigate = route.useNavigate();
  // Where there is no room for names none are read.
  const [hasProjects, hasKeys] = [useWide("md"), useWide("lg")];
  const nameOf = useValueNames(...(hasProjects ? ["project"] : []), ...(hasKeys ? ["key"] : []));
  const mayExport = useMay("usage:export");
  const query = asked(question, "24h");
  const reachesNow = question.from === undefined && question.range !== "last-month";
  const live = useLiveCalls(query, reachesNow);
  const listed = usePages<Call>(["get", "/v1/metrics/calls", query], async (cursor) => (await api.GET("/v1/metrics/calls", { params: { query: { ...query, cursor } } })).data!);
  const rows = useMemo(() => {
    const known = new Set(listed.rows?.map((call) => call.request_id));
    const fresh = live.calls.filter((call) => !known.has(call.request_id));
    // Calls that come live are shown before the list has answered.
    return listed.rows || fresh.length > 0 ? [...fresh, ...(listed.rows ?? [])] : undefined;
  }, [listed.rows, live.calls]);
  const pause = usePause(rows, (call) => call.request_id);
  const columns = useMemo(() => callColumns(nameOf), [nameOf]);
  const show = useCallback((call: Call) => void navigate({ search: (before) => ({ ...before, open: call.request_id }) }), [navigate]);
  const ask = (next: Question) => void navigate({ search: next });
  return (
    <Gradually>
      <PageHeader
        {...HEADINGS["/requests"]}
        actions={
          <>
            {reachesNow && <LiveMark connection={live.connection} isPaused={pause.isPaused} />}
            {reachesNow && <Button icon={pause.isPaused ? <Play size={14} /> : <Pause size={14} />} onClick={pause.toggle}>{pause.isPaused ? (pause.waiting > 0 ? `Go on, ${count(pause.waiting)} new` : "Go on") : "Pause"}</Button>}
            {mayExport && <a href={`/v1/exports/calls${stringifySearch(query)}`} download className={buttonClass()}><Download size={14} aria-hidden />CSV</a>}
          </>
        }
      />
      <PeriodBar question={question} onChange={ask} rangeDefault="24h">
        <div className="w-44"><ProjectSelect label="Project" all="All projects" value={question.project ?? ""} onChange={(project) => ask({ ...question, project: project || undefined })} /></div>
        <div className="w-36">
          <Select aria-label="Outcome" value={question.outcome?.length === 1 ? question.outcome[0] : question.outcome ? "several" : ""} onChange={(event) => ask({ ...question, outcome: event.target.value ? [event.target.value] : undefined })}>
            <option value="">Any outcome</option>
            {(question.outcome?.length ?? 0) > 1 && <option value="several" disabled>Several</option>}
            {OUTCOMES.map((outcome) => <option key={outcome} value={outcome}>{outcomeWords(outcome)}</option>)}
          </Select>
        </div>
      </PeriodBar>
      <ListView
        label="Requests"
        list={{ ...listed, rows: pause.rows, error: pause.rows ? null : listed.error }}
        columns={columns}
        rowKey={(call) => call.request_id}
        onOpen={show}
        empty={<EmptyState icon={<ListTree size={18} />} title="No calls here" action={activeFilters(question).length > 0 && <Button onClick={() => ask({ range: question.range, from: question.from, to: question.to })}>Take away the filters</Button>}>Calls appear within two seconds of their end. Widen the period or take away a filter to see older ones.</EmptyState>}
      />
      {open && <CallDetails id={open} question={question} onClose={() => ask(question)} />}
    </Gradually>
  );
}
