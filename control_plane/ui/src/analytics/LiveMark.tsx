import { clsx } from "clsx";
import type { Connection } from "./live";

const WORDS: Record<Connection, string> = { connecting: "Connecting", live: "Live", lost: "Connecting again" };

export function LiveMark({ connection, isPaused = false }: { connection: Connection; isPaused?: boolean }) {
  const isLive = connection === "live" && !isPaused;
  return (
    <span role="status" className="flex items-center gap-2 text-xs text-ink-2">
      <span className="relative flex size-2" aria-hidden>
        {isLive && <span className="absolute inset-0 animate-ping-soft rounded-full bg-good" />}
        <span className={clsx("size-2 rounded-full", isLive ? "bg-good" : "bg-warn")} />
      </span>
      {isPaused ? "Paused" : WORDS[connection]}
    </span>
  );
}
