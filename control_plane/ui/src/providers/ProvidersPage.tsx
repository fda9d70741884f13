import { getRouteApi } from "@tanstack/react-router";
import { HEADINGS } from "@/app/headings";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { Tabs } from "@/design/Tabs";
import { CredentialList } from "./CredentialList";
import { PriceList } from "./PriceList";
import { UpstreamList } from "./UpstreamList";

const route = getRouteApi("/shell/providers");
const TABS = [["upstreams", "Upstreams"], ["credentials", "Credentials"], ["prices", "Price overrides"]] as const;

export function ProvidersPage() {
  const { tab = "upstreams" } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/providers"]} />
      <Tabs label="About providers" value={tab} tabs={TABS} onChange={(next) => void navigate({ search: { tab: next === "upstreams" ? undefined : next } })}>
        {tab === "upstreams" && <UpstreamList />}
        {tab === "credentials" && <CredentialList />}
        {tab === "prices" && <PriceList />}
      </Tabs>
    </Gradually>
  );
}
