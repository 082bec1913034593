/** The forge of the project `told`, behind a border of its own. */
import { freePort } from '../support/port.ts';
import { StatusForge } from '../support/status-forge.ts';
import type { Border } from './border.ts';
import { httpProxy } from './http-proxy.ts';
import type { Proxy } from './listening.ts';

export class WorldForge extends StatusForge {
  /** Through the border. */
  address = '';
}

/** Starts the forge; it ends with its border. */
export async function forgeBehind(forge: WorldForge, border: Border): Promise<Proxy> {
  await forge.start();
  const port = await freePort();
  forge.address = `http://127.0.0.1:${port}`;
  const { hostname: host, port: own } = new URL(forge.url);
  const proxy = await httpProxy(border, { host: '127.0.0.1', port }, { host, port: Number(own) });
  return {
    border,
    async close() {
      await proxy.close();
      await forge.stop();
    },
  };
}
