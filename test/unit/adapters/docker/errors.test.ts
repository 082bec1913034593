import { expect, test } from 'vitest';
import { responseError, causeOf, transportError } from '../../../../src/adapters/docker/errors.ts';
import { parseEngineAddress } from '../../../../src/adapters/docker/connection/address.ts';

/** Messages of real engines and registries. */
test.each([
  ['write /var/lib/docker/tmp/x: no space left on device', 'engine/no-space'],
  ['no matching manifest for linux/arm/v6 in the manifest list entries', 'engine/platform'],
  [
    'image with reference davit/helper:1 was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64',
    'engine/platform',
  ],
  ['Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', 'registry/unreachable'],
  ['Get "https://r/v2/": http: server gave HTTP response to HTTPS client', 'registry/unreachable'],
  ['toomanyrequests: You have reached your pull rate limit', 'registry/unreachable'],
  ['received unexpected HTTP status: 503 Service Unavailable', 'registry/unreachable'],
  [
    "pull access denied for x, repository does not exist or may require 'docker login'",
    'engine/image-denied',
  ],
  ['unauthorized: authentication required', 'engine/image-denied'],
  ['no basic auth credentials', 'engine/image-denied'],
  ['manifest for 127.0.0.1:5000/x:2 not found: manifest unknown: manifest unknown', 'engine/image-missing'],
  ['No such image: davit/no:1', 'engine/image-missing'],
  ['could not find an available, non-overlapping IPv4 address pool among the defaults', 'engine/no-network'],
  ['something new', 'engine/failed'],
  // Podman 4.3.1
  ['no such image: docker.io/davit/none:1: image not known', 'engine/image-missing'],
  [
    'failed to find image docker.io/library/nothing:2: docker.io/library/nothing:2: image not known',
    'engine/image-missing',
  ],
  [
    'initializing source docker://127.0.0.1:5998/x/y:3: reading manifest 3 in 127.0.0.1:5998/x/y: manifest unknown: manifest unknown',
    'engine/image-missing',
  ],
  [
    'initializing source docker://127.0.0.1:5997/x/y:2: reading manifest 2 in 127.0.0.1:5997/x/y: unauthorized: authentication required',
    'engine/image-denied',
  ],
  [
    'initializing source docker://127.0.0.1:5999/x/y:3: pinging container registry 127.0.0.1:5999: Get "http://127.0.0.1:5999/v2/": dial tcp 127.0.0.1:5999: connect: connection refused',
    'registry/unreachable',
  ],
])('"%s" is %s', (said, code) => {
  expect(causeOf(said)).toBe(code);
});

const asked = { action: 'do it', address: 'unix:///x' };
test.each([
  [409, 'Conflict. The container name "/a" is already in use by container "b".', 'engine/name-taken'],
  [404, 'No such container: a', 'engine/container-missing'],
  [409, 'remove v: volume is in use - [abc]', 'engine/in-use'],
  [403, 'error while removing network: network n id x has active endpoints', 'engine/in-use'],
  [
    409,
    'conflict: unable to remove repository reference "r/t@sha256:0" (must force) - container c is using its referenced image i',
    'engine/in-use',
  ],
  // Podman 4.3.1
  [
    500,
    'container create: creating container storage: the container name "aa" is already in use by 75a759c7812c. You have to remove that container to be able to reuse that name: that name is already in use',
    'engine/name-taken',
  ],
  [404, 'no container with name or ID "nobody" found: no such container', 'engine/container-missing'],
  [
    409,
    'volume vv is being used by the following container(s): 6bbba0db5184: volume is being used',
    'engine/in-use',
  ],
  [
    500,
    '"nn" has associated containers with it. Use -f to forcibly delete containers and pods: network is being used',
    'engine/in-use',
  ],
  [
    409,
    'image davit/helper:1 is in use: image used by 6bbba0db5184: image is in use by a container: consider listing external containers and force-removing image',
    'engine/in-use',
  ],
  [
    500,
    'container 84bf07b7cae5 has dependent containers which must be removed before it: ec2102b92d0f: container already exists',
    'engine/in-use',
  ],
  // Docker 20.10 that ends
  [
    500,
    "error while mounting volume '/media/docker/volumes/vv/_data': get vv: database not open",
    'engine/unreachable',
  ],
])('status %i "%s" is %s', (status, said, code) => {
  expect(responseError(status, said, asked)).toMatchObject({
    code,
    message: expect.stringMatching(/^Cannot do it: /),
  });
});

test('a lost connection is unreachable, a wrong certificate is untrusted, a defect stays a defect', () => {
  const error = (code: string) => Object.assign(new Error('x'), { code });
  expect(transportError(error('ECONNREFUSED'), asked)).toMatchObject({ code: 'engine/unreachable' });
  expect(transportError(new Error('socket hang up'), asked)).toMatchObject({ code: 'engine/unreachable' });
  expect(transportError(error('ERR_TLS_CERT_ALTNAME_INVALID'), asked)).toMatchObject({
    code: 'engine/untrusted',
  });
  expect(transportError(error('SELF_SIGNED_CERT_IN_CHAIN'), asked)).toMatchObject({
    code: 'engine/untrusted',
  });
  expect(transportError(new TypeError('x is not a function'), asked)).toBeUndefined();
});

test.each([
  ['unix:///var/run/docker.sock', { kind: 'unix', path: '/var/run/docker.sock' }],
  ['tcp://127.0.0.1:2375', { kind: 'tcp', host: '127.0.0.1', port: 2375, tls: false }],
  ['ssh://pi@board.local', { kind: 'ssh', user: 'pi', host: 'board.local', socket: '/var/run/docker.sock' }],
  [
    'ssh://board:2222/run/user/1000/docker.sock',
    { kind: 'ssh', host: 'board', port: 2222, socket: '/run/user/1000/docker.sock' },
  ],
])('%s is an address', (text, expected) => {
  expect(parseEngineAddress(text, false)).toEqual(expected);
});
test('certificates make tcp TLS', () => {
  expect(parseEngineAddress('tcp://board', true)).toEqual({
    kind: 'tcp',
    host: 'board',
    port: 2376,
    tls: true,
  });
});
test.each([
  'tcp://board:2375', // plain tcp to another machine
  'ssh://-oProxyCommand=touch',
  'ssh://a@-x',
  'ssh://x y@host',
  'ssh://$(id)@host',
  'ssh://host/a b',
  'ssh://user:secret@host',
  'tcp://user:canary@host:2376',
  'unix://relative',
  'npipe:////./pipe/docker',
  'docker',
])('%s is refused', (text) => {
  expect(() => parseEngineAddress(text, false)).toThrow(expect.objectContaining({ code: 'engine/address' }));
  expect(() => parseEngineAddress(text, false)).not.toThrow(/canary|secret/);
});

test('a refused client certificate is told apart from a certificate that is not trusted here', () => {
  const request = { action: 'list', address: 'tcp://board:2376' };
  const of = (code: string) => transportError(Object.assign(new Error('x'), { code }), request);
  expect(of('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')?.message).toContain(
    'refuses the certificate of this worker',
  );
  expect(of('UNABLE_TO_VERIFY_LEAF_SIGNATURE')?.message).toContain('a certificate that is not trusted');
});

test('an engine that does not answer: what is known of the way to it is the hint', () => {
  const error = Object.assign(new Error('x'), { code: 'EPIPE' });
  const request = { action: 'list', address: 'ssh://pi@board', hint: 'ssh logs in.' };
  expect(transportError(error, request)?.hint).toBe('ssh logs in.');
});
