import { useEffect, useState } from "react";
import { stringifySearch } from "@/app/search";
import type { Call } from "@/api/schema";

const KEPT_MAX = 200;
export type Connection = "connecting" | "live" | "lost";

/** Newest first, each once: a call may be told again after a connection was lost. */
export function withCall(calls: readonly Call[], call: Call): Call[] {
  const others = calls.filter((one) => one.request_id !== call.request_id);
  return [call, ...others].slice(0, KEPT_MAX);
}

/** Calls as they end. The browser connects again by itself. */
export function useLiveCalls(query: Record<string, unknown>, enabled: boolean): { calls: Call[]; connection: Connection } {
  const [calls, setCalls] = useState<Call[]>([]);
  const [connection, setConnection] = useState<Connection>("connecting");
  const url = `/v1/metrics/live${stringifySearch(query)}`;
  useEffect(() => {
    setCalls([]);
    setConnection("connecting");
    if (!enabled) return;
    const source = new EventSource(url);
    source.onopen = () => setConnection("live");
    source.onerror = () => setConnection("lost");
    source.addEventListener("call", (event) => {
      const call = JSON.parse(event.data as string) as Call;
      setCalls((before) => withCall(before, call));
    });
    return () => source.close();
  }, [url, enabled]);
  return { calls, connection };
}
