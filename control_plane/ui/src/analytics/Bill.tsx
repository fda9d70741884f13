import type { CallDetail } from "@/api/schema";
import { count, dollars } from "@/design/format";

/** A call's cost, bucket by bucket. */
export function Bill({ detail }: { detail: CallDetail }) {
  if (!detail.buckets?.length) return null;
  return (
    <section>
      <h3 className="mb-1.5 font-medium">The bill</h3>
      <table className="w-full text-left">
        <thead>
          <tr className="border-b border-line text-xs text-ink-3">
            <th scope="col" className="h-8 font-medium">Bucket</th>
            <th scope="col" className="text-right font-medium">Count</th>
            <th scope="col" className="text-right font-medium">Per million</th>
            <th scope="col" className="text-right font-medium">Cost</th>
          </tr>
        </thead>
        <tbody>
          {detail.buckets.map((bucket) => (
            <tr key={bucket.bucket} className="h-9 border-b border-line">
              <td>{bucket.bucket.replaceAll("_", " ")}</td>
              <td className="text-right">{count(bucket.count)}</td>
              <td className="text-right text-ink-2">{dollars(bucket.usd_per_million)}</td>
              <td className="text-right">{dollars(bucket.cost_usd)}</td>
            </tr>
          ))}
          <tr className="h-9 font-medium">
            <td colSpan={3}>Recorded</td>
            <td className="text-right">{dollars(detail.call.cost_usd)}</td>
          </tr>
        </tbody>
      </table>
      {!detail.explained && <p className="mt-1 text-xs text-ink-3">An override or a tier applied: the recorded cost holds, the lines are at list prices.</p>}
    </section>
  );
}
