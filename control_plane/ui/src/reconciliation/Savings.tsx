import { PiggyBank } from "lucide-react";
import { clsx } from "clsx";
import { useState } from "react";
import { Stat } from "@/analytics/Stat";
import { ProblemState } from "@/api/ProblemState";
import type { SavingsOut } from "@/api/schema";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { EmptyState } from "@/design/EmptyState";
import { ExportButton } from "@/design/ExportButton";
import { compact, count, dollars } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import { useSavings } from "./sources";

/** What caches, cheaper routes and refusals saved, and what each number rests on. */
export function Savings({ days }: { days: { from_day?: string; to_day?: string } }) {
  const { data, error, refetch } = useSavings(days);
  if (error && !data) return <ProblemState problem={error} onRetry={() => void refetch()} />;
  const ready = data !== undefined;
  const isNothing = data && data.caching.length + data.routing.length + data.blocked.length === 0;
  return (
    <div className="flex flex-col gap-4">
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Stat name="Spent" ready={ready} value={dollars(data?.spent_usd)} hint={data && `since ${data.from_day}`} />
        <Stat name="Saved by caches" ready={ready} value={dollars(data?.caching_usd)} hint="less what writes cost" />
        <Stat name="Saved by routing" ready={ready} value={dollars(data?.routing_usd)} hint="another model answered" />
        <Stat name="Saved by refusals" ready={ready} value={dollars(data?.blocked_usd)} hint="at the average of its like" />
      </div>
      {!data && <Skeleton className="h-72 w-full" />}
      {isNothing && <div className="rounded-lg border border-line bg-surface"><EmptyState icon={<PiggyBank size={18} />} title="Nothing was saved in these days">Cached prompts, calls that another model answered, and calls that a limit refused would be listed here.</EmptyState></div>}
      {data && !isNothing && <Parts of={data} />}
      {data && (
        <Card title="What these numbers rest on">
          <ul className="flex max-w-3xl list-disc flex-col gap-1.5 pl-4 text-pretty text-ink-2">{data.assumptions.map((one) => <li key={one}>{one}</li>)}</ul>
        </Card>
      )}
    </div>
  );
}

type PartRow = { name: string; of: string; amount: string; saved: string | null };

function Parts({ of: data }: { of: SavingsOut }) {
  return (
    <div className="grid items-start gap-4 lg:grid-cols-3">
      <Part title="Caches" head="Tokens read" rows={data.caching.map((one) => ({ name: one.model, of: one.provider, amount: compact(one.cache_read_tokens), saved: one.saved_usd }))} />
      <Part title="Routing" head="Calls" rows={data.routing.map((one) => ({ name: one.model_requested, of: `answered by ${one.model}`, amount: count(one.calls), saved: one.saved_usd }))} />
      <Part title="Refusals" head="Calls" rows={data.blocked.map((one) => ({ name: one.model_requested || "(no model)", of: one.refusal_code.replaceAll("_", " "), amount: count(one.calls), saved: one.saved_usd }))} />
    </div>
  );
}

const SHOWN = 8;

function Part({ title, head, rows }: { title: string; head: string; rows: PartRow[] }) {
  const [all, setAll] = useState(false);
  const sorted = rows.toSorted((a, b) => Number(b.saved ?? 0) - Number(a.saved ?? 0));
  return (
    <Card title={title} flush actions={<ExportButton name={`saved by ${title.toLowerCase()}`} head={["model", "of", head.toLowerCase(), "saved usd"]} rows={() => sorted.map((row) => [row.name, row.of, row.amount, row.saved])} />}>
      {sorted.length === 0 && <p className="border-t border-line px-4 py-10 text-center text-ink-3">Nothing in these days.</p>}
      <ul className={clsx("divide-y divide-line", sorted.length > 0 && "border-t border-line")}>
        {sorted.slice(0, all ? undefined : SHOWN).map((row) => (
          <li key={`${row.name}${row.of}`} className="tabular flex items-center justify-between gap-4 px-4 py-2">
            <div className="min-w-0"><div className="truncate font-medium">{row.name}</div><div className="truncate text-xs text-ink-3">{row.of}</div></div>
            <div className="shrink-0 text-right"><div>{dollars(row.saved)}</div><div className="text-xs text-ink-3">{row.amount} {row.amount === "1" ? "call" : head.toLowerCase()}</div></div>
          </li>
        ))}
      </ul>
      {sorted.length > SHOWN && <div className="border-t border-line p-1.5 text-center"><Button small look="quiet" onClick={() => setAll(!all)}>{all ? "Show fewer" : `Show all ${sorted.length}`}</Button></div>}
    </Card>
  );
}
