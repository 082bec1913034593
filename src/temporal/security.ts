/** How davit proves itself to Temporal, and seals what it gives to it: the files that the settings name. */
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from '@temporalio/client';
import type { DataConverter, PayloadCodec } from '@temporalio/common';
import type { Settings } from '../config.ts';
import { DavitError } from '../errors.ts';
import { parsePayloadKeys, payloadCodec } from './codec.ts';

export interface TemporalSecurity {
  /** For every connection. */
  connection: Pick<ConnectionOptions, 'tls'> & { apiKey?: string };
  /** For every client and worker. */
  converter: { dataConverter?: DataConverter };
  codec?: PayloadCodec;
}
/** Plain, as under `davit up`, where Temporal listens on the loopback. */
export const NO_SECURITY: TemporalSecurity = { connection: {}, converter: {} };

type TemporalFiles = Pick<Settings, 'temporalTls' | 'temporalApiKeyFile' | 'payloadKeyFile'>;

/** Read once; processes that live long read them again when they are restarted. Rejects with `tls/file`. */
export async function temporalSecurity(settings: TemporalFiles): Promise<TemporalSecurity> {
  const { temporalTls, temporalApiKeyFile, payloadKeyFile } = settings;
  const codec =
    payloadKeyFile === undefined
      ? undefined
      : payloadCodec(parsePayloadKeys(await read(payloadKeyFile), payloadKeyFile));
  return {
    connection: {
      ...(temporalTls && { tls: await readTls(temporalTls) }),
      ...(temporalApiKeyFile !== undefined && { apiKey: (await read(temporalApiKeyFile)).trim() }),
    },
    converter: codec ? { dataConverter: { payloadCodecs: [codec] } } : {},
    ...(codec && { codec }),
  };
}

async function readTls(files: NonNullable<Settings['temporalTls']>): Promise<ConnectionOptions['tls']> {
  const { ca, cert, key, serverName } = files;
  if ((cert === undefined) !== (key === undefined))
    throw new DavitError('tls/file', 'Temporal gets a certificate and its key, or neither.', {
      hint: 'Set TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH.',
    });
  return {
    ...(ca !== undefined && { serverRootCACertificate: Buffer.from(await read(ca)) }),
    ...(serverName !== undefined && { serverNameOverride: serverName }),
    ...(cert !== undefined &&
      key !== undefined && {
        clientCertPair: { crt: Buffer.from(await read(cert)), key: Buffer.from(await read(key)) },
      }),
  };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new DavitError('tls/file', `${path} cannot be read.`, { cause });
  }
}
