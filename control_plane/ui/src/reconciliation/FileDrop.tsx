import { clsx } from "clsx";
import { FileUp } from "lucide-react";
import { useId, useState } from "react";

type Props = { file: File | null; accept: string; onChange: (file: File) => void };

function size(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** A file is chosen, or dropped here. */
export function FileDrop({ file, accept, onChange }: Props) {
  const id = useId();
  const [over, setOver] = useState(false);
  return (
    <label
      htmlFor={id}
      onDragOver={(event) => { event.preventDefault(); setOver(true); }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const dropped = event.dataTransfer.files[0];
        if (dropped) onChange(dropped);
      }}
      className={clsx("flex h-28 cursor-pointer flex-col items-center justify-center gap-1.5 rounded-lg border border-dashed px-4 text-center transition-colors focus-within:border-accent", over ? "border-accent bg-accent-soft" : "border-line-strong bg-sunken hover:border-ink-3")}
    >
      <FileUp size={20} className="text-ink-3" aria-hidden />
      {file ? <span className="max-w-full truncate font-medium">{file.name} <span className="font-normal text-ink-3">{size(file.size)}</span></span> : <span className="text-ink-2">Drop the export here, or <span className="font-medium text-accent-ink underline underline-offset-2">choose a file</span></span>}
      <input id={id} type="file" aria-label="The export" accept={accept} className="sr-only" onChange={(event) => event.target.files?.[0] && onChange(event.target.files[0])} />
    </label>
  );
}
