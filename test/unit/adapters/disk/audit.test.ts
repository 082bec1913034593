import { appendFile, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AUDIT_LIMITS, diskAudit } from '../../../../src/adapters/disk/audit.ts';
import type { AuditLog } from '../../../../src/adapters/ports.ts';
import { AUDIT_KINDS, type AuditEntry, type AuditKind } from '../../../../src/plan/model/audit.ts';

let home: string;
let folder: string;
let audit: AuditLog;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'davit-audit-'));
  folder = join(home, 'audit');
  audit = diskAudit(folder);
});
afterEach(async () => {
  await audit.close();
  await rm(home, { recursive: true, force: true });
});

const entry = (number: number, kind: AuditKind = 'people'): AuditEntry => ({
  at: new Date(Date.UTC(2026, 0, 1) + number * 1_000).toISOString(),
  kind,
  actor: { kind: 'user', name: 'ada', role: 'operator' },
  action: 'pipeline.start',
  outcome: 'done',
  about: { number },
});
const all = { kinds: AUDIT_KINDS, limit: 10_000 };
const numbers = async (query = {}): Promise<unknown[]> =>
  (await audit.read({ ...all, ...query })).map(({ about }) => about.number);
const files = async (): Promise<string[]> => (await readdir(folder)).toSorted();

describe('the audit trail on disk', () => {
  test('entries are lines of JSON in private files, and are read in their order', async () => {
    const stored = await Promise.all([1, 2, 3].map((number) => audit.append(entry(number))));
    await audit.append(entry(4, 'refused'));
    expect(stored).toEqual([true, true, true]);
    expect(await files()).toEqual(['people-00000001.jsonl', 'refused-00000001.jsonl']);
    const path = join(folder, 'people-00000001.jsonl');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([entry(1), entry(2), entry(3)]);
    expect(await numbers()).toEqual([1, 2, 3, 4]);
    expect(await numbers({ since: entry(3).at })).toEqual([3, 4]);
    expect(await numbers({ limit: 2 })).toEqual([3, 4]);
    expect(await numbers({ kinds: ['refused'] })).toEqual([4]);
  });

  test('a restart adds to the last file', async () => {
    await audit.append(entry(1));
    await audit.close();
    audit = diskAudit(folder);
    await audit.append(entry(2));
    expect(await files()).toEqual(['people-00000001.jsonl']);
    expect(await numbers()).toEqual([1, 2]);
  });

  test('a full file is followed by the next, and the oldest go; one kind does not push out another', async () => {
    const small = { fileBytes: 400, files: 3 };
    await audit.close();
    audit = diskAudit(folder, { ...AUDIT_LIMITS, people: small, refused: small });
    await audit.append(entry(0));
    for (let number = 1; number <= 40; number += 1) await audit.append(entry(number, 'refused'));
    const kept = await files();
    expect(kept[0]).toBe('people-00000001.jsonl');
    expect(kept).toHaveLength(4);
    const found = await numbers();
    expect(found[0]).toBe(0);
    expect(found.at(-1)).toBe(40);
    expect(found.length).toBeLessThan(10);
    for (const name of kept) expect((await stat(join(folder, name))).size).toBeLessThan(700);
  });

  test('a line that a crash has cut is left out, and the next one is whole', async () => {
    await audit.append(entry(1));
    await audit.close();
    await appendFile(join(folder, 'people-00000001.jsonl'), '{"at":"2026-01');
    audit = diskAudit(folder);
    await audit.append(entry(2));
    expect(await numbers()).toEqual([1, 2]);
  });

  test('a file that was taken away is made again', async () => {
    await audit.append(entry(1));
    await rm(join(folder, 'people-00000001.jsonl'));
    await audit.append(entry(2));
    expect(await numbers()).toEqual([2]);
  });

  test('entries that cannot be stored are counted, and told once they can be', async () => {
    await audit.append(entry(1));
    await audit.close();
    await rename(folder, `${folder}-away`);
    await writeFile(folder, 'no folder');
    expect(await audit.append(entry(2))).toBe(false);
    expect(await audit.append(entry(3))).toBe(false);
    expect(audit.lost()).toBe(2);
    await rm(folder);
    await rename(`${folder}-away`, folder);
    expect(await audit.append(entry(4))).toBe(true);
    expect(await audit.append(entry(5))).toBe(true);
    const found = await audit.read(all);
    expect(found.map(({ action, about }) => [action, about.number ?? about.entries])).toEqual([
      ['pipeline.start', 1],
      ['pipeline.start', 4],
      ['audit.lost', 2],
      ['pipeline.start', 5],
    ]);
    expect(audit.lost()).toBe(2);
  });

  test('waiting entries have a limit', async () => {
    const results = await Promise.all(
      Array.from({ length: 12_000 }, (_, number) => audit.append(entry(number, 'refused'))),
    );
    const lost = results.filter((stored) => !stored).length;
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBe(audit.lost());
    expect((await numbers({ kinds: ['refused'], limit: 20_000 })).length).toBe(12_000 - lost);
  });

  test('watchers see what is stored, until they stop', async () => {
    const seen: unknown[] = [];
    const stop = audit.watch(({ about }) => seen.push(about.number));
    await audit.append(entry(1));
    stop();
    await audit.append(entry(2));
    expect(seen).toEqual([1]);
  });
});
