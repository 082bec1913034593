import { expect, test } from 'vitest';
import { QUERY_NOT_READY } from '../../../src/plan/model/protocol.ts';
import { sdkLogger } from '../../../workers/parts/sdk-log.ts';

const lines = (logLevel: string): { said: string[]; logger: ReturnType<typeof sdkLogger> } => {
  const said: string[] = [];
  return { said, logger: sdkLogger(logLevel, (line) => said.push(line)) };
};

test('an event is one line with its distinguishing fields, and has no stack', () => {
  const { said, logger } = lines('info');
  logger.warn('Activity failed', {
    activityType: 'runJob',
    workflowId: 'pipeline/table/3',
    error: new Error('the engine\n went away'),
    taskToken: 'base64',
  });
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(
    /^\d{4}-\S+Z warn Activity failed workflowId=pipeline\/table\/3 activityType=runJob \(the engine went away\)$/,
  );
});
test("davit's own messages keep what they are about, and why", () => {
  const { said, logger } = lines('info');
  logger.warn('commit status not reported', {
    pipeline: 'table/3',
    context: 'davit/mr',
    code: 'forge/denied',
    reason: 'The forge responded with 403.',
    attempt: 2,
  });
  expect(said[0]).toMatch(
    / commit status not reported attempt=2 pipeline=table\/3 context=davit\/mr code=forge\/denied reason=The forge responded with 403\.$/,
  );
});
test('constant facts are not logged, nor each state of a worker', () => {
  const { said, logger } = lines('info');
  logger.warn('No workflows registered, not polling for workflow tasks');
  logger.info('Worker state changed', { state: 'RUNNING' });
  expect(said).toEqual([]);
});
test('a repeated query is not logged', () => {
  const { said, logger } = lines('info');
  logger.error('Failed to process Workflow Activation', { error: new Error(QUERY_NOT_READY) });
  expect(said).toEqual([]);
});
test('the verdict of a pipeline is no failure of the worker; another failed workflow is', () => {
  const { said, logger } = lines('info');
  const verdict = new Error('unit failed: script, exit code 1');
  verdict.stack = '';
  logger.warn('Workflow failed', { workflowId: 'pipeline/table/3', error: verdict });
  expect(said).toEqual([]);
  logger.warn('Workflow failed', { workflowId: 'pipeline/table/4', error: new Error('without a proof') });
  expect(said[0]).toContain('warn Workflow failed workflowId=pipeline/table/4 (without a proof)');
});
test('DAVIT_LOG_LEVEL decides', () => {
  const debug = lines('debug');
  debug.logger.info('Worker state changed', { taskQueue: 'amd64' });
  expect(debug.said[0]).toContain('info Worker state changed taskQueue=amd64');
  const error = lines('error');
  error.logger.warn('x');
  error.logger.error('y');
  expect(error.said).toHaveLength(1);
});
