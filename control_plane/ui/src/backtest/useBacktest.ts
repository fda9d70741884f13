import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api } from "@/api/client";
import type { BacktestAsk, BacktestOut } from "@/api/schema";

const KEY = ["post", "/v1/backtest"] as const;
const STALE_MS = 60_000;
const TICK_MS = 1000;

/** A backtest, asked once; nobody runs a long one again because a page was looked at twice. */
export function useBacktest(asked: BacktestAsk | undefined) {
  return useQuery({
    queryKey: [...KEY, asked],
    queryFn: async ({ signal }): Promise<BacktestOut> => (await api.POST("/v1/backtest", { body: asked!, signal })).data!,
    enabled: asked !== undefined,
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
    refetchOnWindowFocus: false,
    retry: false,
  });
}

/** Gives up waiting for those that run. */
export function useStop(): () => void {
  const client = useQueryClient();
  return () => void client.cancelQueries({ queryKey: KEY });
}

/** The seconds since it began to run. */
export function useSeconds(isRunning: boolean): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    setSeconds(0);
    if (!isRunning) return;
    const timer = setInterval(() => setSeconds((before) => before + 1), TICK_MS);
    return () => clearInterval(timer);
  }, [isRunning]);
  return seconds;
}
