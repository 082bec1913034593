/** What a pipeline file gives a service beside its image, where the target allows it: mounts, capabilities, secrets, configs. */
import { z } from 'zod';
import { DavitError } from '../../errors.ts';
import { path, type EngineApi } from '../docker/api.ts';
import type { DeployRequest } from '../ports.ts';

/** Secrets and configs of a swarm: it knows them by id. */
export interface NamedObject {
  id: string;
  name: string;
}
export interface ServiceFiles {
  secrets?: NamedObject[];
  configs?: NamedObject[];
}

/** What the file asks for; what it does not name stays as the service has it. Files are where Docker's command line puts them. */
export function granted({ spec, files }: DeployRequest & { files?: ServiceFiles }): Record<string, unknown> {
  const file = (name: string) => ({ Name: name, UID: '0', GID: '0', Mode: 0o444 });
  return {
    ...(spec.mounts && {
      Mounts: spec.mounts.map(({ source, target, readOnly }) => ({
        Type: source.startsWith('/') ? 'bind' : 'volume',
        Source: source,
        Target: target,
        ReadOnly: readOnly,
      })),
    }),
    ...(spec.capabilities && { CapabilityAdd: spec.capabilities.map((name) => `CAP_${name}`) }),
    ...(files?.secrets && {
      Secrets: files.secrets.map(({ id, name }) => ({ File: file(name), SecretID: id, SecretName: name })),
    }),
    ...(files?.configs && {
      Configs: files.configs.map(({ id, name }) => ({
        File: file(`/${name}`),
        ConfigID: id,
        ConfigName: name,
      })),
    }),
  };
}

const objects = z.array(z.object({ ID: z.string(), Spec: z.object({ Name: z.string() }) }));
const objectsOf = (response: unknown): NamedObject[] =>
  objects.parse(response).map(({ ID: id, Spec: { Name: name } }) => ({ id, name }));

/** The swarm's secrets and configs that the service is to have. */
export async function filesOf(
  api: EngineApi,
  { secrets, configs }: DeployRequest['spec'],
): Promise<ServiceFiles> {
  return {
    ...(secrets && { secrets: await findObjects(api, 'secrets', secrets) }),
    ...(configs && { configs: await findObjects(api, 'configs', configs) }),
  };
}

async function findObjects(
  api: EngineApi,
  kind: 'secrets' | 'configs',
  names: readonly string[],
): Promise<NamedObject[]> {
  if (names.length === 0) return [];
  const known = objectsOf(
    await api.json({ method: 'GET', path: path`/${kind}`, action: `list the swarm's ${kind}` }),
  );
  return names.map((name) => {
    const found = known.find((one) => one.name === name);
    if (found) return found;
    const one = kind.slice(0, -1);
    throw new DavitError('target/refused', `The swarm has no ${one} ${name}.`, {
      hint: `Create it at a manager: docker ${one} create ${name} FILE`,
    });
  });
}
