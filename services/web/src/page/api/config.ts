import { isRecord } from '@sidestage/client';

export interface PageConfig {
  /** The gateway's public address, without a slash at the end. */
  gatewayUrl: string;
}

/** What the page's own server says about the rest of the fleet. Without an answer the usual local address is tried. */
export async function loadConfig(): Promise<PageConfig> {
  const answer: unknown = await fetch('/config.json')
    .then((response) => response.json())
    .catch(() => null);
  const url = isRecord(answer) && typeof answer.gateway_url === 'string' ? answer.gateway_url : 'http://localhost:8000';
  return { gatewayUrl: url.replace(/\/+$/, '') };
}
