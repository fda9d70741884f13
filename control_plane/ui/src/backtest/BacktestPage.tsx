import { getRouteApi } from "@tanstack/react-router";
import { History } from "lucide-react";
import { useMemo, useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import { HEADINGS } from "@/app/headings";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { PageHeader } from "@/design/PageHeader";
import { askedOf, draftOf, isAsked, triedFrom, type Draft } from "./backtest";
import { Outcome } from "./Outcome";
import { Running } from "./Running";
import { TriedForm } from "./TriedForm";
import { useBacktest, useSeconds, useStop } from "./useBacktest";
import { WindowChart } from "./WindowChart";
import { WindowTable } from "./WindowTable";
import { Worst } from "./Worst";

const route = getRouteApi("/shell/backtest");

/** What would have been refused under another limit, or at other prices, of the calls that there were. */
export function BacktestPage() {
  const tried = route.useSearch();
  const navigate = route.useNavigate();
  const address = JSON.stringify(tried);
  const [runs, setRuns] = useState(0);
  const draft = useMemo(() => draftOf(tried), [address]);
  const result = useResult(draft, isAsked(tried), `${address} ${runs}`);
  function run(next: Draft) {
    setRuns(runs + 1);
    void navigate({ search: triedFrom(next), resetScroll: false });
  }
  return (
    <>
      <PageHeader {...HEADINGS["/backtest"]} />
      <div className="flex flex-col gap-4">
        <TriedForm draft={draft} problem={result.error} isRunning={result.isRunning} onRun={run} />
        {isAsked(tried) ? <Result draft={draft} {...result} /> : (
          <div className="rounded-lg border border-line bg-surface">
            <EmptyState icon={<History size={18} />} title="Nothing was tried yet">Name a limit, or a price that differs from the one in force, and replay the calls of the last days under it.</EmptyState>
          </div>
        )}
      </div>
    </>
  );
}

/** The answer, and where prices are tried the same at those in force, to compare with. */
function useResult(draft: Draft, isWanted: boolean, run: string) {
  const nowS = useMemo(() => Date.now() / 1000, [run]);
  const main = useBacktest(isWanted ? askedOf(draft, nowS) : undefined);
  const plain = useBacktest(isWanted && draft.prices.length > 0 ? askedOf(draft, nowS, false) : undefined);
  const isRunning = main.isFetching || plain.isFetching;
  return {
    told: main.isPlaceholderData ? undefined : main.data,
    before: draft.prices.length > 0 && !plain.isPlaceholderData ? plain.data : undefined,
    error: main.error ?? plain.error,
    isRunning,
    seconds: useSeconds(isRunning),
    again: () => { void main.refetch(); if (draft.prices.length > 0) void plain.refetch(); },
  };
}

function Result({ draft, told, before, error, isRunning, seconds, again }: { draft: Draft } & ReturnType<typeof useResult>) {
  const stop = useStop();
  if (isRunning) return <Running seconds={seconds} days={Number(draft.span)} onStop={stop} />;
  if (error) return <ProblemState problem={error} onRetry={again} />;
  if (!told) {
    return (
      <div className="rounded-lg border border-line bg-surface">
        <EmptyState icon={<History size={18} />} title="It was stopped" action={<Button onClick={again}>Replay the calls</Button>}>Fewer days, or one project, take less time.</EmptyState>
      </div>
    );
  }
  const counters = Object.entries(draft.scope).filter(([, value]) => value === "*").map(([dimension]) => dimension).join(", ");
  return (
    <>
      <Outcome told={told} before={before} timeZone={draft.zone} />
      {told.windows.length > 0 && <WindowChart told={told} before={before} draft={draft} />}
      {told.refused_calls > 0 && <Worst told={told} counters={counters} />}
      {told.windows.length > 0 && <WindowTable told={told} timeZone={draft.zone} />}
      <details className="text-xs text-ink-3">
        <summary className="w-fit font-medium hover:text-ink">What it takes for granted</summary>
        <ul className="mt-2 list-disc space-y-1 pl-5">{told.assumptions.map((one) => <li key={one}>{one}</li>)}</ul>
      </details>
    </>
  );
}
