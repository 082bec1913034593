/**
 * Registries without TLS: Docker trusts those on the loopback by itself, Podman only those that its configuration
 * files name. Pure.
 */
import { DavitError } from '../../errors.ts';
import { oneLine } from '../text.ts';

/**
 * The error of a pull or push that failed because the registry has no TLS or a certificate that Podman does not trust;
 * undefined for any other message.
 */
export function untrustedRegistry(message: string, host: string): DavitError | undefined {
  if (!isUntrusted(message)) return undefined;
  // Not `registry/unreachable`: waiting does not help.
  return new DavitError(
    'registry/failed',
    `Podman does not trust the registry ${host}: ${oneLine(message)}`,
    {
      hint: `On the engine's machine, ${trustRemedy(host)}`,
    },
  );
}

export const isUntrusted = (message: string): boolean =>
  /server gave http response to https client|x509:|tls: failed to verify|first record does not look like a tls/i.test(
    message,
  );

export const trustRemedy = (host: string): string =>
  `write three lines into /etc/containers/registries.conf.d/davit.conf: \`[[registry]]\`, \`location = "${host}"\`, \`insecure = true\`; then restart Podman's service. A registry with TLS needs its CA in /etc/containers/certs.d/${host} instead.`;
