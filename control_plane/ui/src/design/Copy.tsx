import { Check, Copy as CopyIcon } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "./Button";

/** Pages over plain HTTP have no clipboard; a selection that is copied works there too. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

const SHOWN_MS = 1600;

export function CopyButton({ text, label = "Copy", wide }: { text: string; label?: string; wide?: boolean }) {
  const [copied, setCopied] = useState(false);
  const icon = copied ? <Check size={14} className="text-good" /> : <CopyIcon size={14} />;
  async function press() {
    await copy(text);
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_MS);
  }
  if (wide) return <Button small icon={icon} onClick={press}>{copied ? "Copied" : label}</Button>;
  return <IconButton label={copied ? "Copied" : label} onClick={press} className="size-7">{icon}</IconButton>;
}

/** Something in a row that is copied whole: an id, a secret. */
export function CopyLine({ text, label }: { text: string; label: string }) {
  return (
    <div className="flex items-center gap-2 rounded-md border border-line bg-sunken py-1 pl-3 pr-1">
      <code className="min-w-0 flex-1 break-all font-mono text-xs">{text}</code>
      <CopyButton text={text} label={label} />
    </div>
  );
}
