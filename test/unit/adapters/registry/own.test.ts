import { describe, expect, test } from 'vitest';
import { tokenAddress } from '../../../../src/adapters/registry/challenge.ts';
import { loopbackPorts, ownRegistry, rememberedCredentials } from '../../../../src/adapters/registry/own.ts';
import type { Credentials, JobUse } from '../../../../src/adapters/ports.ts';
import { DavitError } from '../../../../src/errors.ts';

const use = (attempt: number): JobUse => ({
  job: { project: 'alpha', protectedRef: false, fork: false },
  attempt: { pipeline: 'alpha/1', job: 'job', attempt },
  forMs: 1_000,
});
const HOST = '127.0.0.1:5000';

function server(answer: () => Promise<string> = async () => 'a-token-of-the-server') {
  const asked: unknown[] = [];
  const credentials: Credentials = {
    forJob: (of) => {
      asked.push(of);
      return answer();
    },
    forTarget: answer,
    forPull: (repository) => {
      asked.push(repository);
      return answer();
    },
  };
  return { asked, credentials };
}

describe("davit's own registry", () => {
  test('an attempt asks the server once, also in parallel; its script and davit get other credentials', async () => {
    const { asked, credentials } = server();
    const own = ownRegistry({ host: HOST, tokenUrls: [] }, rememberedCredentials(credentials));
    await Promise.all([own.scriptAuth(use(1)), own.auth('alpha', use(1)), own.auth('base', use(1))]);
    expect(asked).toHaveLength(1);
    await own.auth('alpha', {
      ...use(1),
      writes: [`${HOST}/alpha/cache/branches`, 'other.example.com/alpha'],
    });
    expect(asked).toHaveLength(2);
    expect(asked[1]).toMatchObject({ writes: ['alpha/cache/branches'] });
    await own.auth('alpha', use(2));
    expect(asked).toHaveLength(3);
  });

  test('what failed is asked for again, and is an outage of the registry for those who wait for it', async () => {
    let fails = true;
    const { credentials } = server(async () => {
      if (fails) throw new DavitError('store/unreachable', 'The server did not respond.');
      return 'a-token-of-the-server';
    });
    const own = ownRegistry({ host: HOST, tokenUrls: [] }, rememberedCredentials(credentials));
    await expect(own.auth('alpha', use(1))).rejects.toMatchObject({ code: 'registry/unreachable' });
    await expect(own.auth('base', undefined)).rejects.toMatchObject({ code: 'registry/unreachable' });
    fails = false;
    expect(await own.auth('alpha', use(1))).toMatchObject({ password: 'a-token-of-the-server' });
    expect(await own.auth('base', undefined)).toMatchObject({ username: 'davit-worker' });
  });

  test('an older server has no credentials for jobs', async () => {
    const none = { ...server().credentials, forJob: async () => undefined };
    expect(await ownRegistry({ host: HOST, tokenUrls: [] }, none).scriptAuth(use(1))).toBeUndefined();
  });
});

test.each([
  [undefined, []],
  [{ host: HOST, tokens: 'http://127.0.0.1:8420/registry/token' }, [5000, 8420]],
  [{ host: 'localhost:5000', tokens: 'https://davit.example.com/registry/token' }, [5000]],
  [{ host: 'registry.example.com', tokens: 'http://127.0.0.1:8420/registry/token' }, [8420]],
])('ports for an engine over ssh: %o', (own, ports) => {
  expect(loopbackPorts(own)).toEqual(ports);
});

test("the server's own address may have its credentials, without TLS too; a neighbour of it may not", () => {
  const registry = new URL('http://registry.lan:5000/v2/');
  const trust = { credentials: true, hosts: [], origins: ['http://davit.lan:8420'] };
  expect(tokenAddress('http://davit.lan:8420/registry/token', registry, trust)).toBeDefined();
  for (const realm of ['http://davit.lan:8421/x', 'https://davit.lan:8420/x', 'http://evil.lan:8420/x'])
    expect(tokenAddress(realm, registry, trust), realm).toBeUndefined();
});
