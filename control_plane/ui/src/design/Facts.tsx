import type { ReactNode } from "react";

export type Fact = readonly [name: string, value: ReactNode];

/** Names and values under each other. */
export function Facts({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className="divide-y divide-line">
      {facts.map(([name, value]) => (
        <div key={name} className="flex items-baseline justify-between gap-6 py-2">
          <dt className="shrink-0 text-ink-3">{name}</dt>
          <dd className="tabular min-w-0 break-words text-right">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
