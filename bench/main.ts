/**
 * `npm run bench`: the overhead of davit over `docker run`, from one run, as ratios with their spread. It
 * measures, and fails only if something does not work: a busy machine makes a number worse, but not a
 * failure. It has its own davit.
 */
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { ownDavit, type OwnDavit } from '../test/support/davit.ts';
import { measureActivity } from './activity.ts';
import { measureLint, measurePlan } from './language.ts';
import { measureIdle, measureMemory, measureWorker, type ProcessMemory } from './memory.ts';
import { measureDocker, measurePipeline, repository, type Measured } from './pipelines.ts';
import { measureStart } from './startup.ts';
import { msText, ratioText, secondsText, spread } from './stats.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
/** davit's targets, printed beside the measurements. */
const BAR = 1.3;
/** A worker's slots, and the number of parallel `docker run`. */
const WIDTH = 8;

interface Case {
  title: string;
  slug: string;
  count: number;
  chained: boolean;
}
const CASES: readonly Case[] = [
  { title: '10 jobs, one after the other', slug: 'bench-chain', count: 10, chained: true },
  { title: `50 jobs, ${WIDTH} at a time`, slug: 'bench-wide', count: 50, chained: false },
];

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** Interleaved, so that a busy machine slows both; the first round warms up and does not count. */
async function compare(davit: OwnDavit, one: Case): Promise<void> {
  const folder = repository(one.count, one.chained);
  const width = one.chained ? 1 : WIDTH;
  const plain: number[] = [];
  const ours: Measured[] = [];
  try {
    for (let round = 0; round <= ROUNDS; round += 1) {
      const loop = await measureDocker(davit.run.helperImage, one.count, width);
      const measured = await measurePipeline(davit, one.slug, folder);
      if (round === 0) continue;
      plain.push(loop);
      ours.push(measured);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const ratios = (part: keyof Measured): string =>
    ratioText(spread(ours.map((measured, index) => measured[part] / (plain[index] ?? Number.NaN))));
  say(`\n${one.title}`);
  say(`  docker run --rm          ${secondsText(spread(plain))}`);
  say(`  davit, request to verdict ${secondsText(spread(ours.map((measured) => measured.whole)))}`);
  say(`  ratio                    ${ratios('whole')}   bar ${BAR}`);
  say(
    `  davit, jobs alone        ${secondsText(spread(ours.map((measured) => measured.jobs)))}   ratio ${ratios('jobs')}`,
  );
}

function tellMemory(title: string, processes: readonly ProcessMemory[], bar: number): void {
  const sum = processes.reduce((so, one) => so + one.mb, 0);
  say(`\n${title}, proportional set size`);
  for (const { name, mb } of processes) say(`  ${name.padEnd(24)} ${mb.toFixed(0)} MB`);
  say(`  ${'together'.padEnd(24)} ${sum.toFixed(0)} MB   bar ${bar} MB`);
}

async function idle(davit: OwnDavit): Promise<void> {
  tellMemory('davit up, idle after its start', await measureMemory(davit), 400);
  say(`  processor                ${(await measureIdle(davit)).toFixed(1)} % of a core   bar 1 %`);
  say(`  a worker on its own      ${(await measureWorker(davit)).toFixed(0)} MB   bar 120 MB`);
}

async function starts(): Promise<void> {
  const { cold, warm } = await measureStart(ROUNDS);
  say('\ndavit run of one trivial job, from the command to its end');
  say(`  nothing running yet      ${secondsText(spread(cold))}   bar 3 s`);
  say(`  davit running            ${secondsText(spread(warm))}   bar 0.7 s`);
}

/** In processor time, which excludes other work of the machine. */
function language(): void {
  const plan = measurePlan(ROUNDS);
  const lint = measureLint(ROUNDS);
  say('\n1,000 jobs in 20 included files, processor time');
  say(`  planned                  ${msText(plan.warm)}   bar 1,000 ms   cold ${plan.cold.toFixed(0)} ms`);
  say(`  memory                   ${plan.mb.toFixed(0)} MB`);
  say('\ndavit lint of an ordinary file, processor time of all its processes');
  say(`  linted                   ${msText(lint.warm)}   bar 500 ms   cold ${lint.cold.toFixed(0)} ms`);
  say(`  Node alone               ${msText(lint.node)}`);
}

async function main(): Promise<void> {
  say(`davit bench: ${ROUNDS} rounds, median (least to most), ${availableParallelism()} CPUs`);
  language();
  await starts();
  const davit = await ownDavit();
  try {
    await idle(davit);
    for (const one of CASES) await compare(davit, one);
    const times = await measureActivity(davit.run.temporal, davit.run.namespace, ROUNDS);
    say(`\none activity that does nothing  ${msText(spread(times))}`);
    tellMemory('davit up at rest after all of these pipelines', await measureMemory(davit), 500);
  } finally {
    await davit.stop();
  }
}

await main();
