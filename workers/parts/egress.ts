/**
 * Keeps the rules on a machine that limit what jobs reach (src/adapters/firewall). A job asks for the state alone,
 * which costs nothing: the rules are set when the worker starts, again whenever the connection to the engine has
 * broken, and from time to time, in case somebody has emptied the firewall.
 *
 *   EGRESS-1 After a connection broke, no job gets an answer before the rules are set again: the machine may have
 *            restarted, and then it has none.
 *   EGRESS-2 An engine that is away is no state: the next job asks again.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { bridgePrefix, firewallName } from '../../activities/runtime/container-names.ts';
import { removeFirewall, setFirewall, type FirewallMachine } from '../../src/adapters/firewall/firewall.ts';
import type { EgressRules, Reachable } from '../../src/adapters/firewall/rules.ts';
import type { Engine } from '../../src/adapters/ports.ts';
import { DavitError } from '../../src/errors.ts';
import type { EgressTarget, WorkerConfig } from '../../src/installation.ts';
import type { InstallationFacts } from '../../src/installation-facts.ts';
import { messageOf } from '../../src/utils/message.ts';

const EVERY_MS = 5 * 60_000;
/** Somebody may have installed what was missing. */
const AFTER_FAILURE_MS = 60_000;
const RECONNECT_MS = 2_000;
const STOP_MS = 2_000;
const HTTPS = 443;
const HTTP = 80;

export interface EgressGuard {
  /** Why the rules cannot be set; undefined when they are, or the worker's file wants none. */
  problem(): Promise<string | undefined>;
  stop(): Promise<void>;
}
export interface EgressOptions {
  engine: Engine;
  facts: InstallationFacts;
  config: Pick<WorkerConfig, 'egress'>;
  ensureHelper(): Promise<void>;
  log?(text: string): void;
}

export function guardEgress(options: EgressOptions): EgressGuard {
  const over = new AbortController();
  const { engine, log = () => undefined } = options;
  let state: Promise<string | undefined> | undefined;
  let told: string | undefined;
  const set = async (): Promise<string | undefined> => {
    const problem = await setEgress(options);
    if (problem !== undefined && problem !== told)
      log(`Jobs of forks and unprotected refs do not run here: ${problem}`);
    told = problem;
    return problem;
  };
  const problem = (): Promise<string | undefined> => {
    const asked = (state ??= set());
    // EGRESS-2
    asked.catch(() => {
      if (state === asked) state = undefined;
    });
    return asked;
  };
  const whileConnected = async (): Promise<void> => {
    const { broken } = await engine.watch(over.signal);
    const lost = new AbortController();
    // EGRESS-1. It may have restarted before it was watched, too.
    state = undefined;
    void broken.then(() => {
      state = undefined;
      lost.abort();
    });
    while (!lost.signal.aborted) {
      const pause = (await problem()) === undefined ? EVERY_MS : AFTER_FAILURE_MS;
      await delay(pause, undefined, { signal: lost.signal }).catch(() => undefined); // lost
      if (lost.signal.aborted) return;
      const again = set();
      await again;
      if (!lost.signal.aborted) state = again;
    }
  };
  const rounds = async (): Promise<void> => {
    while (!over.signal.aborted)
      try {
        await whileConnected();
      } catch {
        // The engine is away, which every job finds out too; or the worker ends.
        await delay(RECONNECT_MS, undefined, { signal: over.signal }).catch(() => undefined);
      }
  };
  const running = rounds();
  return {
    problem,
    async stop() {
      over.abort();
      // An engine that hangs does not keep the worker.
      await Promise.race([running, delay(STOP_MS, undefined, { ref: false })]);
    },
  };
}

/** Sets the rules, or removes them where the worker's file wants none. Returns why it cannot. Rejects if the engine is away. */
async function setEgress({
  engine,
  facts,
  config,
  ensureHelper,
}: EgressOptions): Promise<string | undefined> {
  const { installation } = facts;
  const machine: FirewallMachine = { engine, installation, helperImage: facts.config.helper_image };
  try {
    const rules = await egressRules(facts, config);
    const act = config.egress === 'unfiltered' ? removeFirewall : setFirewall;
    try {
      await act(machine, rules);
    } catch (error) {
      if (!(error instanceof DavitError) || error.code !== 'engine/image-missing') throw error;
      await ensureHelper();
      await act(machine, rules);
    }
    return undefined;
  } catch (error) {
    if (error instanceof DavitError && error.code === 'engine/unreachable') throw error;
    return config.egress === 'unfiltered' ? undefined : messageOf(error);
  }
}

/** The server and the registries, and what the worker's file allows. */
export async function egressRules(
  facts: Pick<InstallationFacts, 'installation' | 'url' | 'config'>,
  { egress }: Pick<WorkerConfig, 'egress'>,
): Promise<EgressRules> {
  const wanted: EgressTarget[] = [
    addressOf(facts.url),
    ...facts.config.registries.map(({ host, insecure }) =>
      addressOf(`${insecure ? 'http' : 'https'}://${host}`),
    ),
    ...(egress === 'unfiltered' ? [] : egress.allow),
  ];
  const found = await Promise.all(wanted.map(resolved));
  return {
    name: firewallName(facts.installation),
    bridges: bridgePrefix(facts.installation),
    reachable: found.flat(),
  };
}

function addressOf(url: string): EgressTarget {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return { host, port: port === '' ? (protocol === 'http:' ? HTTP : HTTPS) : Number(port) };
}

/** A name that does not resolve is nothing that a job could reach. */
async function resolved({ host, bits, port }: EgressTarget): Promise<Reachable[]> {
  const addresses = isIP(host)
    ? [{ address: host, family: isIP(host) }]
    : await lookup(host, { all: true }).catch(() => []);
  return addresses.flatMap(({ address, family }) => {
    // The loopback of a job is its own.
    if (/^127\.|^::1$/.test(address)) return [];
    return {
      family: family === 6 ? 6 : 4,
      address: bits === undefined ? address : `${address}/${bits}`,
      ...(port !== undefined && { port }),
    } satisfies Reachable;
  });
}
