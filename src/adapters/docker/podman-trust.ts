/** Which registries Podman trusts without TLS is a matter of its files: Docker trusts those on loopback by itself. Pure. */
import { DavitError } from '../../errors.ts';
import { oneLine } from '../text.ts';

/** For a pull or push that failed because the registry does not speak TLS, or not with a certificate that Podman knows. */
export function untrustedRegistry(said: string, host: string): DavitError | undefined {
  if (!isUntrusted(said)) return undefined;
  // Not `unreachable`: nothing is gained by waiting.
  return new DavitError('registry/failed', `Podman does not trust the registry ${host}: ${oneLine(said)}`, {
    hint: `On the engine's machine, ${trustRemedy(host)}`,
  });
}

export const isUntrusted = (said: string): boolean =>
  /server gave http response to https client|x509:|tls: failed to verify|first record does not look like a tls/i.test(
    said,
  );

export const trustRemedy = (host: string): string =>
  `write three lines into /etc/containers/registries.conf.d/davit.conf: \`[[registry]]\`, \`location = "${host}"\`, \`insecure = true\`; then restart Podman's service. A registry with TLS needs its CA in /etc/containers/certs.d/${host} instead.`;
