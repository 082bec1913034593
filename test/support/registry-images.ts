/** Small images in davit's own registry, pushed with an operator's token. */
import type { OwnRegistryWorld } from './own-registry.ts';
import { TOKENS } from './server.ts';
import { sha256 } from '../../src/utils/sha256.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar';

export interface PushedImage {
  digest: `sha256:${string}`;
  /** Length of the manifest. */
  bytes: number;
}

export class Pusher {
  readonly #world: OwnRegistryWorld;

  constructor(world: OwnRegistryWorld) {
    this.#world = world;
  }

  /** Layers are texts; each is stored as its bytes. Without a tag, it is named by its digest alone. */
  async image(repository: string, tag: string | undefined, layers: readonly string[]): Promise<PushedImage> {
    const parts = await Promise.all(['{}', ...layers].map((text) => this.#blob(repository, text)));
    const [config, ...rest] = parts.map((part, at) => ({ ...part, mediaType: at === 0 ? CONFIG : LAYER }));
    return this.#manifest(repository, tag, { schemaVersion: 2, mediaType: MANIFEST, config, layers: rest });
  }

  index(repository: string, tag: string, images: readonly PushedImage[]): Promise<PushedImage> {
    const manifests = images.map(({ digest, bytes }) => ({ digest, size: bytes, mediaType: MANIFEST }));
    return this.#manifest(repository, tag, { schemaVersion: 2, mediaType: INDEX, manifests });
  }

  /** Status of a request for a manifest. */
  async has(repository: string, reference: string): Promise<boolean> {
    const answer = await this.#call(repository, 'GET', `${repository}/manifests/${reference}`);
    await answer.arrayBuffer();
    return answer.status === 200;
  }

  async #blob(repository: string, text: string): Promise<{ digest: string; size: number }> {
    const bytes = Buffer.from(text);
    const upload = await this.#call(repository, 'POST', `${repository}/blobs/uploads/`);
    const url = new URL(upload.headers.get('location') ?? '');
    url.searchParams.set('digest', `sha256:${sha256(bytes)}`);
    const put = await this.#call(
      repository,
      'PUT',
      `${url.pathname.slice('/v2/'.length)}${url.search}`,
      bytes,
    );
    if (put.status !== 201) throw new Error(`${repository}: ${put.status}`);
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  }

  async #manifest(repository: string, tag: string | undefined, document: object): Promise<PushedImage> {
    const bytes = Buffer.from(JSON.stringify(document));
    const reference = tag ?? `sha256:${sha256(bytes)}`;
    const put = await this.#call(repository, 'PUT', `${repository}/manifests/${reference}`, bytes, document);
    if (put.status !== 201) throw new Error(`${repository}: ${put.status} ${await put.text()}`);
    return { digest: `sha256:${sha256(bytes)}`, bytes: bytes.length };
  }

  async #call(repository: string, ...[method, path, body, typed]: Request): Promise<Response> {
    const token = await this.#world.token(TOKENS.operator, [`repository:${repository}:pull,push,delete`]);
    const mediaType = typed && 'mediaType' in typed ? String(typed.mediaType) : 'application/octet-stream';
    return fetch(`http://${this.#world.registry.host}/v2/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: `${MANIFEST}, ${INDEX}`,
        ...(body && { 'content-type': mediaType }),
      },
      ...(body && { body: new Uint8Array(body) }),
    });
  }
}
type Request = [method: string, path: string, body?: Buffer, typed?: object];
