/** Specs of deploy jobs. A service's settings are readable at the engine, so secrets are refused. */
import { placeText } from '../../errors.ts';
import { capabilityName, TARGET_LISTS } from '../../match/target-lists.ts';
import type { DeploySpec, SwarmMount, SwarmSpec } from '../../plan/model/spec.ts';
import type { Draft } from '../draft/draft.ts';
import { placeIn } from '../job-config.ts';
import {
  MOUNT_FORM,
  parseMount,
  parsePublish,
  PUBLISH_FORM,
  type Swarm,
} from '../schema/keywords/davit-jobs.ts';
import type { DeployPlaces } from '../request.ts';
import type { PlanContext } from './context.ts';
import { settlerOf, type SettleText } from './settler.ts';
import { commonSpec } from './spec-common.ts';

export function deploySpec(
  draft: Draft,
  context: PlanContext,
  options: { swarm: Swarm; target: string },
): DeploySpec {
  const { swarm, target } = options;
  const expand = settlerOf(draft, context, 'deploy');
  const { environment } = context.prepared(draft);
  const imageFrom = draft.imagesFrom[0];
  return {
    ...commonSpec(draft, context),
    kind: 'deploy',
    target,
    ...(environment && {
      environment: { name: environment.name, ...(environment.url !== undefined && { url: environment.url }) },
    }),
    ...(imageFrom !== undefined && { imageFrom }),
    ...(swarm.image !== undefined && { image: expand(swarm.image, 'swarm', 'image') }),
    swarm: {
      ...swarmSpec(swarm, expand),
      publish: publishedPorts(draft, context, swarm),
      ...(swarm.mounts && { mounts: mounts(draft, context, swarm.mounts) }),
    },
  };
}

/** Where the file asks for what a target must allow: `FILE:LINE:COLUMN` of each item. */
export function placesOf({ config }: Draft, swarm: Swarm): DeployPlaces {
  const places: DeployPlaces = {};
  for (const list of TARGET_LISTS) {
    const key = list === 'ports' ? 'publish' : list;
    const items: readonly unknown[] = swarm[key] ?? [];
    places[list] = items.map((_item, index) => {
      const { source, offset } = placeIn(config, 'deploy', ['swarm', key, index]);
      return placeText(source.place(offset));
    });
  }
  return places;
}

function swarmSpec(swarm: Swarm, expand: SettleText): Omit<SwarmSpec, 'publish' | 'mounts'> {
  const list = (
    key: 'constraints' | 'networks' | 'secrets' | 'configs',
    items: readonly string[],
  ): string[] => items.map((text, index) => expand(text, 'swarm', key, index));
  return {
    service: expand(swarm.service, 'swarm', 'service'),
    replicas: swarm.replicas,
    endpointMode: swarm.endpoint_mode,
    constraints: list('constraints', swarm.constraints),
    env: Object.fromEntries(
      Object.entries(swarm.env).map(([name, text]) => [name, expand(text, 'swarm', 'env', name)]),
    ),
    networks: list('networks', swarm.networks),
    ...(swarm.capabilities && { capabilities: swarm.capabilities.map(capabilityName) }),
    ...(swarm.secrets && { secrets: list('secrets', swarm.secrets) }),
    ...(swarm.configs && { configs: list('configs', swarm.configs) }),
    ...(swarm.command && {
      command: swarm.command.map((text, index) => expand(text, 'swarm', 'command', index)),
    }),
    update: {
      order: swarm.update.order,
      parallelism: swarm.update.parallelism,
      delayMs: swarm.update.delay,
      onFailure: swarm.update.on_failure,
    },
    convergeTimeoutMs: swarm.converge_timeout,
  };
}

function publishedPorts(draft: Draft, context: PlanContext, swarm: Swarm): SwarmSpec['publish'] {
  const expand = settlerOf(draft, context, 'deploy');
  // A service without a virtual IP cannot publish through the ingress network.
  const usual = swarm.endpoint_mode === 'dnsrr' ? 'host' : 'ingress';
  return swarm.publish.flatMap((port, index) => {
    if (!('text' in port) || port.text === undefined) return [{ ...port, mode: port.mode ?? usual }];
    const path = ['swarm', 'publish', index];
    const text = expand(port.text, ...path);
    const ports = parsePublish(text);
    if (ports) return [{ ...ports, mode: usual }];
    context.problems.add(
      'language/type',
      `deploy.swarm.publish[${index}] of "${draft.group}" ${PUBLISH_FORM}, not "${text}"`,
      { at: placeIn(draft.config, 'deploy', path) },
    );
    return [];
  });
}

function mounts(draft: Draft, context: PlanContext, written: readonly string[]): SwarmMount[] {
  const expand = settlerOf(draft, context, 'deploy');
  return written.flatMap((one, index) => {
    const path = ['swarm', 'mounts', index];
    const text = expand(one, ...path);
    const mount = parseMount(text);
    if (mount) return [mount];
    context.problems.add(
      'language/type',
      `deploy.swarm.mounts[${index}] of "${draft.group}" ${MOUNT_FORM}, not "${text}"`,
      { at: placeIn(draft.config, 'deploy', path) },
    );
    return [];
  });
}
