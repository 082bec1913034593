/**
 * Opens and seals payloads for Temporal's UI and command line (a "codec endpoint"), for operators. Browsers call it
 * from the page of Temporal's UI, which is another origin: `temporal_ui` of the installation file names it.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { PayloadCodec } from '@temporalio/common';
import type { ServerDeps } from '../deps.ts';
import { missing } from './params.ts';

const MAX_BYTES = 16 * 1_024 * 1_024;
export const CODEC = '/api/v1/codec';

/** Bytes are base64, as in the JSON form of protocol buffers. */
const base64 = z.base64().transform((text) => Buffer.from(text, 'base64'));
const body = z.object({
  payloads: z
    .array(z.object({ metadata: z.record(z.string(), base64).default({}), data: base64.optional() }))
    .max(10_000),
});

export function codecRoutes(app: FastifyInstance, { codec, temporal: { ui: temporalUi } }: ServerDeps): void {
  const config = { access: 'operator', origin: temporalUi, basic: true } as const;
  const serve = (direction: keyof PayloadCodec) => async (request: FastifyRequest, reply: FastifyReply) => {
    allow(reply, temporalUi);
    if (!codec) throw missing('Payloads in Temporal are not sealed here: DAVIT_PAYLOAD_KEY_FILE is not set.');
    const payloads = await codec[direction](body.parse(request.body).payloads);
    return { payloads: payloads.map(jsonOf) };
  };
  for (const direction of ['decode', 'encode'] as const) {
    app.post(`${CODEC}/${direction}`, { config, bodyLimit: MAX_BYTES }, serve(direction));
    // Browsers ask without the token whether they may send it.
    app.options(`${CODEC}/${direction}`, { config: { access: 'anybody' } }, async (_request, reply) =>
      allow(reply, temporalUi).code(204).send(),
    );
  }
  // A browser that has opened this page knows the token for the calls of Temporal's UI.
  app.get(CODEC, { config }, async (_request, reply) =>
    reply
      .type('text/plain; charset=utf-8')
      .send(
        "Temporal's UI can show payloads in this browser now, with this address as its codec endpoint.\n",
      ),
  );
}

function allow(reply: FastifyReply, origin: string | undefined): FastifyReply {
  if (origin === undefined) return reply;
  return reply.headers({
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-allow-headers': 'authorization, content-type, x-namespace',
    'access-control-allow-methods': 'POST',
    vary: 'Origin',
  });
}

type Payload = Awaited<ReturnType<PayloadCodec['decode']>>[number];

function jsonOf({ metadata, data }: Payload): { metadata: Record<string, string>; data: string } {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const named = Object.entries(metadata ?? {}).map(([name, bytes]): [string, string] => [name, text(bytes)]);
  return { metadata: Object.fromEntries(named), data: text(data ?? Buffer.alloc(0)) };
}
