import { PageHeader } from "@/design/PageHeader";

export function OverviewPage() {
  return <PageHeader title="Overview" />;
}
