/**
 * The LFS part of a forge: the batch API below the address of a repository, and basic downloads from the forge, which
 * may redirect to a storage. Tokens of downloads are per object.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';

const TYPE = 'application/vnd.git-lfs+json';

export class LfsForge {
  readonly objects = new Map<string, Buffer>();
  /** Each request with what it carried: `batch`, `get`. */
  readonly seen: { what: string; authorization?: string | undefined; range?: string | undefined }[] = [];
  /** The account that the batch API asks for; undefined: anybody. */
  account: string | undefined;
  /** Downloads are redirected below this address. */
  storage: string | undefined;
  /** How often the download of an object breaks off after half of its bytes. */
  readonly breaks = new Map<string, number>();
  /** When the half has arrived. */
  arrived: (oid: string) => Promise<unknown> = async () => undefined;
  /** `false`: continues a download as if it had not been asked to. */
  ranges = true;
  /** What is sent in place of an object. */
  readonly wrong = new Map<string, Buffer>();
  readonly #tokens = new Map<string, string>();

  add(content: Buffer): { oid: string; pointer: string } {
    const oid = createHash('sha256').update(content).digest('hex');
    this.objects.set(oid, content);
    const size = content.length;
    return { oid, pointer: `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n` };
  }

  handles({ url = '' }: IncomingMessage): boolean {
    return url.endsWith('.git/info/lfs/objects/batch') || url.startsWith('/lfs-objects/');
  }

  /** `origin`: of the forge. */
  async handle(request: IncomingMessage, reply: ServerResponse, origin: string): Promise<void> {
    if (request.url?.startsWith('/lfs-objects/')) this.#get(request, reply);
    else await this.#batch(request, reply, origin);
  }

  async #batch(request: IncomingMessage, reply: ServerResponse, origin: string): Promise<void> {
    const { authorization, accept } = request.headers;
    this.seen.push({ what: 'batch', authorization });
    if (request.method !== 'POST' || accept !== TYPE) return void reply.writeHead(406).end();
    if (this.account !== undefined && authorization !== this.account)
      return void reply
        .writeHead(401, { 'content-type': TYPE, 'lfs-authenticate': 'Basic realm="LFS"' })
        .end(JSON.stringify({ message: 'Credentials needed' }));
    const body = (await json(request)) as { operation: string; objects: { oid: string; size: number }[] };
    const objects = body.objects.map(({ oid, size }) => {
      if (!this.objects.has(oid))
        return { oid, size, error: { code: 404, message: 'Object does not exist' } };
      const token = randomUUID();
      this.#tokens.set(oid, token);
      const download = {
        href: `${origin}/lfs-objects/${oid}`,
        header: { Authorization: `Bearer ${token}` },
        expires_in: 60,
      };
      return { oid, size, authenticated: true, actions: { download } };
    });
    reply.writeHead(200, { 'content-type': TYPE }).end(JSON.stringify({ transfer: 'basic', objects }));
  }

  #get(request: IncomingMessage, reply: ServerResponse): void {
    const oid = request.url?.slice('/lfs-objects/'.length) ?? '';
    const { authorization, range } = request.headers;
    this.seen.push({ what: 'get', authorization, range });
    if (authorization !== `Bearer ${this.#tokens.get(oid)}`) return void reply.writeHead(403).end();
    if (this.storage === undefined) return this.#send(oid, { range, reply });
    reply.writeHead(302, { location: `${this.storage}${oid}` }).end();
  }

  #send(oid: string, { range, reply }: { range: string | undefined; reply: ServerResponse }): void {
    const content = this.wrong.get(oid) ?? this.objects.get(oid) ?? Buffer.alloc(0);
    const from = this.ranges && range !== undefined ? Number(/^bytes=(\d+)-$/.exec(range)?.[1] ?? 0) : 0;
    const part = content.subarray(from);
    const more = from > 0 ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {};
    reply.writeHead(from > 0 ? 206 : 200, { 'content-length': part.length, ...more });
    const breaks = this.breaks.get(oid) ?? 0;
    if (breaks === 0) return void reply.end(part);
    this.breaks.set(oid, breaks - 1);
    reply.write(part.subarray(0, Math.ceil(part.length / 2)));
    void this.arrived(oid).finally(() => reply.destroy());
  }
}
