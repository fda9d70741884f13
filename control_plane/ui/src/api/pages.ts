import { useInfiniteQuery, type UseInfiniteQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";

type Page<T> = { items: T[]; next_cursor?: string | null };

export type Listed<T> = {
  rows: T[] | undefined;
  more: (() => void) | undefined;
  loadingMore: boolean;
  error: unknown;
  retry: () => void;
  /** All of it, page after page, for a file. */
  all: () => Promise<T[]>;
};

/** A file of so many rows is what the longest list comes to; who wants more has the API. */
const ALL_MAX = 20_000;

async function everything<T>(read: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const rows: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    rows.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && rows.length < ALL_MAX);
  return rows;
}

/** A list of the API that is read page after page. `key` begins like the other queries': method, address. */
export function usePages<T>(key: readonly unknown[], read: (cursor: string | undefined) => Promise<Page<T>>, options: { enabled?: boolean; refetchMs?: number } = {}): Listed<T> {
  const query: UseInfiniteQueryResult<{ pages: Page<T>[] }> = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: Page<T>) => page.next_cursor ?? undefined,
    enabled: options.enabled,
    refetchInterval: options.refetchMs,
  });
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  return {
    rows,
    more: query.hasNextPage ? () => void query.fetchNextPage() : undefined,
    loadingMore: query.isFetchingNextPage,
    error: rows === undefined ? query.error : null,
    retry: () => void query.refetch(),
    all: () => everything(read),
  };
}
