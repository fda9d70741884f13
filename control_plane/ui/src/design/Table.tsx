import { clsx } from "clsx";
import { memo, type KeyboardEvent, type ReactNode } from "react";
import type { Cell } from "./csv";
import { Skeleton } from "./Skeleton";
import { useSteps } from "./steps";

export type Column<T> = {
  key: string;
  head: ReactNode;
  cell: (row: T) => ReactNode;
  /** Numbers stand under each other. */
  numeric?: boolean;
  /** What it is in a file; without it the column is in none. */
  text?: (row: T) => Cell;
  /** From which width on it is shown; what matters most is always there. `never`: in files alone. */
  from?: "sm" | "md" | "lg" | "never";
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

const FROM = { sm: "max-sm:hidden", md: "max-md:hidden", lg: "max-lg:hidden", never: "hidden" };

function cellClass<T>(column: Column<T>): string {
  return clsx("px-3 first:pl-4 last:pr-4", column.numeric && "text-right", column.from && FROM[column.from], column.width);
}

/** As many as a high window shows; the others come after them. */
const FIRST = 18;

/** Dense rows in a frame. While `rows` is undefined it has the height it will have. */
export function Table<T>({ label, columns, rows, rowKey, onOpen, skeletonRows = 6, empty }: Props<T>) {
  const isWhole = useSteps(rows ? 2 : 1) === 2;
  if (rows?.length === 0) return <div className="rounded-lg border border-line bg-surface">{empty}</div>;
  return (
    <div className="overflow-x-auto rounded-lg border border-line bg-surface" role="region" aria-label={label} tabIndex={0}>
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
          {rows
            ? (isWhole ? rows : rows.slice(0, FIRST)).map((row) => <Row key={rowKey(row)} row={row} columns={columns} onOpen={onOpen} />)
            : Array.from({ length: skeletonRows }, (_, index) => <SkeletonRow key={index} columns={columns} />)}
        </tbody>
      </table>
    </div>
  );
}

const ROW = "h-11 border-b border-line last:border-0";

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
