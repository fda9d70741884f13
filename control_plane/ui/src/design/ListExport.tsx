import { Download } from "lucide-react";
import { useState } from "react";
import { explain } from "@/api/problem";
import { Button } from "./Button";
import { csv, download } from "./csv";
import type { Column } from "./Table";
import { toast } from "./Toasts";

type Props<T> = { label: string; columns: Column<T>[]; all: () => Promise<T[]> };

/** The whole list as a file: the pages that were not read yet too. */
export function ListExport<T>({ label, columns, all }: Props<T>) {
  const [busy, setBusy] = useState(false);
  const written = columns.filter((column) => column.text);
  if (written.length === 0) return null;
  async function save() {
    setBusy(true);
    try {
      const rows = (await all()).map((row) => written.map((column) => column.text!(row)));
      download(`${label.toLowerCase().replaceAll(" ", "-")}.csv`, csv(written.map((column) => (typeof column.head === "string" ? column.head : column.key)), rows));
    } catch (problem) {
      toast(explain(problem));
    }
    setBusy(false);
  }
  return <Button small look="quiet" busy={busy} icon={<Download size={13} />} onClick={() => void save()}>CSV</Button>;
}
