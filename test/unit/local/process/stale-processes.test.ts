import { expect, test } from 'vitest';
import { DavitError } from '../../../../src/errors.ts';
import { removeIdleNetworks } from '../../../../src/local/process/stale-processes.ts';

const network = (name: string) => ({ name, labels: {}, createdAt: 0 });

test('idle networks of the installation are removed, and one in use does not protect the others', async () => {
  const asked: Record<string, string>[] = [];
  const removed: string[] = [];
  await removeIdleNetworks(
    {
      listNetworks: async (labels) => {
        asked.push(labels);
        return [network('busy'), network('idle')];
      },
      removeNetwork: async (name) => {
        if (name === 'busy') throw new DavitError('engine/in-use', 'It is in use.');
        removed.push(name);
      },
    },
    'i-1',
  );
  expect(asked).toEqual([{ 'davit.installation': 'i-1' }]);
  expect(removed).toEqual(['idle']);
});

test('an unreachable engine does not keep davit from ending', async () => {
  const away = async () => {
    throw new DavitError('engine/unreachable', 'Gone.');
  };
  await expect(removeIdleNetworks({ listNetworks: away, removeNetwork: away }, 'i')).resolves.toBeUndefined();
});
