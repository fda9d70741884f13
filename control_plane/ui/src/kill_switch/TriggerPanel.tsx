import { OctagonX } from "lucide-react";
import { useState } from "react";
import { $api, api, refresh } from "@/api/client";
import { useSession } from "@/auth/session";
import { scopeWords } from "@/budgets/limits";
import { ScopeFields, toScope, type ScopeRow } from "@/budgets/ScopeFields";
import { Confirm } from "@/design/Confirm";
import { Field, Input } from "@/design/Field";
import { count } from "@/design/format";
import { toast } from "@/design/Toasts";
import { listed } from "@/keys/draft";
import { useProjectNames } from "@/projects/projects";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { KILL_SWITCH } from "./switches";

const LIVE_MS = 3_000;

/** Calls under way of a project, or of the whole organization. */
function useInflight(project: string): number | undefined {
  const { data } = $api.useQuery("get", "/v1/kill-switch/calls", {}, { refetchInterval: LIVE_MS });
  return data && (project ? (data.by_project[project] ?? 0) : data.calls);
}

export function TriggerPanel({ projectId }: { projectId?: string }) {
  const [project, setProject] = useState(projectId ?? "");
  const [reason, setReason] = useState("");
  const [scope, setScope] = useState<ScopeRow[]>([]);
  const [allow, setAllow] = useState("");
  const [asking, setAsking] = useState(false);
  const inflight = useInflight(project);
  const names = useProjectNames();
  const organization = useSession().organization;
  const target = project ? (names.get(project) ?? project) : organization.name;
  async function trigger() {
    await api.POST("/v1/kill-switch/trigger", { body: { reason, project_id: project || null, scope: toScope(scope), allow: listed(allow) } });
    toast(`The calls of ${target} are cut`);
    setReason("");
    setScope([]);
    setAllow("");
    await refresh(KILL_SWITCH);
  }
  return (
    <section className="overflow-hidden rounded-lg border border-line bg-surface" aria-label="Throw a kill switch">
      <div className="grid gap-x-8 gap-y-5 p-5 md:grid-cols-[1fr_15rem]">
        <form id="trigger" className="flex flex-col gap-4" onSubmit={(event) => { event.preventDefault(); setAsking(true); }}>
          <Field label="Whose calls end"><ProjectSelect value={project} onChange={setProject} all={`All of ${organization.name}`} /></Field>
          <Field label="Reason" hint="Callers are told it, with every refusal."><Input value={reason} onChange={(event) => setReason(event.target.value)} required maxLength={500} placeholder="An agent runs in circles" /></Field>
          <ScopeFields rows={scope} onChange={setScope} />
          <Field label="What stays open" optional hint="Names of endpoints, with commas between."><Input value={allow} onChange={(event) => setAllow(event.target.value)} placeholder="models.list, files" spellCheck={false} /></Field>
        </form>
        <div className="flex flex-col items-center justify-center gap-3 rounded-lg bg-sunken p-5 text-center">
          <button type="submit" form="trigger" className="flex size-28 flex-col items-center justify-center gap-1.5 rounded-full border-4 border-danger/30 bg-danger font-semibold text-white shadow-float transition-transform hover:bg-danger-hover active:scale-95">
            <OctagonX size={26} aria-hidden />
            Cut calls
          </button>
          <p className="text-xs text-ink-2" role="status">{inflight === undefined ? "…" : inflight === 1 ? "1 call" : `${count(inflight)} calls`} under way would end now{Object.keys(toScope(scope)).length > 0 && ", at most"}</p>
        </div>
      </div>
      {asking && (
        <Confirm title={`Cut the calls of ${target}?`} action="Cut calls now" type={target} onConfirm={trigger} onClose={() => setAsking(false)}>
          Streams under way end at once with the reason, and new calls are refused until somebody releases the switch.
          {Object.keys(toScope(scope)).length > 0 && <> Only of {scopeWords(toScope(scope)).join(", ")}.</>}
          {listed(allow).length > 0 && <> Still open: {listed(allow).join(", ")}.</>}
        </Confirm>
      )}
    </section>
  );
}
