import { expectThat, jobOf, note, type Row } from './row.ts';

const CASES = [
  { name: 'exit 137', script: 'exit 137', kind: 'script', code: 137 },
  { name: 'killed by itself', script: 'kill -9 $$', kind: 'script' },
  { name: 'out of memory', script: 'tail /dev/zero', kind: 'out_of_memory' },
] as const;
/** An exit code alone is ambiguous: the causes are distinguished, and none of them is retried forever. */
export const exits: Row = {
  row: 37,
  fault: 'OOM kill; exit 137; signal',
  moment: 'script',
  calm: true,
  async run(world) {
    const { client, processes, history } = world;
    await processes.arch2.start(); // gives its containers 32 MiB
    const jobs = CASES.map(({ name, script }) => `${name}:\n  tags: [small]\n  script: ['${script}']\n`).join(
      '',
    );
    note(world, 37, CASES.map(({ name }) => name).join(', '));
    const from = history.now();
    const id = await client.start(world.project(37), jobs);
    const status = await client.verdict(id);
    for (const { name, kind, ...more } of CASES) {
      const { result, attempt } = jobOf(status, name);
      expectThat(
        result?.outcome === 'failed' && result.kind === kind,
        `${name} is told as ${result?.kind}`,
        result,
      );
      expectThat(
        !('code' in more) || result?.exitCode === more.code,
        `${name} has another exit code`,
        result,
      );
      expectThat(attempt === 1, `${name} was tried ${attempt} times`);
    }
    return { recoveryMs: [history.now() - from] };
  },
};
