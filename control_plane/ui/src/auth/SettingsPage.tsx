import { getRouteApi } from "@tanstack/react-router";
import { HEADINGS } from "@/app/headings";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { Tabs } from "@/design/Tabs";
import { GatewayList } from "@/publish/GatewayList";
import { OrganizationSettings } from "./OrganizationSettings";
import { SessionList } from "./SessionList";
import { useMay } from "./session";
import { TokenList } from "./TokenList";

const route = getRouteApi("/shell/settings");

export function SettingsPage() {
  const { tab = "organization" } = route.useSearch();
  const navigate = route.useNavigate();
  const mayReadTokens = useMay("tokens:read");
  const tabs = [["organization", "Organization"], ...(mayReadTokens ? [["tokens", "Service tokens"] as const] : []), ["gateways", "Gateways"], ["sessions", "Your browsers"]] as const;
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/settings"]} />
      <Tabs label="Settings" value={tab} tabs={tabs} onChange={(next) => void navigate({ search: { tab: next === "organization" ? undefined : next } })}>
        {tab === "organization" && <OrganizationSettings />}
        {tab === "tokens" && mayReadTokens && <TokenList />}
        {tab === "gateways" && <GatewayList />}
        {tab === "sessions" && <SessionList />}
      </Tabs>
    </Gradually>
  );
}
