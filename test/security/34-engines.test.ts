/** Row 34: for doctor an engine with a known escape is a failure, not a warning. */
import { expect, test } from 'vitest';
import { versionFinding } from '../../src/local/doctor/engine.ts';

test.each([
  ['24.0.7', 'fail'],
  ['20.10.24', 'fail'],
  ['19.3.0', 'fail'],
  // A distribution adds fixes to versions of its own: davit cannot know.
  ['20.10.24+dfsg1', 'warn'],
  ['28.2.2', 'ok'],
])('Docker %s: %s', (version, level) => {
  expect(versionFinding({ kind: 'docker', version, address: 'unix:///x', cpus: 2 }).verdict).toBe(level);
});
