/**
 * Sets the rules of `rules.ts` on the machine of an engine: a short-lived container of the helper image, through
 * the engine's API, so that it works on remote engines too. The programs are the machine's own: `nft`, else
 * `iptables`, which Docker needs itself.
 */
import { randomUUID } from 'node:crypto';
import { DavitError } from '../../errors.ts';
import type { Engine } from '../ports.ts';
import { chainsOf, iptablesRules, nftRules, type EgressRules } from './rules.ts';

const WAIT_MS = 30_000;
/** By two clocks. */
const OLD_MS = 10 * 60_000;
const KIND = 'firewall';
/** Exit code of a check: the rules can be set, and are not. */
const NOT_SET = 3;

/**
 * POSIX sh of the helper image. The root of the machine is at /host. Arguments: what to do, name, beginning of
 * the bridges' names, both chains, then the rules for nft, iptables and ip6tables.
 */
const SCRIPT = `
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin; export PATH
task=$1 name=$2 bridges=$3 input=$4 forward=$5 nft=$6 four=$7 six=$8
host() { chroot /host "$@"; }
has() { host "$1" --version >/dev/null 2>&1; }
families() { echo iptables; [ ! -e /proc/sys/net/ipv6 ] || echo ip6tables; }
drop_chains() {
  for program in $(families); do
    host $program -w -t mangle -S $input >/dev/null 2>&1 || continue
    while host $program -w -t mangle -D INPUT -i "$bridges+" -j $input; do :; done
    while host $program -w -t mangle -D FORWARD -i "$bridges+" -j $forward; do :; done
    for chain in $input $forward; do host $program -w -t mangle -F $chain; host $program -w -t mangle -X $chain; done
  done
}
by_iptables() {
  for program in $(families); do
    rules=$four; [ $program = iptables ] || rules=$six
    printf '%s' "$rules" | host $program-restore -w --noflush || return 1
    host $program -w -t mangle -C INPUT -i "$bridges+" -j $input 2>/dev/null ||
      host $program -w -t mangle -I INPUT -i "$bridges+" -j $input || return 1
    host $program -w -t mangle -C FORWARD -i "$bridges+" -j $forward 2>/dev/null ||
      host $program -w -t mangle -I FORWARD -i "$bridges+" -j $forward || return 1
  done
}
exec 2>&1
case $task in
remove)
  if has nft; then host nft delete table inet $name >/dev/null; fi
  if has iptables; then drop_chains >/dev/null; fi
  exit 0;;
check)
  if has nft; then
    if host nft list table inet $name >/dev/null 2>&1; then echo; echo nft; exit 0; fi
    if printf '%s' "$nft" | host nft -c -f -; then echo; echo nft; exit 3; fi
  fi
  if ! has iptables; then echo 'There is no iptables.'; exit 1; fi
  echo
  if host iptables -w -t mangle -C FORWARD -i "$bridges+" -j $forward 2>/dev/null; then echo iptables; exit 0; fi
  printf '%s' "$four" | host iptables-restore -w --noflush --test || exit 1
  echo iptables; exit 3;;
esac
if has nft && printf '%s' "$nft" | host nft -f -; then
  if has iptables; then drop_chains >/dev/null; fi
  echo; echo nft; exit 0
fi
if ! has iptables; then echo 'There is no iptables.'; exit 1; fi
by_iptables || exit 1
echo; echo iptables`;

export type FirewallProgram = 'nft' | 'iptables';
export interface FirewallMachine {
  engine: Pick<
    Engine,
    'createContainer' | 'startContainer' | 'waitContainer' | 'removeContainer' | 'listContainers' | 'logs'
  >;
  installation: string;
  helperImage: string;
}

/** Replaces the rules. Rejects with `engine/firewall` if the machine has no means, else with `engine/*`. */
export async function setFirewall(machine: FirewallMachine, rules: EgressRules): Promise<FirewallProgram> {
  const { code, text } = await inMachine(machine, 'set', rules);
  if (code === 0) return programOf(text);
  throw unable(text);
}

/** Whether the rules are set, and what does or would hold them. Changes nothing. Rejects as `setFirewall` does. */
export async function checkFirewall(
  machine: FirewallMachine,
  rules: EgressRules,
): Promise<{ program: FirewallProgram; set: boolean }> {
  const { code, text } = await inMachine(machine, 'check', rules);
  if (code === 0 || code === NOT_SET) return { program: programOf(text), set: code === 0 };
  throw unable(text);
}

/** Removes the rules, if there are any. */
export async function removeFirewall(machine: FirewallMachine, rules: EgressRules): Promise<void> {
  await inMachine(machine, 'remove', rules);
}

const programOf = (text: string): FirewallProgram => (text.trim().endsWith('nft') ? 'nft' : 'iptables');
const unable = (text: string): DavitError =>
  new DavitError(
    'engine/firewall',
    `The firewall of the machine cannot be set. ${text.replace(/\s+/g, ' ').trim().slice(0, 300)}`,
  );

type Task = 'set' | 'check' | 'remove';

async function inMachine(
  { engine, installation, helperImage }: FirewallMachine,
  task: Task,
  rules: EgressRules,
): Promise<{ code: number; text: string }> {
  const labels = { 'davit.installation': installation, 'davit.kind': KIND };
  // What a killed worker left; another worker's is running.
  const old = Date.now() - OLD_MS;
  for (const { name, status, createdAt } of await engine.listContainers(labels))
    if (status === 'exited' || status === 'dead' || createdAt < old) await engine.removeContainer(name);
  const name = `${rules.name.replaceAll('_', '-')}-firewall-${randomUUID().slice(0, 8)}`;
  const { INPUT, FORWARD } = chainsOf(rules.name);
  const signal = AbortSignal.timeout(WAIT_MS);
  try {
    await engine.createContainer({
      name,
      image: helperImage,
      labels,
      entrypoint: ['sh', '-c', SCRIPT, KIND],
      command: [
        ...[task, rules.name, rules.bridges, INPUT, FORWARD],
        ...[nftRules(rules), iptablesRules(4, rules), iptablesRules(6, rules)],
      ],
      firewall: true,
      noNewPrivileges: true,
      volumes: [],
      logMaxBytes: 1_024 * 1_024,
    });
    await engine.startContainer(name);
    const { exitCode } = await engine.waitContainer(name, signal);
    let text = '';
    for await (const { bytes } of engine.logs(name, { follow: false, signal }))
      text += new TextDecoder().decode(bytes);
    return { code: exitCode, text };
  } finally {
    await engine.removeContainer(name);
  }
}
