import { ShieldAlert, ShieldCheck } from "lucide-react";
import { $api } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { count } from "@/design/format";

/** Walks the chain when asked to, for it may be long. */
export function VerifyChain() {
  const check = $api.useQuery("get", "/v1/audit/verify", {}, { enabled: false });
  const told = check.data;
  return (
    <div className="mb-5 flex flex-wrap items-center justify-between gap-3 rounded-lg border border-line bg-surface px-4 py-3" aria-live="polite">
      {told?.broken ? (
        <span className="flex items-center gap-2.5 text-bad"><ShieldAlert size={18} aria-hidden />Entry {told.broken.number} does not hold: {told.broken.reason}</span>
      ) : told ? (
        <span className="flex min-w-0 items-center gap-2.5"><ShieldCheck size={18} className="shrink-0 text-good" aria-hidden /><span>Every link of {count(told.entries)} entries holds</span><code className="hidden truncate font-mono text-xs text-ink-3 md:inline">{told.last_hash.slice(0, 24)}…</code></span>
      ) : (
        <span className="flex items-center gap-2.5 text-ink-2"><ShieldCheck size={18} className="text-ink-3" aria-hidden />An edit, a gap or a swap breaks the chain of hashes.</span>
      )}
      <ProblemNote problem={check.error} />
      <Button small busy={check.isFetching} onClick={() => void check.refetch()}>{told ? "Verify again" : "Verify the chain"}</Button>
    </div>
  );
}
