/**
 * `davit down --purge`: takes back what davit made on this machine and on its engine. It needs no checkout:
 * labels and the install record say what is davit's.
 *
 * PURGE-1 Only objects with the label of this installation, images of its own registry, and changes of the install
 *         record are removed. What another installation uses stays.
 * PURGE-2 The folder of the installation goes last: until then a purge that was interrupted can be repeated.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bridgePrefix, firewallName } from '../../activities/runtime/container-names.ts';
import { removeFirewall } from '../adapters/firewall/firewall.ts';
import type { Settings } from '../config.ts';
import { DavitError } from '../errors.ts';
import { HELPER_IMAGE } from '../installation.ts';
import { LABELS } from '../plan/model/labels.ts';
import { messageOf } from '../utils/message.ts';
import { removeUnit } from './machines/install-unit.ts';
import { listMachines, type MachineRecord } from './machines/record.ts';
import { down } from './process/daemonize.ts';
import { readIfThere } from './process/files.ts';
import { keptPorts } from './process/ports.ts';
import type { Progress } from './process/progress.ts';
import { askEngine, type LocalEngine } from './setup/docker.ts';
import { unregisterEmulation } from './setup/emulation.ts';
import { disableRegistry, THIS_MACHINE } from './setup/enable-registry.ts';
import { readSharedRegistry } from './setup/shared-registry.ts';
import { readInstallRecord, type InstallRecord } from './setup/install-record.ts';
import { readInstallation } from './setup/installation.ts';
import { dropLocalNetwork, leaveSwarm, swarmUse } from './setup/swarm.ts';

/** What is there, before anything is removed. */
export interface PurgePlan {
  installation: string;
  containers: string[];
  /** Containers of jobs that run now. */
  running: number;
  networks: string[];
  volumes: string[];
  images: string[];
  record: InstallRecord;
  swarm: boolean;
  folders: string[];
  /** Units of systemd that run workers of machines that were added. */
  units: string[];
  /** For people: what stays, and why. */
  stays: string[];
}

/** Changes nothing. Rejects with `engine/*`: without the engine nothing on it could be found again. */
export async function planPurge(settings: Settings): Promise<{ plan: PurgePlan; local: LocalEngine }> {
  const id = (await readIfThere(join(settings.home, 'keys', 'installation-id')))?.trim();
  if (!id)
    throw new DavitError('local/home', `No davit was set up in ${settings.home}.`, {
      hint: 'Set DAVIT_HOME to its folder.',
    });
  const local = await askEngine(settings);
  const { engine } = local;
  const own = { [LABELS.installation]: id };
  const [containers, networks, volumes, all] = await Promise.all([
    engine.listContainers(own),
    engine.listNetworks(own),
    engine.listVolumes(own),
    engine.listVolumes({}),
  ]);
  const others = new Set(
    all.map(({ labels }) => labels[LABELS.installation]).filter((one) => one && one !== id),
  );
  const shared = others.size > 0;
  const record = readInstallRecord(settings);
  const machines = await listMachines(settings);
  const swarm = await swarmToLeave(settings, { record, id, shared, local });
  const plan: PurgePlan = {
    installation: id,
    containers: containers.map((one) => one.name),
    running: containers.filter((one) => one.status === 'running' && one.labels[LABELS.key]).length,
    networks: networks.map((one) => one.name),
    volumes: volumes.map((one) => one.name),
    images: await ownImages(settings, local, shared),
    record,
    swarm: swarm.leave,
    units: machines.filter(({ runs }) => runs === 'systemd').map(({ name }) => name),
    folders: shared ? [settings.home] : [settings.home, settings.cache],
    stays: [...swarm.stays, ...staying(settings, { record, shared, machines })],
  };
  return { plan, local };
}

