import { PartyPopper } from "lucide-react";
import { $api } from "@/api/client";
import type { KeyWithSecret } from "@/api/schema";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { Time } from "@/design/Time";
import { Snippets } from "./Snippets";

const LOOK_MS = 1_000;

/** Looks whether the key was used, until it was. */
function useFirstCall(keyId: string): number | null {
  const { data } = $api.useQuery("get", "/v1/keys/{key_id}", { params: { path: { key_id: keyId } } }, { refetchInterval: (query) => (query.state.data?.used_at_s ? false : LOOK_MS) });
  return data?.used_at_s ?? null;
}

export function CallStep({ made, onNext }: { made: KeyWithSecret; onNext: () => void }) {
  const usedAtS = useFirstCall(made.id);
  return (
    <div className="flex flex-col gap-4">
      <Card title="Make the first call" hint="Only the address and the key of your application change.">
        <Snippets secret={made.secret} />
      </Card>
      <div role="status" className="flex flex-wrap items-center justify-between gap-4 rounded-lg border border-line bg-surface px-4 py-4">
        {usedAtS === null ? <Waiting /> : <Arrived atMs={usedAtS * 1000} />}
        <Button look={usedAtS === null ? "quiet" : "primary"} onClick={onNext}>{usedAtS === null ? "Skip for now" : "Go on"}</Button>
      </div>
    </div>
  );
}

function Waiting() {
  return (
    <span className="flex items-center gap-3">
      <span className="relative flex size-2.5" aria-hidden>
        <span className="absolute inset-0 animate-ping-soft rounded-full bg-accent" />
        <span className="size-2.5 rounded-full bg-accent" />
      </span>
      Waiting for the first call …
    </span>
  );
}

function Arrived({ atMs }: { atMs: number }) {
  return (
    <span className="flex animate-appear items-center gap-3">
      <span className="flex size-9 items-center justify-center rounded-full bg-good-soft text-good"><PartyPopper size={18} aria-hidden /></span>
      <span>
        <b className="block text-base font-semibold">The first call went through</b>
        <span className="text-ink-2">It was metered <Time ms={atMs} />.</span>
      </span>
    </span>
  );
}
