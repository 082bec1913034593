/** `artifacts:reports`: stored in a blob of their own, whatever the outcome of the job and `when`. */
import { text } from 'node:stream/consumers';
import type { ArtifactRef, TestSummary } from '../../../src/plan/model/outcome.ts';
import type { ArtifactsSpec } from '../../../src/plan/model/spec.ts';
import { type CollectRequest, collectArtifacts, eachFile } from '../files/artifacts.ts';
import { selectFiles } from '../files/artifact-globs.ts';
import { addJunit, noTests } from './junit.ts';

/** A larger JUnit report is stored, but not read for the summary. */
const MAX_JUNIT_BYTES = 64 * 1_024 * 1_024;

export interface Reports {
  reports?: ArtifactRef;
  tests?: TestSummary;
  warnings: string[];
}

/** Rejects with `job/artifacts` if they are too large. */
export async function collectReports(
  from: Omit<CollectRequest, 'spec' | 'what'>,
  spec: ArtifactsSpec,
): Promise<Reports> {
  const wanted = spec.reports ?? [];
  if (wanted.length === 0) return { warnings: [] };
  const { artifact, warnings } = await collectArtifacts({
    ...from,
    what: 'reports',
    spec: {
      paths: wanted.flatMap(({ paths }) => paths),
      exclude: [],
      untracked: false,
      when: 'always',
      expireInMs: spec.expireInMs,
    },
  });
  const junit = wanted.filter(({ kind }) => kind === 'junit').flatMap(({ paths }) => paths);
  const tests = junit.length > 0 && artifact ? await summary(from, junit, warnings) : undefined;
  return { ...(artifact && { reports: artifact }), ...(tests && { tests }), warnings };
}

async function summary(
  from: Omit<CollectRequest, 'spec' | 'what'>,
  paths: readonly string[],
  warnings: string[],
): Promise<TestSummary | undefined> {
  const selection = selectFiles(from.projectDir, paths, []);
  const sum = noTests();
  let any = false;
  for (const base of selection.bases)
    await eachFile(from, base, async (path, header, content) => {
      if (header.type !== 'file' || selection.chosenBy(path, false).length === 0) return;
      if (header.size > MAX_JUNIT_BYTES) {
        warnings.push(`reports: ${path} is too large for a summary of its tests.`);
        return;
      }
      const found = addJunit(sum, await text(content));
      if (found !== 'none') any = true;
      if (found === 'none') warnings.push(`reports: ${path} is not a JUnit report.`);
      if (found === 'broken')
        warnings.push(`reports: ${path} is broken XML: tests may be missing in the summary.`);
    });
  return any ? sum : undefined;
}
