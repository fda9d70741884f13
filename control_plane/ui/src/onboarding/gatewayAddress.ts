const KEY = "lensai.gateway";
const PORT = 8080;

/** Where applications reach the gateway: what was said in this browser last, what the control plane was told, else the usual port of this host. */
export function gatewayAddress(told: string | null): string {
  return localStorage.getItem(KEY) ?? told ?? `${location.protocol}//${location.hostname}:${PORT}`;
}

export function rememberGatewayAddress(address: string): void {
  localStorage.setItem(KEY, address);
}
