import type { ReactNode } from "react";
import type { Listed } from "@/api/pages";
import { ProblemState } from "@/api/ProblemState";
import { Button } from "./Button";
import { Table, type Column } from "./Table";

type Props<T> = { label: string; list: Listed<T>; columns: Column<T>[]; rowKey: (row: T) => string; onOpen?: (row: T) => void; empty: ReactNode };

/** A table of a list of the API: loading, failed, empty, full, and more of it. */
export function ListView<T>({ list, ...table }: Props<T>) {
  if (list.error) return <ProblemState problem={list.error} onRetry={list.retry} />;
  return (
    <>
      <Table {...table} rows={list.rows} />
      {list.more && (
        <div className="mt-3 flex justify-center">
          <Button onClick={list.more} busy={list.loadingMore}>Show more</Button>
        </div>
      )}
    </>
  );
}
