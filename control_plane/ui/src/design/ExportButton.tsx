import { Download } from "lucide-react";
import { IconButton } from "@/design/Button";
import { csv, download, type Cell } from "./csv";

type Props = { name: string; head: readonly string[]; rows: () => readonly (readonly Cell[])[] };

/** What is on the screen, as a file. */
export function ExportButton({ name, head, rows }: Props) {
  return (
    <IconButton label={`Download ${name} as CSV`} className="size-7" onClick={() => download(`${name}.csv`, csv(head, rows()))}>
      <Download size={14} />
    </IconButton>
  );
}
