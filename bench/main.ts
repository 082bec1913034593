/**
 * `npm run bench -- [ROUNDS] [--write-docs]`: the overhead of davit over `docker run`, from one run, as ratios with their spread. It
 * measures, and fails only if something does not work: a busy machine makes a number worse, but not a
 * failure. It has its own davit.
 */
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { ownDavit, type OwnDavit } from '../test/support/davit.ts';
import { measureActivity } from './activity.ts';
import { measureEngine, type Phases, phasesOf } from './breakdown.ts';
import { measureLint, measurePlan } from './language.ts';
import { measureIdle, measureMemory, measureWorker, type ProcessMemory } from './memory.ts';
import { measureDocker, measurePipeline, repository, type Measured } from './pipelines.ts';
import { Results } from './results.ts';
import { measureStart } from './startup.ts';
import { msText, ratioText, secondsText, spread, type Spread } from './stats.ts';

const { values, positionals } = parseArgs({
  options: { 'write-docs': { type: 'boolean', default: false } },
  allowPositionals: true,
});
const ROUNDS = Number(positionals[0] ?? 5);
/** davit's targets, printed beside the measurements. */
const BARS = { ratio: 1.15, warm: 700, cold: 3_000, idleMb: 400, restMb: 500, idlePercent: 1, workerMb: 120 };
/** A worker's slots, and the number of parallel `docker run`. */
const WIDTH = 8;
const results = new Results();

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
  const engine: number[] = [];
  try {
    for (let round = 0; round <= ROUNDS; round += 1) {
      const loop = await measureDocker(davit.run.helperImage, one.count, width);
      const measured = await measurePipeline(davit, one.slug, folder);
      const calls = one.chained ? await measureEngine(davit.run.helperImage, one.count) : [];
      if (round === 0) continue;
      plain.push(loop);
      ours.push(measured);
      engine.push(...calls);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const ratio = (part: 'whole' | 'jobs'): Spread =>
    spread(ours.map((measured, index) => measured[part] / (plain[index] ?? Number.NaN)));
  const whole = ratio('whole');
  say(`\n${one.title}`);
  say(`  docker run --rm          ${secondsText(spread(plain))}`);
  say(`  davit, request to verdict ${secondsText(spread(ours.map((measured) => measured.whole)))}`);
  say(`  ratio                    ${ratioText(whole)}   bar ${BARS.ratio}`);
  say(
    `  davit, jobs alone        ${secondsText(spread(ours.map((measured) => measured.jobs)))}   ratio ${ratioText(ratio('jobs'))}`,
  );
  results.add({
    what: `${one.title}, request to verdict`,
    plain: `${(spread(plain).median / 1_000).toFixed(2)} s`,
    davit: `${ratioText(whole)} times`,
    bar: `${BARS.ratio} times`,
    met: whole.median <= BARS.ratio,
  });
  if (one.chained) sayPhases(await Promise.all(ours.map((each) => phasesOf(davit, each.id, each))), engine);
}

/** Where the time of the jobs that ran one after the other goes. */
function sayPhases(all: readonly Phases[], engine: readonly number[]): void {
  const of = (part: (phases: Phases) => number): string => msText(spread(all.map(part)));
  say('  before the first job');
  say(`    request to pipeline    ${of((one) => one.claimed)}`);
  say(`    to its plan            ${of((one) => one.compiled)}`);
  say(`    to a worker            ${of((one) => one.dispatched)}`);
  say('  each job');
  say(`    to a worker            ${of((one) => one.turns.median)}`);
  say(`    until its result       ${of((one) => one.activities.median)}`);
  say(`    engine calls alone     ${msText(spread(engine))}`);
  say(`  after the last job       ${of((one) => one.told)}`);
}

function tellMemory(title: string, processes: readonly ProcessMemory[], bar: number): void {
  const sum = processes.reduce((so, one) => so + one.mb, 0);
  say(`\n${title}, proportional set size`);
  for (const { name, mb } of processes) say(`  ${name.padEnd(24)} ${mb.toFixed(0)} MB`);
  say(`  ${'together'.padEnd(24)} ${sum.toFixed(0)} MB   bar ${bar} MB`);
  results.add({ what: title, davit: `${sum.toFixed(0)} MB`, bar: `${bar} MB`, met: sum <= bar });
}

async function idle(davit: OwnDavit): Promise<void> {
  tellMemory('davit up, idle after its start', await measureMemory(davit), BARS.idleMb);
  const percent = await measureIdle(davit);
  say(`  processor                ${percent.toFixed(1)} % of a core   bar ${BARS.idlePercent} %`);
  results.add({
    what: 'davit up, idle, processor',
    davit: `${percent.toFixed(1)} % of a core`,
    bar: `${BARS.idlePercent} %`,
    met: percent <= BARS.idlePercent,
  });
  const worker = await measureWorker(davit);
  say(`  a worker on its own      ${worker.toFixed(0)} MB   bar ${BARS.workerMb} MB`);
  results.add({
    what: 'a worker on its own',
    davit: `${worker.toFixed(0)} MB`,
    bar: `${BARS.workerMb} MB`,
    met: worker <= BARS.workerMb,
  });
}

async function starts(): Promise<void> {
  const { cold, warm } = await measureStart(ROUNDS);
  say('\ndavit run of one trivial job, from the command to its end');
  const tell = (what: string, times: Spread, bar: number): void => {
    say(`  ${what.padEnd(24)} ${secondsText(times)}   bar ${bar / 1_000} s`);
    results.add({
      what: `davit run of one trivial job, ${what}`,
      davit: secondsText(times),
      bar: `${bar / 1_000} s`,
      met: times.median <= bar,
    });
  };
  tell('nothing running yet', spread(cold), BARS.cold);
  tell('davit running', spread(warm), BARS.warm);
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
    tellMemory('davit up at rest after all of these pipelines', await measureMemory(davit), BARS.restMb);
  } finally {
    await davit.stop();
  }
  say(`\n${results.table()}`);
  const rounds = `\`npm run bench -- ${ROUNDS}\`: ${ROUNDS} rounds, median (least to most), ${availableParallelism()} CPUs.`;
  if (values['write-docs']) results.writeDocs(rounds);
}

await main();
