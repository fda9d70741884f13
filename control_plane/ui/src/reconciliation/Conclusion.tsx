import { clsx } from "clsx";
import { CircleCheck, Scale, ShieldAlert, TriangleAlert } from "lucide-react";
import type { ReportOut } from "@/api/schema";
import { count } from "@/design/format";
import { providerName } from "@/providers/providers";
import { TO_LOOK_AT } from "./sources";

const LOOKS = {
  bad: [<ShieldAlert size={20} key="bad" />, "border-danger/40 bg-bad-soft", "text-bad"],
  warn: [<TriangleAlert size={20} key="warn" />, "border-warn-fill/40 bg-warn-soft", "text-warn"],
  plain: [<Scale size={20} key="plain" />, "border-line bg-surface", "text-ink-2"],
  good: [<CircleCheck size={20} key="good" />, "border-line bg-surface", "text-good"],
} as const;

/** What all rows together come to, in a sentence. */
export function Conclusion({ report }: { report: ReportOut }) {
  const bypassed = report.rows.filter((row) => row.verdict === "bypass_suspected");
  const doubtful = report.rows.filter((row) => TO_LOOK_AT.includes(row.verdict)).length - bypassed.length;
  const compared = report.rows.filter((row) => row.delta !== null).length;
  if (bypassed.length > 0) {
    const where = [...new Set(bypassed.map((row) => providerName(row.provider)))].join(" and ");
    const days = new Set(bypassed.map((row) => row.day)).size;
    return <Told tone="bad" title={`${where} saw more than the gateways did`}>On {days === 1 ? "one day" : `${days} days`} the difference is larger than our numbers may be off. Somebody may be using a provider's key past the gateway: look for keys that should have been replaced.</Told>;
  }
  if (doubtful > 0) return <Told tone="warn" title={`${count(doubtful)} rows differ`}>The gateways counted more than a complete account says, or the provider bills what has no price here.</Told>;
  if (compared > 0) return <Told tone="good" title="The accounts agree">{count(compared)} rows were compared, and none differs by more than our own numbers may be off.</Told>;
  return <Told tone="plain" title="Nothing of these days was imported">What gateways counted is below. Import a provider's export of the same days to compare.</Told>;
}

function Told({ tone, title, children }: { tone: keyof typeof LOOKS; title: string; children: React.ReactNode }) {
  const [icon, frame, ink] = LOOKS[tone];
  return (
    <section role="status" className={clsx("flex gap-3 rounded-lg border p-4", frame)}>
      <span className={clsx("mt-0.5 shrink-0", ink)} aria-hidden>{icon}</span>
      <div className="min-w-0">
        <h2 className={clsx("text-base", (tone === "bad" || tone === "warn") && ink)}>{title}</h2>
        <p className="max-w-3xl text-pretty text-ink-2">{children}</p>
      </div>
    </section>
  );
}