/** Stops davit and removes what the plan names. Returns what could not be removed, for people. */
export async function purge(
  settings: Settings,
  { plan, local }: { plan: PurgePlan; local: LocalEngine },
  progress: Progress,
): Promise<string[]> {
  const { engine } = local;
  const failed: string[] = [];
  const step = async (
    title: string,
    names: readonly string[],
    remove: (name: string) => Promise<unknown>,
  ) => {
    if (names.length === 0) return;
    await progress.step(`${title}: ${names.length}`, async () => {
      for (const name of names)
        await remove(name).catch((error: unknown) => failed.push(`${title} ${name}: ${messageOf(error)}`));
    });
  };
  await progress.step('davit', () => down(settings));
  await disableRegistry(settings, ({ name, verdict, found }) => {
    if (verdict !== 'fail') return;
    const text = `trust in the registry, ${name}: ${found}`;
    // A machine that is gone for good must not keep this one.
    if (name === THIS_MACHINE) failed.push(text);
    else progress.note(text);
  });
  await step('units', plan.units, (name) => removeUnit(name));
  await step('containers', plan.containers, (name) => engine.removeContainer(name));
  await step('rules of the firewall', [firewallName(plan.installation)], (name) =>
    dropRules(settings, { plan, local }, name),
  );
  await step('networks', plan.networks, (name) => engine.removeNetwork(name));
  await step('volumes', plan.volumes, (name) => engine.removeVolume(name));
  await step('images', plan.images, (name) => engine.removeImage(name));
  const isShared = !plan.folders.includes(settings.cache);
  if (plan.record.usedSwarm && !plan.swarm && !isShared && !(await dropLocalNetwork(settings)))
    progress.note('The network davit-local stays: services of the swarm use it.');
  if (plan.swarm) await step('swarm', ['local'], () => leaveSwarm(settings.dockerHost, plan.record.gateway));
  if (!isShared) failed.push(...(await withoutEmulation(plan)));
  await engine.close();
  if (failed.length === 0) await step('folders', plan.folders, (folder) => rm(folder, { recursive: true }));
  return failed;
}

async function withoutEmulation({ record }: PurgePlan): Promise<string[]> {
  const left = await unregisterEmulation(record.emulation);
  return left.map((arch) => `emulation of ${arch}: only root may unregister it`);
}

/** The container that does it needs the helper image; where that is gone, no job has run. */
async function dropRules(
  settings: Settings,
  { plan, local }: { plan: PurgePlan; local: LocalEngine },
  name: string,
): Promise<void> {
  const { installation } = await readInstallation(settings);
  const helperImage = settings.helperImage ?? installation.helper_image ?? HELPER_IMAGE;
  if (!(await local.engine.inspectImage(helperImage))) return;
  const machine = { engine: local.engine, installation: plan.installation, helperImage };
  await removeFirewall(machine, { name, bridges: bridgePrefix(plan.installation), reachable: [] });
}

/** By the address of the installation's registry; the helper image unless another installation uses it. */
async function ownImages(settings: Settings, local: LocalEngine, isShared: boolean): Promise<string[]> {
  const { registry } = await keptPorts(settings);
  const shared = (await readSharedRegistry(settings))?.host;
  const own = [registry && `127.0.0.1:${registry}/`, shared && `${shared}/`].filter((one) => !!one);
  const tags = (await local.engine.listImages()).flatMap((one) => one.tags);
  return tags.filter(
    (tag) => own.some((one) => tag.startsWith(String(one))) || (!isShared && tag.startsWith('davit/')),
  );
}

async function swarmToLeave(
  settings: Settings,
  of: { record: InstallRecord; id: string; shared: boolean; local: LocalEngine },
): Promise<{ leave: boolean; stays: string[] }> {
  if (of.local.info.swarm !== 'manager') return { leave: false, stays: [] };
  const why = !of.record.swarm
    ? 'davit did not make it'
    : of.shared
      ? 'another davit of this machine may use it'
      : await swarmUse(settings.dockerHost, of.id);
  if (why === undefined) return { leave: true, stays: [] };
  return { leave: false, stays: [`The swarm and its services: ${why} (docker swarm leave --force).`] };
}

function staying(
  settings: Settings,
  of: { record: InstallRecord; shared: boolean; machines: readonly MachineRecord[] },
): string[] {
  const { record, shared, machines } = of;
  const stays = ['Build cache of the engine: it has no labels, and is of all builds (docker builder prune).'];
  if (record.packages.length > 0)
    stays.push(`Debian packages: others may use them by now (apt-get remove ${record.packages.join(' ')}).`);
  if (shared)
    stays.push(`${settings.cache}, the helper image and emulation: another davit of this machine uses them.`);
  stays.push(
    `What workers made on engines of other machines${named(machines)}: docker … --filter label=davit.installation there.`,
  );
  return stays;
}

const named = (machines: readonly MachineRecord[]): string =>
  machines.length === 0
    ? ''
    : ` (${machines.map(({ name, docker }) => `${name}: ${docker ?? 'this one'}`).join(', ')})`;
