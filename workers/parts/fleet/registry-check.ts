/** Whether an engine reaches a registry: the engine itself pulls and pushes, so it is asked, and not this process. */
import { isUntrusted, trustRemedy } from '../../../src/adapters/docker/podman-trust.ts';
import type { Engine, EngineInfo } from '../../../src/adapters/ports.ts';
import { DavitError } from '../../../src/errors.ts';
import type { Trouble } from '../../../src/plan/model/fleet.ts';
import { messageOf } from '../../../src/utils/message.ts';

const PULL_MS = 20_000;
const REACHED = ['engine/image-missing', 'engine/image-denied'];

/**
 * It pulls an image that cannot exist: the error `missing` proves that the registry responded. Undefined: it is reached.
 * Rejects with `engine/unreachable`.
 */
export async function registryTrouble(
  engine: Pick<Engine, 'pullImage'>,
  info: Pick<EngineInfo, 'kind' | 'hostName'>,
  registry: string,
): Promise<Trouble | undefined> {
  const signal = AbortSignal.timeout(PULL_MS);
  try {
    await engine.pullImage(`${registry}/davit-doctor:none`, { signal, once: true });
  } catch (error) {
    if (error instanceof DavitError && REACHED.includes(error.code)) return undefined;
    if (error instanceof DavitError && error.code === 'engine/unreachable') throw error;
    if (signal.aborted)
      return {
        ...away(info, registry),
        message: `The engine of ${info.hostName} gets no answer from ${registry}.`,
      };
    if (!(error instanceof DavitError)) return { message: messageOf(error) };
    return { code: error.code, message: error.message, hint: hintOf(error, info, registry) };
  }
  return undefined;
}

function hintOf(error: DavitError, info: Pick<EngineInfo, 'kind' | 'hostName'>, registry: string): string {
  const machine = info.hostName;
  if (info.kind === 'podman' && isUntrusted(error.message)) return `On ${machine}, ${trustRemedy(registry)}`;
  if (/\bx509:|certificate signed by/.test(error.message)) {
    if (
      /not valid for|is valid for|doesn't contain any (?:IP )?SANs|cannot validate certificate for/.test(
        error.message,
      )
    )
      return `The certificate of the registry is for another name than ${registry}: make one with that name (\`davit ca issue\`), or write the name that it has into the installation file.`;
    if (/has expired or is not yet valid/.test(error.message))
      return `Compare the clock of ${machine} with that of the registry; if both are right, renew the certificate of the registry.`;
    return `If davit runs that registry, repeat \`davit registry enable\`. Else, on ${machine}, write the authority into /etc/docker/certs.d/${registry}/ca.crt: it counts for the registry, and for the server that gives out its tokens.`;
  }
  if (/server gave http response/i.test(error.message))
    return `The registry speaks plain http: give it a certificate, or write ${registry} into "insecure-registries" of /etc/docker/daemon.json on ${machine} and restart its engine.`;
  if (error.code === 'registry/unreachable') return away(info, registry).hint;
  return error.hint;
}

const away = (
  { hostName }: Pick<EngineInfo, 'hostName'>,
  registry: string,
): { code: string; hint: string } => ({
  code: 'registry/unreachable',
  hint: /^(?:127\.|localhost|\[::1\])/.test(registry)
    ? `${registry} is the loopback of ${hostName} itself. Reach its engine over ssh (--docker ssh://USER@HOST), which forwards the port, or use a registry with a name that every machine reaches.`
    : `On ${hostName}, check that the name resolves and the port is reached: curl -v https://${registry}/v2/. Then check routes and firewalls between it and the registry.`,
});
