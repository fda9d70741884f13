import { CopyButton } from "./Copy";

/** A block to copy; long lines scroll. */
export function Code({ text, label }: { text: string; label: string }) {
  return (
    <div className="relative overflow-hidden rounded-lg border border-line bg-sunken">
      <div className="absolute right-2 top-2"><CopyButton text={text} wide label="Copy" /></div>
      <pre className="overflow-x-auto p-4 pr-24 font-mono text-xs leading-5" tabIndex={0} role="region" aria-label={label}><code>{text}</code></pre>
    </div>
  );
}
