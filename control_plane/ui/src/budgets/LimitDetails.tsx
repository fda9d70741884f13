import { Link } from "@tanstack/react-router";
import { History, Pencil, ShieldOff, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import type { StatusOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { triedLike } from "@/backtest/backtest";
import { Badge } from "@/design/Badge";
import { Button, buttonClass } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { Dialog } from "@/design/Dialog";
import { Facts } from "@/design/Facts";
import { amount, percent } from "@/design/format";
import { Meter } from "@/design/Meter";
import { Segments } from "@/design/Segments";
import { Skeleton } from "@/design/Skeleton";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { ProjectName } from "@/projects/ProjectName";
import { BudgetForm } from "./BudgetForm";
import { BUDGETS, QUOTAS, scopeWords, title, used, useStatus, type Limit } from "./limits";
import { LimitHistory } from "./LimitHistory";
import { OverrideForm } from "./OverrideForm";
import { QuotaForm } from "./QuotaForm";

type Asking = "edit" | "override" | "delete" | null;

export type View = "history" | undefined;

type Props = { limit: Limit; view: View; onView: (view: View) => void; onClose: () => void };

/** One budget or quota: how it stands, what it will come to, what crossed, and what can be done. */
export function LimitDetails({ limit, view, onView, onClose }: Props) {
  const { data: status, error } = useStatus(limit.kind, limit.id);
  const [asking, setAsking] = useState<Asking>(null);
  const shown = view ?? "now";
  const mayWrite = useMay("budgets:write");
  const done = () => setAsking(null);
  async function remove() {
    if (limit.kind === "budget") await api.DELETE("/v1/budgets/{budget_id}", { params: { path: { budget_id: limit.id } } });
    else await api.DELETE("/v1/quotas/{quota_id}", { params: { path: { quota_id: limit.id } } });
    toast(`${title(limit)} limits nothing any more`);
    onClose();
    await refresh(BUDGETS, QUOTAS);
  }
  if (asking === "edit") return limit.kind === "budget" ? <BudgetForm limit={limit} onClose={done} /> : <QuotaForm limit={limit} onClose={done} />;
  return (
    <Dialog open onClose={onClose} place="side" title={title(limit)} description={<ProjectName id={limit.projectId} />}>
      <div className="mb-4"><Segments label="What is shown" value={shown} options={[["now", "Now"], ["history", "History"]]} onChange={(next) => onView(next === "now" ? undefined : next)} /></div>
      {shown === "history" && <LimitHistory limit={limit} />}
      {error && shown === "now" && <ProblemState problem={error} />}
      {!status && !error && shown === "now" && <Skeleton className="h-64 w-full" />}
      {status && shown === "now" && (
        <div className="flex flex-col gap-5">
          <Standing limit={limit} status={status} />
          <div className="flex flex-wrap gap-2">
            {mayWrite && <Button icon={<Pencil size={14} />} onClick={() => setAsking("edit")}>Change</Button>}
            {mayWrite && <OverrideButton limit={limit} status={status} onAsk={() => setAsking("override")} />}
            {limit.unit !== "concurrent" && <Link to="/backtest" search={triedLike(limit)} className={buttonClass()}><History size={14} aria-hidden />Try another limit</Link>}
            {mayWrite && <Button look="quiet" icon={<Trash2 size={14} />} onClick={() => setAsking("delete")}>Delete</Button>}
          </div>
          <Counters limit={limit} status={status} />
          <Crossings limit={limit} status={status} />
          <Facts
            facts={[
              ["At the limit", limit.blocks ? "Calls are blocked" : "Alerts only"],
              ["Tells at", limit.thresholds.length ? limit.thresholds.map((one) => `${one}%`).join(", ") : "Never"],
              ["Only of", scopeWords(limit.scope).join(", ") || "Everything"],
              ["Calendar", limit.timeZone],
              ["Counted", status.counted === "per_node" ? "Apart at each gateway" : status.counted === "both" ? "Together and apart" : "Together over all gateways"],
              ["As of", <Time key="as-of" ms={status.as_of_ms} fallback="No gateway has reported" />],
              ["Set", <Time key="set" ms={limit.createdAtMs} />],
            ]}
          />
        </div>
      )}
      {asking === "override" && <OverrideForm limit={limit} onClose={done} />}
      {asking === "delete" && <Confirm title={`Delete ${title(limit)}?`} action="Delete" onConfirm={remove} onClose={done}>It limits and counts nothing any more, at every gateway.</Confirm>}
    </Dialog>
  );
}

function Standing({ limit, status }: { limit: Limit; status: StatusOut }) {
  const pace = status.forecast.recent ?? status.forecast.over_window;
  const inForce = status.limit_in_force;
  return (
    <div>
      <div className="mb-2 flex items-baseline justify-between gap-4">
        <span className="tabular text-2xl font-semibold tracking-tight">{amount(limit.unit, used(limit.unit, status))}</span>
        <span className="tabular text-ink-2">{inForce === null ? "no limit" : `of ${amount(limit.unit, inForce)}`}</span>
      </div>
      <Meter className="!h-2" label="Used" settled={Number(used(limit.unit, status) ?? 0)} held={limit.unit === "concurrent" ? 0 : Number(status.held ?? 0)} limit={inForce === null ? null : Number(inForce)} />
      <dl className="mt-4 grid grid-cols-3 gap-3">
        <Figure name="Used" value={percent(status.percent)} />
        <Figure name="Held" value={amount(limit.unit, status.held)} />
        <Figure name="Left" value={amount(limit.unit, status.left)} />
        {pace && <Figure name="A day takes" value={amount(limit.unit, pace.per_day)} />}
        {pace?.at_end && <Figure name="At the window's end" value={amount(limit.unit, pace.at_end)} />}
        {pace?.exhausted_at_s && Number(status.left) > 0 && <Figure name="Used up" value={<Time ms={pace.exhausted_at_s * 1000} />} />}
        {status.window.ends_at_s && <Figure name="Counts anew" value={<Time ms={status.window.ends_at_s * 1000} />} />}
      </dl>
    </div>
  );
}

function Figure({ name, value }: { name: string; value: React.ReactNode }) {
  return (
    <div>
      <dt className="text-xs text-ink-3">{name}</dt>
      <dd className="tabular font-medium">{value}</dd>
    </div>
  );
}

function OverrideButton({ limit, status, onAsk }: { limit: Limit; status: StatusOut; onAsk: () => void }) {
  async function end() {
    if (limit.kind === "budget") await api.DELETE("/v1/budgets/{budget_id}/override", { params: { path: { budget_id: limit.id } } });
    else await api.DELETE("/v1/quotas/{quota_id}/override", { params: { path: { quota_id: limit.id } } });
    toast("The override has ended");
    await refresh(BUDGETS, QUOTAS);
  }
  if (!status.override) return <Button icon={<ShieldOff size={14} />} onClick={onAsk}>Override</Button>;
  return (
    <div className="flex w-full items-center justify-between gap-3 rounded-md bg-warn-soft px-3 py-2 text-warn">
      <span>
        {status.override.limit === null ? "Nothing is refused" : `The limit is ${amount(limit.unit, status.override.limit)}`}, ends <Time ms={status.override.until_s * 1000} />
        {status.override.reason && `: ${status.override.reason}`}
      </span>
      <Button small onClick={() => void end()}>End it</Button>
    </div>
  );
}

function Counters({ limit, status }: { limit: Limit; status: StatusOut }) {
  if (status.counters.length === 0) return null;
  return (
    <section>
      <h3 className="mb-1.5 font-medium">Each for itself</h3>
      <ul className="flex flex-col gap-2.5">
        {status.counters.map((counter) => {
          const name = Object.values(counter.values).join(", ");
          return (
            <li key={name}>
              <div className="mb-1 flex justify-between gap-4 text-xs">
                <span className="truncate font-medium">{name}</span>
                <span className="tabular text-ink-2">{amount(limit.unit, limit.unit === "concurrent" ? counter.held : counter.spent)}</span>
              </div>
              <Meter label={`${name}: used`} settled={Number(counter.spent)} held={Number(counter.held)} limit={status.limit_in_force === null ? null : Number(status.limit_in_force)} />
            </li>
          );
        })}
      </ul>
      {status.counters_more > 0 && <p className="mt-2 text-xs text-ink-3">and {status.counters_more} more</p>}
    </section>
  );
}

function Crossings({ limit, status }: { limit: Limit; status: StatusOut }) {
  if (status.crossed.length === 0) return null;
  return (
    <section>
      <h3 className="mb-1.5 font-medium">Reached in this window</h3>
      <ul className="flex flex-col gap-1.5">
        {status.crossed.map((crossing) => (
          <li key={`${crossing.percent}${Object.values(crossing.values).join()}`} className="flex items-center justify-between gap-4">
            <span className="flex items-center gap-2">
              <Badge tone={crossing.percent >= 100 ? "bad" : "warn"}>{crossing.percent}%</Badge>
              <span className="tabular text-ink-2">{amount(limit.unit, crossing.settled)} {Object.values(crossing.values).join(", ")}</span>
            </span>
            <span className="text-ink-3"><Time ms={crossing.fired_at_ms} /></span>
          </li>
        ))}
      </ul>
    </section>
  );
}
