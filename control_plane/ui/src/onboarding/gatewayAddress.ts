const KEY = "lensai.gateway";
const PORT = 8080;

/** Where this browser's applications reach the gateway: what was said last, else the usual port of this host. */
export function gatewayAddress(): string {
  return localStorage.getItem(KEY) ?? `${location.protocol}//${location.hostname}:${PORT}`;
}

export function rememberGatewayAddress(address: string): void {
  localStorage.setItem(KEY, address);
}
