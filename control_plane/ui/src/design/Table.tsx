import { clsx } from "clsx";
import { memo, useCallback, useMemo, useRef, type KeyboardEvent, type ReactNode } from "react";
import type { Cell } from "./csv";
import { Skeleton } from "./Skeleton";
import { useSteps } from "./steps";
import { useWide, type From } from "./width";

export type Column<T> = {
  key: string;
  head: ReactNode;
  cell: (row: T) => ReactNode;
  /** Numbers stand under each other. */
  numeric?: boolean;
  /** What it is in a file; without it the column is in none. */
  text?: (row: T) => Cell;
  /** From which width on it is shown; what matters most is always there. `never`: in files alone. */
  from?: From | "never";
  width?: string;
};

type Props<T> = {
  label: string;
  columns: Column<T>[];
  rows: T[] | undefined;
  rowKey: (row: T) => string;
  onOpen?: (row: T) => void;
  skeletonRows?: number;
  empty: ReactNode;
};

function cellClass<T>(column: Column<T>): string {
  return clsx("px-3 first:pl-4 last:pr-4", column.numeric ? "text-right" : "max-w-48 wrap-break-word sm:max-w-80", column.width);
}

/** Those that there is room for: what is not shown is not made either. The same ones for as long as nothing changes. */
function useShown<T>(columns: Column<T>[]): Column<T>[] {
  const [sm, md, lg] = [useWide("sm"), useWide("md"), useWide("lg")];
  return useMemo(() => {
    const room = { sm, md, lg, never: false };
    return columns.filter((column) => !column.from || room[column.from]);
  }, [columns, sm, md, lg]);
}

/** One function for as long as the table stands, so that rows which did not change are not made anew. */
function useSame<T>(open: ((row: T) => void) | undefined): ((row: T) => void) | undefined {
  const latest = useRef(open);
  latest.current = open;
  const same = useCallback((row: T) => latest.current?.(row), []);
  return open && same;
}

/** So many rows are made in one task; the page answers before the next ones. */
const EACH = 9;
/** What a list is asked for at once: where somebody asked for more, it all comes at once. */
const STEPS = 6;

/** Dense rows in a frame. While `rows` is undefined it has the height it will have. */
export function Table<T>({ label, columns: all, rows, rowKey, onOpen, skeletonRows = 6, empty }: Props<T>) {
  const columns = useShown(all);
  const open = useSame(onOpen);
  const step = useSteps(rows ? STEPS : 1);
  const made = step === STEPS ? rows : rows?.slice(0, step * EACH);
  if (rows?.length === 0) return <div className="rounded-lg border border-line bg-surface">{empty}</div>;
  return (
    // Positioned, so that what only screen readers see is clipped with the rest and does not widen the page.
    <div className="relative overflow-x-auto rounded-lg border border-line bg-surface" role="region" aria-label={label} tabIndex={0}>
      <table className="w-full border-collapse text-left" aria-busy={rows === undefined || undefined}>
        <thead>
          <tr className="border-b border-line">
            {columns.map((column) => (
              <th key={column.key} scope="col" className={clsx("h-9 whitespace-nowrap text-xs font-medium text-ink-3", cellClass(column))}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {made
            ? made.map((row) => <Row key={rowKey(row)} row={row} columns={columns} onOpen={open} />)
            : Array.from({ length: skeletonRows }, (_, index) => <SkeletonRow key={index} columns={columns} />)}
          {rows && made && made.length < rows.length && <tr aria-hidden style={{ height: (rows.length - made.length) * ROW_PX }} />}
        </tbody>
      </table>
    </div>
  );
}

const ROW = "h-11 border-b border-line last:border-0";
/** Its height: rows that are still to be made have their room already. */
const ROW_PX = 44;

const Row = memo(function Row<T>({ row, columns, onOpen }: { row: T; columns: Column<T>[]; onOpen?: (row: T) => void }) {
  const opens = onOpen && {
    onClick: () => onOpen(row),
    onKeyDown: (event: KeyboardEvent) => event.key === "Enter" && event.target === event.currentTarget && onOpen(row),
    tabIndex: 0,
  };
  return (
    <tr className={clsx(ROW, onOpen && "cursor-pointer transition-colors hover:bg-sunken/60 focus-visible:bg-sunken focus-visible:-outline-offset-2")} {...opens}>
      {columns.map((column) => <td key={column.key} className={cellClass(column)}>{column.cell(row)}</td>)}
    </tr>
  );
}) as <T>(props: { row: T; columns: Column<T>[]; onOpen?: (row: T) => void }) => ReactNode;

function SkeletonRow<T>({ columns }: { columns: Column<T>[] }) {
  return (
    <tr className={ROW} aria-hidden>
      {columns.map((column) => (
        <td key={column.key} className={cellClass(column)}><Skeleton className={clsx("h-3 w-20", column.numeric && "ml-auto w-12")} /></td>
      ))}
    </tr>
  );
}

/** What stands in the last column: presses on it open no row. */
export function RowActions({ children }: { children: ReactNode }) {
  return <div className="flex justify-end gap-1" onClick={(event) => event.stopPropagation()} onKeyDown={(event) => event.stopPropagation()}>{children}</div>;
}
