import type { ReactNode } from "react";
import type { Listed } from "@/api/pages";
import { ProblemState } from "@/api/ProblemState";
import { Button } from "./Button";
import { count } from "./format";
import { ListExport } from "./ListExport";
import { Table, type Column } from "./Table";

type Props<T> = { label: string; list: Listed<T>; columns: Column<T>[]; rowKey: (row: T) => string; onOpen?: (row: T) => void; empty: ReactNode };

/** A table of a list of the API: loading, failed, empty, full, more of it, and all of it as a file. */
export function ListView<T>({ list, ...table }: Props<T>) {
  if (list.error) return <ProblemState problem={list.error} onRetry={list.retry} />;
  return (
    <>
      <Table {...table} rows={list.rows} />
      {list.rows && list.rows.length > 0 && (
        <div className="mt-2 grid grid-cols-[1fr_auto_1fr] items-center gap-2 text-xs text-ink-3">
          <span className="tabular pl-1">{list.more ? `The first ${count(list.rows.length)}` : `${count(list.rows.length)} in all`}</span>
          {list.more ? <Button onClick={list.more} busy={list.loadingMore}>Show more</Button> : <span />}
          <div className="flex justify-end"><ListExport label={table.label} columns={table.columns} all={list.all} /></div>
        </div>
      )}
    </>
  );
}
