import { useLocation } from "@tanstack/react-router";
import { PageHeader } from "@/design/PageHeader";
import { Skeleton } from "@/design/Skeleton";
import { headingOf, type Heading } from "./headings";

/** While a page's code is on its way. */
export function PageLoading() {
  return <PagePlace heading={headingOf(useLocation({ select: ({ pathname }) => pathname }))} />;
}

/** What holds the place of a page: its heading, where that is known, and the height of a table. */
export function PagePlace({ heading }: { heading?: Heading }) {
  return (
    <>
      {heading ? <PageHeader {...heading} /> : (
        <>
          <Skeleton className="mb-2 h-7 w-44" />
          <Skeleton className="mb-6 h-4 w-72 max-w-full" />
        </>
      )}
      <div aria-busy role="status" aria-label="Loading"><Skeleton className="h-80 w-full rounded-lg" /></div>
    </>
  );
}
