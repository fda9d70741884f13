import { Skeleton } from "@/design/Skeleton";

/** While a page's code is on its way, at the height of its heading and of a table. */
export function PageLoading() {
  return (
    <div aria-busy role="status" aria-label="Loading">
      <Skeleton className="mb-2 h-7 w-44" />
      <Skeleton className="mb-6 h-4 w-72 max-w-full" />
      <Skeleton className="h-80 w-full rounded-lg" />
    </div>
  );
}
