/**
 * Tells an engine which authority has signed a registry's certificate: `/etc/docker/certs.d/HOST/ca.crt` of the engine's
 * machine, which Docker and Podman read at each call. A short-lived container writes it there, so that it works for every
 * engine that davit drives, however it is reached.
 */
import { randomUUID } from 'node:crypto';
import { DavitError } from '../../errors.ts';
import { path, type EngineApi } from './api.ts';
import { checked } from './checked.ts';
import { z } from 'zod';

const FOLDER = '/etc/docker/certs.d';
const WAIT_MS = 60_000;
const created = z.object({ Id: z.string() });
const ended = z.object({ StatusCode: z.number() });

/** Without the container's own names: `HOST:PORT` is checked before it gets here. */
const WRITE = 'mkdir -p "/trust/$HOST" && printf %s "$AUTHORITY" > "/trust/$HOST/ca.crt"';
const REMOVE = 'rm -f "/trust/$HOST/ca.crt"; rmdir "/trust/$HOST" 2>/dev/null; true';

/** The commands for a machine where it cannot be done by a container. */
export const trustByHand = (host: string): string =>
  `sudo mkdir -p '${FOLDER}/${host}' && sudo cp ca.crt '${FOLDER}/${host}/ca.crt'`;

/** `authority`: PEM; undefined takes it back. Rejects with `engine/*`. */
export async function trustRegistry(
  api: EngineApi,
  { host, authority, helperImage }: { host: string; authority: string | undefined; helperImage: string },
): Promise<void> {
  const name = `davit-trust-${randomUUID().slice(0, 8)}`;
  const action = `tell the engine at ${api.address} to trust ${host}`;
  const body = {
    Image: helperImage,
    Labels: { 'davit.kind': 'helper' },
    Entrypoint: ['/bin/sh', '-c', authority === undefined ? REMOVE : WRITE],
    User: '0:0',
    Env: [`HOST=${host}`, `AUTHORITY=${authority ?? ''}`],
    NetworkDisabled: true,
    HostConfig: {
      Binds: [`${FOLDER}:/trust`],
      NetworkMode: 'none',
      // Root of the container is root of the machine only so.
      UsernsMode: 'host',
      CapDrop: ['ALL'],
      CapAdd: ['DAC_OVERRIDE'],
      SecurityOpt: ['no-new-privileges', 'label=disable'],
    },
  };
  const query = { name };
  const made = await api.json({ method: 'POST', path: path`/containers/create`, query, body, action });
  const { Id: id } = checked(created, made, action);
  try {
    await api.json({ method: 'POST', path: path`/containers/${id}/start`, action });
    const signal = AbortSignal.timeout(WAIT_MS);
    const waited = await api.json({ method: 'POST', path: path`/containers/${id}/wait`, action, signal });
    const { StatusCode: code } = checked(ended, waited, action);
    if (code !== 0)
      throw new DavitError('engine/failed', `Cannot ${action}: it may not write ${FOLDER} of its machine.`, {
        hint: `Do it there: ${trustByHand(host)}`,
      });
  } finally {
    await api.find({ method: 'DELETE', path: path`/containers/${id}`, query: { force: 'true' }, action });
  }
}
